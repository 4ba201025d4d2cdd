// The gateway with a real store, a real mosquitto and real clients.
#include "tests/provisioning/gateway/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <openssl/ssl.h>

#include <csignal>
#include <fstream>

namespace hatchery::gateway {
namespace {

using mqtt::PacketType;
using registry::CertificateStatus;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kNoAnswer = -1;

std::string mosquitto_pub(const World& world, const Identity& identity, const std::string& rest) {
    return "mosquitto_pub -h localhost -p " + std::to_string(world.port()) + " --cafile " +
           world.ca_file().string() + " --cert " + identity.certificate_file.string() + " --key " +
           identity.key_file.string() + " " + rest;
}

Bytes publish(std::string_view topic, std::string_view payload, std::uint16_t id = 0) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.qos = id > 0 ? 1 : 0;
    packet.packet_id = id;
    packet.payload = bytes_of(payload);
    return mqtt::encode_publish(packet);
}

mqtt::Publish as_publish(const Received& received) {
    const mqtt::Packet packet{received.type, received.flags, received.bytes, received.body};
    auto parsed = mqtt::parse_publish(packet);
    EXPECT_TRUE(parsed);
    return parsed ? *parsed : mqtt::Publish{};
}

/// Subscribes and takes the acknowledgement.
void subscribe(Device& device, std::uint16_t id, std::vector<std::string> filters) {
    mqtt::Subscribe packet{id, {}};
    for (auto& filter : filters)
        packet.subscriptions.push_back({std::move(filter), 1});
    const Bytes codes(packet.subscriptions.size(), 1);
    device.send(mqtt::encode_subscribe(packet));
    const auto answer = device.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->bytes, mqtt::encode_suback({id, codes}));
}

TEST(Gateway, ProvisionsOnTheFirstConnectAndPassesWhatThePolicyAllows) {
    World world;
    const Identity device = world.make_device("sensor-1");
    const Collector collector(world, "#");
    EXPECT_FALSE(world.has_thing("sensor-1"));

    const Ran allowed =
        run(mosquitto_pub(world, device, "-i sensor-1 -q 1 -t telemetry/sensor-1 -m first"));
    EXPECT_EQ(allowed.exit_code, 0) << allowed.output;
    EXPECT_TRUE(world.has_thing("sensor-1"));
    EXPECT_EQ(world.status_of(device), CertificateStatus::Active);

    const Ran forbidden =
        run(mosquitto_pub(world, device, "-i sensor-1 -q 1 -t telemetry/other -m forbidden"));
    EXPECT_NE(forbidden.exit_code, 0);
    const Ran again =
        run(mosquitto_pub(world, device, "-i sensor-1 -q 1 -t telemetry/sensor-1 -m second"));
    EXPECT_EQ(again.exit_code, 0) << again.output;
    EXPECT_THAT(collector.take(2),
                ElementsAre("telemetry/sensor-1 first", "telemetry/sensor-1 second"));
}

TEST(Gateway, RegistersNothingOnAHandshakeAlone) {
    World world;
    const Identity identity = world.make_device("sensor-1");
    {
        Device device(world.port(), identity);
        EXPECT_TRUE(device.is_secure());
    }
    Device other(world.port(), world.make_device("sensor-2"));
    EXPECT_EQ(other.connect("sensor-2"), 0);
    EXPECT_EQ(world.status_of(identity), std::nullopt);
}

TEST(Gateway, ProvisionsAVersion1CertificateWithoutIdentifiers) {
    World world;
    Device device(world.port(), world.make_v1_device("sensor-1", 2048, true));
    EXPECT_EQ(device.connect("sensor-1"), 0);
}

TEST(Gateway, FinishesTheHandshakeOfADeviceItRefuses) {
    World world;
    const std::pair<std::string_view, Identity> cases[] = {
        {"unknown CA", world.make_v1_device("stranger", 2048, false)},
        {"RSA 1024", world.make_v1_device("weak", 1024, true)},
    };
    for (const auto& [what, identity] : cases) {
        SCOPED_TRACE(what);
        Device device(world.port(), identity);
        EXPECT_TRUE(device.is_secure());
        EXPECT_EQ(device.connect("sensor-1"), kNoAnswer);
        EXPECT_NE(world.status_of(identity), CertificateStatus::Active);
    }
    EXPECT_FALSE(world.has_thing("stranger"));
    EXPECT_FALSE(world.has_thing("weak"));
}

TEST(Gateway, AnnouncesAnUnknownDeviceOnEachConnectWhenItIsToBeActivatedByHand) {
    World world;
    world.remove_registration_template();
    const Identity identity = world.make_device("sensor-1");
    const Collector collector(world, "$aws/events/#");
    for (int attempt = 0; attempt < 2; ++attempt) {
        Device device(world.port(), identity);
        EXPECT_EQ(device.connect("sensor-1"), kNoAnswer);
        EXPECT_EQ(world.status_of(identity), CertificateStatus::PendingActivation);
    }
    const auto events = collector.take(2);
    ASSERT_EQ(events.size(), 2U);
    for (const std::string& event : events) {
        const auto space = event.find(' ');
        EXPECT_EQ(event.substr(0, space),
                  "$aws/events/certificates/registered/" + world.ca_id().hex());
        const auto payload = nlohmann::json::parse(event.substr(space + 1));
        EXPECT_EQ(payload.at("certificateId"), identity.id.hex());
        EXPECT_EQ(payload.at("certificateStatus"), "PENDING_ACTIVATION");
    }
}

TEST(Gateway, RefusesAClientIdThatThePolicyDoesNotAllow) {
    World world;
    const Identity identity = world.make_device("sensor-1");
    Device wrong(world.port(), identity);
    EXPECT_EQ(wrong.connect("somebody-else"), kNoAnswer);
    Device right(world.port(), identity);
    EXPECT_EQ(right.connect("sensor-1"), 0);
}

TEST(Gateway, TakesAwsAlpnAndAnyServerName) {
    World world;
    const Identity identity = world.make_device("sensor-1");
    const std::tuple<TlsChoices, std::string> cases[] = {
        {TlsChoices{"127.0.0.1", {"x-amzn-mqtt-ca"}, 0}, "x-amzn-mqtt-ca"},
        {TlsChoices{"unknown.example", {"h2", "mqtt"}, 0}, "mqtt"},
        {TlsChoices{"", {"http/1.1"}, 0}, ""},
        {TlsChoices{"localhost", {}, TLS1_2_VERSION}, ""},
    };
    for (const auto& [choices, alpn] : cases) {
        Device device(world.port(), identity, choices);
        ASSERT_TRUE(device.is_secure()) << choices.server_name;
        EXPECT_EQ(device.alpn(), alpn);
        EXPECT_EQ(device.connect("sensor-1"), 0) << choices.server_name;
    }
}

TEST(Gateway, SpeaksMqtt5AndSaysWhyItRefuses) {
    World world;
    const Identity identity = world.make_device("sensor-1");
    mqtt::Connect connect;
    connect.level = mqtt::kLevel5;
    connect.keep_alive = 60;
    connect.client_id = "somebody-else";
    Device wrong(world.port(), identity);
    wrong.send(mqtt::encode_connect(connect));
    const auto refusal = wrong.receive();
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->bytes, mqtt::encode_connack({false, 0x87}, mqtt::kLevel5));
    EXPECT_TRUE(wrong.is_closed_by_server());

    connect.client_id = "sensor-1";
    Device right(world.port(), identity);
    right.send(mqtt::encode_connect(connect));
    const auto connack = right.receive();
    ASSERT_TRUE(connack);
    EXPECT_EQ(connack->body[1], 0);
    right.send(
        mqtt::encode_subscribe({1, {{"telemetry/sensor-1", 1}, {"denied", 1}}, {}}, mqtt::kLevel5));
    const auto suback = right.receive();
    ASSERT_TRUE(suback);
    EXPECT_EQ(suback->bytes, mqtt::encode_suback({1, {1, 0x87}}, mqtt::kLevel5));

    // A user property and a correlation passes; a denied topic is answered, not punished.
    mqtt::Publish message;
    message.topic = "telemetry/sensor-1";
    message.qos = 1;
    message.packet_id = 2;
    const std::string_view properties("\x09\x00\x02id\x26\x00\x01k\x00\x01v", 12);
    message.properties = bytes_of(properties);
    message.payload = bytes_of("five");
    right.send(mqtt::encode_publish(message, mqtt::kLevel5));
    bool is_acknowledged = false;
    bool is_delivered = false;
    while (!is_acknowledged || !is_delivered) {
        const auto received = right.receive();
        ASSERT_TRUE(received);
        if (received->type == PacketType::Puback) {
            is_acknowledged = true;
            continue;
        }
        const mqtt::Packet packet{received->type, received->flags, received->bytes, received->body};
        const auto delivered = mqtt::parse_publish(packet, mqtt::kLevel5);
        ASSERT_TRUE(delivered);
        EXPECT_EQ(text_of(delivered->payload), "five");
        EXPECT_THAT(std::string(text_of(delivered->properties)), HasSubstr("k"));
        is_delivered = true;
    }
    message.topic = "denied";
    message.packet_id = 3;
    right.send(mqtt::encode_publish(message, mqtt::kLevel5));
    std::optional<Received> denied = right.receive();
    ASSERT_TRUE(denied);
    EXPECT_EQ(denied->bytes, mqtt::encode_puback(3, 0x87));
    right.send({0x30, 0x07, 0x00, 0x01, 't', 0x03, 0x23, 0x00, 0x01});
    const auto alias = right.receive();
    ASSERT_TRUE(alias);
    EXPECT_EQ(alias->bytes, mqtt::encode_disconnect(0x94));
    EXPECT_TRUE(right.is_closed_by_server());
}

TEST(Gateway, TakesOnlyAwsAlpnOnItsSecondPort) {
    World world([](Options& options) { options.alpn_port = 0; });
    const Identity identity = world.make_device("sensor-1");
    Device with(world.alpn_port(), identity, TlsChoices{"localhost", {"x-amzn-mqtt-ca"}, 0});
    EXPECT_EQ(with.connect("sensor-1"), 0);
    Device without(world.alpn_port(), identity);
    EXPECT_EQ(without.connect("sensor-1"), kNoAnswer);
}

TEST(Gateway, ClosesConnectionsOfAnAddressThatComesTooOften) {
    World world([](Options& options) { options.max_connects_a_second = 1; });
    const Identity identity = world.make_device("sensor-1");
    for (int i = 0; i < 20; ++i)
        const Device device(world.port(), identity);
    EXPECT_GT(world.counters().throttled, 0U);
}

TEST(Gateway, EndsAConnectionThatNeverSaysWhoItIs) {
    World world([](Options& options) { options.connect_timeout = std::chrono::seconds(1); });
    Device silent(world.port(), world.make_device("sensor-1"));
    EXPECT_TRUE(silent.is_closed_by_server());
    EXPECT_EQ(world.counters().unauthenticated_timeouts, 1U);
}

TEST(Gateway, DropsAPacketOf256MegabytesAndLivesOn) {
    World world;
    const Identity identity = world.make_device("sensor-1");
    {
        Device early(world.port(), identity);
        early.send({0x10, 0xFF, 0xFF, 0xFF, 0x7F});
        EXPECT_TRUE(early.is_closed_by_server());
    }
    Device late(world.port(), identity);
    EXPECT_EQ(late.connect("sensor-1"), 0);
    late.send({0x30, 0xFF, 0xFF, 0xFF, 0x7F});
    EXPECT_TRUE(late.is_closed_by_server());
    Device after(world.port(), identity);
    EXPECT_EQ(after.connect("sensor-1"), 0);
}

TEST(Gateway, LeavesNothingBehindOfAConnectCutInHalf) {
    World world;
    const Identity identity = world.make_device("sensor-1");
    {
        Device device(world.port(), identity);
        device.send({0x10, 0x20, 0x00, 0x04, 'M', 'Q'});
        device.drop();
    }
    EXPECT_EQ(world.status_of(identity), std::nullopt);
    Device device(world.port(), identity);
    EXPECT_EQ(device.connect("sensor-1"), 0);
}

TEST(Gateway, PassesAMessageOverSeveralTlsRecordsBothWays) {
    World world;
    Device device(world.port(), world.make_device("sensor-1"));
    ASSERT_EQ(device.connect("sensor-1"), 0);
    subscribe(device, 1, {"telemetry/sensor-1"});
    const std::string payload(200'000, 'x');
    device.send(publish("telemetry/sensor-1", payload, 2));
    bool is_acknowledged = false;
    bool is_delivered = false;
    while (!is_acknowledged || !is_delivered) {
        const auto received = device.receive();
        ASSERT_TRUE(received);
        if (received->type == PacketType::Puback) {
            EXPECT_EQ(received->bytes, mqtt::encode_puback(2));
            is_acknowledged = true;
        } else {
            const auto delivered = as_publish(*received);
            EXPECT_EQ(delivered.topic, "telemetry/sensor-1");
            EXPECT_EQ(text_of(delivered.payload), payload);
            is_delivered = true;
        }
    }
}

TEST(Gateway, DeliversOnlyWhatTheDeviceMayReceive) {
    World world;
    Device device(world.port(), world.make_device("sensor-1"));
    ASSERT_EQ(device.connect("sensor-1"), 0);
    subscribe(device, 1, {"telemetry/#"});
    const std::string to_broker = "mosquitto_pub --unix " + world.socket();
    EXPECT_EQ(run(to_broker + " -q 1 -t telemetry/other -m secret").exit_code, 0);
    EXPECT_EQ(run(to_broker + " -q 1 -t telemetry/sensor-1 -m mine").exit_code, 0);
    const auto received = device.receive();
    ASSERT_TRUE(received);
    EXPECT_EQ(as_publish(*received).topic, "telemetry/sensor-1");
    EXPECT_EQ(text_of(as_publish(*received).payload), "mine");
}

TEST(Gateway, DropsAConnectionWhoseSubscriptionIsDenied) {
    World world;
    Device device(world.port(), world.make_device("sensor-1"));
    ASSERT_EQ(device.connect("sensor-1"), 0);
    device.send(mqtt::encode_subscribe({1, {{"telemetry/sensor-1", 0}, {"other/#", 0}}}));
    EXPECT_TRUE(device.is_closed_by_server());
}

TEST(Gateway, EndsTheOlderOfTwoConnectionsWithOneClientId) {
    World world;
    const Identity identity = world.make_device("sensor-1");
    Device older(world.port(), identity);
    ASSERT_EQ(older.connect("sensor-1"), 0);
    Device newer(world.port(), identity);
    ASSERT_EQ(newer.connect("sensor-1"), 0);
    EXPECT_TRUE(older.is_closed_by_server());
    newer.send(mqtt::encode_pingreq());
    const auto answer = newer.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->type, PacketType::Pingresp);
}

TEST(Gateway, EndsAConnectionWhoseCertificateIsDeactivated) {
    World world;
    const Identity identity = world.make_device("sensor-1");
    Device device(world.port(), identity);
    ASSERT_EQ(device.connect("sensor-1"), 0);
    world.set_status(identity, CertificateStatus::Inactive);
    EXPECT_TRUE(device.is_closed_by_server());
    Device again(world.port(), identity);
    EXPECT_EQ(again.connect("sensor-1"), kNoAnswer);
}

TEST(Gateway, EnforcesAChangedPolicyOnTheNextPacket) {
    World world;
    Device device(world.port(), world.make_device("sensor-1"));
    ASSERT_EQ(device.connect("sensor-1"), 0);
    device.send(publish("telemetry/sensor-1", "before", 1));
    ASSERT_TRUE(device.receive());
    world.change_device_policy(
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]})");
    device.send(publish("telemetry/sensor-1", "after", 2));
    EXPECT_TRUE(device.is_closed_by_server());
}

TEST(Gateway, KnowsTheFieldsOfAnOpenConnectionsCertificateWhenItsPolicyChanges) {
    World world;
    const Identity identity = world.make_device("sensor-1");
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        SCOPED_TRACE(version);
        world.change_device_policy(
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})");
        Device device(world.port(), identity, TlsChoices{"localhost", {}, version});
        ASSERT_EQ(device.connect("sensor-1"), 0);
        world.change_device_policy(R"({"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"iot:Publish","Resource":
                "arn:aws:iot:us-east-1:123456789012:topic/of/${iot:Certificate.Subject.CommonName}"}]})");
        device.send(publish("of/sensor-1", "x", 1));
        const auto answer = device.receive();
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->bytes, mqtt::encode_puback(1));
        device.send(publish("of/another", "x", 2));
        EXPECT_TRUE(device.is_closed_by_server());
    }
}

TEST(Gateway, StopsDeliveriesOfOpenConnectionsWhenReceiveIsTakenAway) {
    World world;
    Device first(world.port(), world.make_device("sensor-1"));
    Device second(world.port(), world.make_device("sensor-2"));
    ASSERT_EQ(first.connect("sensor-1"), 0);
    ASSERT_EQ(second.connect("sensor-2"), 0);
    subscribe(first, 1, {"telemetry/sensor-1"});
    subscribe(second, 1, {"telemetry/sensor-2"});
    // Receive stays only where the thing's attribute says so; publishing stays for both.
    world.change_device_policy(R"({"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iot:Connect","iot:Publish"],"Resource":"*"},
        {"Effect":"Allow","Action":"iot:Receive","Resource":
         "arn:aws:iot:us-east-1:123456789012:topic/telemetry/${iot:Connection.Thing.Attributes[on]}"}]})");
    world.set_attribute("sensor-2", "on", "sensor-2");
    first.send(publish("telemetry/sensor-1", "kept back", 2));
    second.send(publish("telemetry/sensor-2", "delivered", 2));
    std::vector<std::string> to_second;
    for (int packets = 0; packets < 2; ++packets) {
        const auto received = second.receive();
        ASSERT_TRUE(received);
        if (received->type == PacketType::Publish) {
            to_second.emplace_back(text_of(as_publish(*received).payload));
        }
    }
    EXPECT_THAT(to_second, ElementsAre("delivered"));
    // PINGRESP comes after whatever the broker had for it.
    first.send(mqtt::encode_pingreq());
    for (;;) {
        const auto received = first.receive();
        ASSERT_TRUE(received);
        EXPECT_NE(received->type, PacketType::Publish);
        if (received->type == PacketType::Pingresp) break;
    }
}

TEST(Gateway, NeedsRetainPublishForARetainedMessage) {
    World world;
    const Identity identity = world.make_device("sensor-1");
    const Ran refused =
        run(mosquitto_pub(world, identity, "-i sensor-1 -q 1 -r -t telemetry/sensor-1 -m kept"));
    EXPECT_NE(refused.exit_code, 0);
    world.change_device_policy(
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})");
    const Ran allowed =
        run(mosquitto_pub(world, identity, "-i sensor-1 -q 1 -r -t telemetry/sensor-1 -m kept"));
    EXPECT_EQ(allowed.exit_code, 0) << allowed.output;
    const Ran kept = run("mosquitto_sub --unix " + world.socket() + " -C 1 -t telemetry/sensor-1");
    EXPECT_EQ(kept.output, "kept\n");
}

TEST(Gateway, NeedsTheServerNameForACertificateOfModeSniOnly) {
    World world;
    const Identity identity = world.make_device("sensor-1");
    {
        Device first(world.port(), identity);
        ASSERT_EQ(first.connect("sensor-1"), 0);
    }
    world.set_mode(identity, registry::CertificateMode::SniOnly);
    Device without(world.port(), identity);
    EXPECT_EQ(without.connect("sensor-1"), kNoAnswer);
    Device wrong(world.port(), identity, TlsChoices{"elsewhere.example", {}, 0});
    EXPECT_EQ(wrong.connect("sensor-1"), kNoAnswer);
    Device right(world.port(), identity, TlsChoices{"LOCALHOST", {}, 0});
    EXPECT_EQ(right.connect("sensor-1"), 0);
}

TEST(Gateway, EndsADeviceThatFallsSilent) {
    World world;
    Device device(world.port(), world.make_device("sensor-1"));
    ASSERT_EQ(device.connect("sensor-1", 1), 0);
    EXPECT_TRUE(device.is_closed_by_server());
}

TEST(Gateway, EndsAConnectionThatNeverSendsConnect) {
    World world([](Options& options) { options.connect_timeout = std::chrono::seconds(1); });
    Device device(world.port(), world.make_device("sensor-1"));
    EXPECT_TRUE(device.is_secure());
    EXPECT_TRUE(device.is_closed_by_server());
}

TEST(Gateway, ClosesAfterProvisioningIfAwsIsToBeFollowedToTheLetter) {
    World world([](Options& options) { options.close_after_provisioning = true; });
    const Identity identity = world.make_device("sensor-1");
    Device first(world.port(), identity);
    EXPECT_EQ(first.connect("sensor-1"), kNoAnswer);
    EXPECT_EQ(world.status_of(identity), CertificateStatus::Active);
    Device second(world.port(), identity);
    EXPECT_EQ(second.connect("sensor-1"), 0);
}

TEST(Gateway, GivesAClaimItsOwnCertificateThatThenConnects) {
    World world;
    const Identity claim = world.make_claim();
    Device asking(world.port(), claim);
    Device listening(world.port(), claim);
    ASSERT_EQ(asking.connect("fleet-device"), 0);
    ASSERT_EQ(listening.connect("another-device"), 0);
    const std::vector<std::string> filters = {
        "$aws/certificates/create/json/accepted",
        "$aws/certificates/create/json/rejected",
        "$aws/provisioning-templates/claims/provision/json/accepted",
        "$aws/provisioning-templates/claims/provision/json/rejected"};
    subscribe(asking, 1, filters);
    subscribe(listening, 1, filters);

    asking.send(publish("$aws/certificates/create/json", "{}", 2));
    const auto acknowledged = asking.receive();
    ASSERT_TRUE(acknowledged);
    EXPECT_EQ(acknowledged->bytes, mqtt::encode_puback(2));
    const auto created = asking.receive();
    ASSERT_TRUE(created);
    EXPECT_EQ(as_publish(*created).topic, "$aws/certificates/create/json/accepted");
    EXPECT_EQ(as_publish(*created).qos, 1);
    asking.send(mqtt::encode_puback(as_publish(*created).packet_id));
    const auto answer = nlohmann::json::parse(text_of(as_publish(*created).payload));

    const nlohmann::json request = {
        {"templateName", "claims"},
        {"certificateOwnershipToken", answer.at("certificateOwnershipToken")},
        {"parameters", {{"SerialNumber", "SN-1"}}}};
    asking.send(publish("$aws/provisioning-templates/claims/provision/json", request.dump(), 3));
    ASSERT_EQ(asking.receive()->bytes, mqtt::encode_puback(3));
    const auto registered = asking.receive();
    ASSERT_TRUE(registered);
    EXPECT_EQ(as_publish(*registered).topic,
              "$aws/provisioning-templates/claims/provision/json/accepted");
    EXPECT_EQ(nlohmann::json::parse(text_of(as_publish(*registered).payload)).at("thingName"),
              "SN-1");
    EXPECT_TRUE(world.has_thing("SN-1"));

    // the other connection with this claim certificate got none of it
    listening.send(mqtt::encode_pingreq());
    EXPECT_EQ(listening.receive()->type, PacketType::Pingresp);

    Identity own;
    own.certificate_pem = answer.at("certificatePem");
    own.key_pem = answer.at("privateKey");
    Device device(world.port(), own);
    EXPECT_EQ(device.connect("SN-1"), 0);
}

TEST(Gateway, TellsAClaimWhyItWasRejected) {
    World world;
    Device device(world.port(), world.make_claim());
    ASSERT_EQ(device.connect("fleet-device"), 0);
    subscribe(device, 1, {"$aws/provisioning-templates/claims/provision/json/rejected"});
    device.send(publish("$aws/provisioning-templates/claims/provision/json", "{}"));
    const auto rejected = device.receive();
    ASSERT_TRUE(rejected);
    EXPECT_EQ(as_publish(*rejected).topic,
              "$aws/provisioning-templates/claims/provision/json/rejected");
    const auto answer = nlohmann::json::parse(text_of(as_publish(*rejected).payload));
    EXPECT_EQ(answer.at("errorCode"), "InvalidCertificateOwnershipToken");
}

TEST(Gateway, DropsAClaimThatAsksForWhatItsPolicyDoesNotAllow) {
    World world;
    Device device(world.port(), world.make_claim());
    ASSERT_EQ(device.connect("fleet-device"), 0);
    device.send(publish("$aws/certificates/create-from-csr/json", "{}", 1));
    EXPECT_TRUE(device.is_closed_by_server());
}

TEST(Gateway, EndsConnectionsWhenItStops) {
    World world;
    Device device(world.port(), world.make_device("sensor-1"));
    ASSERT_EQ(device.connect("sensor-1"), 0);
    world.stop_gateway();
    EXPECT_TRUE(device.is_closed_by_server());
}

TEST(Gateway, SaysThatItsPortIsTaken) {
    World world;
    const Identity server = world.make_device("unused");
    auto key = ca::PrivateKey::from_pem(server.key_pem, Secret());
    ASSERT_TRUE(key);
    auto second = Gateway::start(world.service(),
                                 Options{.host = "127.0.0.1",
                                         .port = world.port(),
                                         .tls_certificate_chain_pem = server.certificate_pem,
                                         .tls_key = *key,
                                         .upstream = "127.0.0.1:1"});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::Unavailable);
    EXPECT_EQ(
        second.error().message,
        "cannot listen on 127.0.0.1:" + std::to_string(world.port()) + ": Address already in use");
}

TEST(Gateway, ClosesDevicesWhenTheBrokerCannotBeReached) {
    World world([](Options& options) { options.upstream = "unix:/nonexistent/broker.sock"; });
    const Identity identity = world.make_device("sensor-1");
    Device device(world.port(), identity);
    EXPECT_EQ(device.connect("sensor-1"), kNoAnswer);
    EXPECT_EQ(world.status_of(identity), CertificateStatus::Active);  // provisioning went on
}

}  // namespace
}  // namespace hatchery::gateway
