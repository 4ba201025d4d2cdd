// What MQTT 5 changes for a session.
#include "provisioning/gateway/mqtt_properties.h"
#include "tests/provisioning/gateway/session_fixture.h"

#include <gmock/gmock.h>

namespace hatchery::gateway {
namespace {

using mqtt::kLevel5;
namespace property = mqtt::property;

class SessionV5 : public SessionTest {
  protected:
    static mqtt::Connect connect_v5() {
        mqtt::Connect connect;
        connect.level = kLevel5;
        connect.client_id = "dev";
        connect.keep_alive = 60;
        return connect;
    }
    /// @return the device's CONNACK
    mqtt::Connack open_v5(const mqtt::Connect& connect, const mqtt::Connack& brokers = {}) {
        EXPECT_TRUE(device(mqtt::encode_connect(connect)).admit);
        to_broker = admit().to_upstream;
        const Actions opened = upstream(mqtt::encode_connack(brokers, kLevel5));
        mqtt::PacketReader reader(1024);
        reader.append(opened.to_device);
        const auto packet = reader.next();
        EXPECT_TRUE(packet && *packet);
        auto connack = mqtt::parse_connack(**packet, kLevel5);
        EXPECT_TRUE(connack);
        asked.clear();
        return connack ? *connack : mqtt::Connack{};
    }
    static Bytes message(std::string_view topic,
                         std::uint8_t qos,
                         std::uint16_t id,
                         std::string_view properties = {}) {
        mqtt::Publish packet;
        packet.topic = topic;
        packet.qos = qos;
        packet.packet_id = id;
        packet.properties = bytes_of(properties);
        packet.payload = bytes_of("data");
        return mqtt::encode_publish(packet, kLevel5);
    }
    Bytes to_broker;
};

TEST_F(SessionV5, KeepsTopicAliasesToNeitherSide) {
    mqtt::Connect connect = connect_v5();
    mqtt::append_property(connect.properties, property::kTopicAliasMaximum, std::uint16_t{10});
    mqtt::append_property(connect.properties, property::kSessionExpiryInterval, 7U);
    mqtt::Connack brokers;
    mqtt::append_property(brokers.properties, property::kTopicAliasMaximum, std::uint16_t{10});
    const auto connack = open_v5(connect, brokers);
    EXPECT_FALSE(mqtt::integer_property(connack.properties, property::kTopicAliasMaximum));
    EXPECT_EQ(mqtt::integer_property(connack.properties, property::kMaximumQos), 1U);
    EXPECT_EQ(mqtt::integer_property(connack.properties, property::kMaximumPacketSize), 262144U);
    mqtt::Connect expected = connect_v5();
    mqtt::append_property(expected.properties, property::kSessionExpiryInterval, 7U);
    EXPECT_EQ(to_broker, mqtt::encode_connect(expected));

    const Actions alias = device(message("t", 0, 0, {"\x23\x00\x01", 3}));
    EXPECT_EQ(alias.to_device, mqtt::encode_disconnect(0x94));
    expect_closed(alias, CloseCause::Malformed, "PUBLISH with a topic alias");
}

TEST_F(SessionV5, TellsADeviceWithoutKeepAliveWhatTheServerWants) {
    mqtt::Connect connect = connect_v5();
    connect.keep_alive = 0;
    const auto connack = open_v5(connect);
    EXPECT_EQ(mqtt::integer_property(connack.properties, property::kServerKeepAlive), 1200U);
}

TEST_F(SessionV5, SaysInConnackWhyItRefuses) {
    EXPECT_TRUE(device(mqtt::encode_connect(connect_v5())).admit);
    EXPECT_EQ(session.end(CloseCause::Refused, "no").to_device,
              mqtt::encode_connack({false, 0x87}, kLevel5));
}

TEST_F(SessionV5, RefusesExtendedAuthentication) {
    mqtt::Connect connect = connect_v5();
    connect.properties = to_bytes(bytes_of(raw("\x15\x00\x05OAUTH")));
    const Actions actions = device(mqtt::encode_connect(connect));
    EXPECT_EQ(actions.to_device, mqtt::encode_connack({false, 0x8C}, kLevel5));
}

TEST_F(SessionV5, IsPersistentByItsExpiryInterval) {
    mqtt::Connect connect = connect_v5();
    open_v5(connect);
    EXPECT_FALSE(session.is_persistent());
    Session other{Session::Limits{}, now};
    mqtt::append_property(connect.properties, property::kSessionExpiryInterval, 60U);
    static_cast<void>(other.from_device(mqtt::encode_connect(connect), now));
    EXPECT_TRUE(other.is_persistent());
}

TEST_F(SessionV5, AnswersADeniedPacketInsteadOfClosingWhereItCan) {
    open_v5(connect_v5());
    denied = {"iot:Publish no", "iot:Subscribe no"};
    EXPECT_EQ(device(message("no", 1, 5)).to_device, mqtt::encode_puback(5, 0x87));
    const Actions mixed = device(mqtt::encode_subscribe({6, {{"no", 1}, {"yes", 1}}, {}}, kLevel5));
    EXPECT_EQ(mixed.to_upstream, mqtt::encode_subscribe({6, {{"yes", 1}}, {}}, kLevel5));
    EXPECT_EQ(upstream(mqtt::encode_suback({6, {1}, {}}, kLevel5)).to_device,
              mqtt::encode_suback({6, {0x87, 1}, {}}, kLevel5));
    const Actions closed = device(message("no", 0, 0));
    EXPECT_EQ(closed.to_device, mqtt::encode_disconnect(0x87));
    expect_closed(closed, CloseCause::Denied, "iot:Publish on 'no'");
}

TEST_F(SessionV5, PutsItsOwnCodesIntoUnsuback) {
    open_v5(connect_v5());
    device(mqtt::encode_subscribe({1, {{std::string(kAccepted), 1}}, {}}, kLevel5));
    const Actions asks =
        device(mqtt::encode_unsubscribe({2, {std::string(kAccepted), "a"}, {}}, kLevel5));
    EXPECT_EQ(asks.to_upstream, mqtt::encode_unsubscribe({2, {"a"}, {}}, kLevel5));
    EXPECT_EQ(upstream(mqtt::encode_unsuback_v5({2, {0x11}, {}})).to_device,
              mqtt::encode_unsuback_v5({2, {0, 0x11}, {}}));
}

TEST_F(SessionV5, GivesCorrelationAndSubscriptionIdentifierBack) {
    open_v5(connect_v5());
    const Bytes identifier = to_bytes(bytes_of(raw("\x0B\x05")));
    device(mqtt::encode_subscribe({1, {{std::string(kAccepted), 0}}, identifier}, kLevel5));
    const Actions asked_for = device(message(kCreate, 0, 0, raw("\x09\x00\x02id")));
    ASSERT_EQ(asked_for.requests.size(), 1U);
    const Actions answer =
        session.answered({std::string(kAccepted), "{}"}, asked_for.requests[0].correlation);
    EXPECT_TRUE(answer.is_secret);
    mqtt::Publish expected;
    expected.topic = kAccepted;
    expected.payload = bytes_of("{}");
    const std::string_view properties = raw("\x09\x00\x02id\x0B\x05");
    expected.properties = bytes_of(properties);
    EXPECT_EQ(answer.to_device, mqtt::encode_publish(expected, kLevel5));
}

TEST_F(SessionV5, KeepsSomeOfTheReceiveMaximumForItsOwnAnswers) {
    mqtt::Connect connect = connect_v5();
    mqtt::append_property(connect.properties, property::kReceiveMaximum, std::uint16_t{1});
    open_v5(connect);
    device(mqtt::encode_subscribe({1, {{std::string(kAccepted), 1}}, {}}, kLevel5));
    const Actions answer = session.answered({std::string(kAccepted), "{}"});
    ASSERT_FALSE(answer.to_device.empty());
    EXPECT_EQ(answer.to_device[0] & 0x06, 0) << "QoS 0: the one delivery is the broker's";
}

TEST_F(SessionV5, PassesTheBrokersDisconnect) {
    open_v5(connect_v5());
    const Actions actions = upstream(mqtt::encode_disconnect(0x8E));
    EXPECT_EQ(actions.to_device, mqtt::encode_disconnect(0x8E));
    expect_closed(
        actions, CloseCause::TakenOver, "the broker sent DISCONNECT with reason code 142");
}

TEST_F(SessionV5, PassesReasonsOfTheDevice) {
    mqtt::Connect connect = connect_v5();
    connect.will = mqtt::Will{"t", to_bytes(bytes_of("gone"))};
    open_v5(connect);
    const Bytes with_will = mqtt::encode_disconnect(0x04);
    EXPECT_EQ(device(with_will).to_upstream, with_will);
    EXPECT_TRUE(session.connect().will);
}

TEST_F(SessionV5, ForgetsTheWillOfADeviceThatSaysGoodbye) {
    mqtt::Connect connect = connect_v5();
    connect.will = mqtt::Will{"t", to_bytes(bytes_of("gone"))};
    open_v5(connect);
    device(mqtt::encode_disconnect());
    EXPECT_FALSE(session.connect().will);
}

TEST_F(SessionV5, NamesTheLimitThatWasMet) {
    open_v5(connect_v5());
    const std::string deep = "1/2/3/4/5/6/7/8/9";
    EXPECT_EQ(device(mqtt::encode_subscribe({1, {{deep, 0}}, {}}, kLevel5)).to_device,
              mqtt::encode_suback({1, {0x8F}, {}}, kLevel5));
    mqtt::Subscribe nine{2, {}, {}};
    for (int i = 0; i < 9; ++i)
        nine.subscriptions.push_back({"$aws/certificates/" + std::to_string(i), 0});
    EXPECT_EQ(device(mqtt::encode_subscribe(nine, kLevel5)).to_device,
              mqtt::encode_suback({2, {0, 0, 0, 0, 0, 0, 0, 0, 0x97}, {}}, kLevel5));
    const Actions closed = device(message(deep, 0, 0));
    EXPECT_EQ(closed.to_device, mqtt::encode_disconnect(0x90));
    EXPECT_EQ(to_string(closed.close->cause), "limit");
}

TEST_F(SessionTest, ClosesOnATopicOfNineLevelsOr257Bytes) {
    open();
    EXPECT_FALSE(device(publish("1/2/3/4/5/6/7/8", 0, 0)).close);
    EXPECT_FALSE(device(publish(std::string(256, 't'), 0, 0)).close);
    expect_closed(device(publish("1/2/3/4/5/6/7/8/9", 0, 0)),
                  CloseCause::Limit,
                  "PUBLISH to a topic over the limits, '1/2/3/4/5/6/7/8/9'");
}

TEST_F(SessionTest, RefusesAFilterOverTheLimitsWhereverItIsLong) {
    open();
    const std::string group(128, 'g');
    const std::string longest =
        "$aws/events/thingGroupHierarchy/thingGroup/" + group + "/childThingGroup/" + group + "/#";
    const std::pair<std::string, std::uint8_t> filters[] = {
        {longest, 0},
        {"$aws/" + std::string(508, 'a'), 0x80},
        {"$share/g/" + std::string(256, 't'), 0},
        {"$share/g/" + std::string(257, 't'), 0x80},
        {"$share/" + std::string(256, 'g') + "/t", 0x80},
    };
    std::uint16_t id = 0;
    for (const auto& [filter, code] : filters) {
        const Actions actions = device(mqtt::encode_subscribe({++id, {{filter, 0}}}));
        EXPECT_EQ(actions.limits_met.topics, code == 0 ? 0U : 1U) << filter;
        const Bytes refused = code == 0 ? Bytes() : mqtt::encode_suback({id, {code}});
        EXPECT_EQ(actions.to_device, refused) << filter;
    }
}

TEST_F(SessionTest, CountsSubscriptionsOfBothKinds) {
    open();
    for (std::uint16_t i = 1; i <= 51; ++i) {
        const Actions actions =
            device(mqtt::encode_subscribe({i, {{"topic/" + std::to_string(i), 1}}}));
        EXPECT_EQ(actions.to_upstream.empty(), i > 50) << i;
    }
    device(mqtt::encode_unsubscribe({60, {"topic/1"}}));
    EXPECT_FALSE(device(mqtt::encode_subscribe({61, {{"topic/51", 1}}})).to_upstream.empty());
}

TEST_F(SessionTest, StopsReadingADeviceWhoseBrokerIsBehind) {
    open();
    for (std::uint16_t i = 1; i <= 100; ++i) {
        EXPECT_TRUE(session.reads_device()) << i;
        device(publish("t", 1, i));
    }
    EXPECT_FALSE(session.reads_device());
    upstream(mqtt::encode_puback(1));
    EXPECT_TRUE(session.reads_device());
}

TEST_F(SessionTest, AnswersADeviceWhoseSessionWentOn) {
    mqtt::Connect connect = connect_packet();
    connect.clean_session = false;
    ASSERT_TRUE(device(mqtt::encode_connect(connect)).admit);
    admit();
    upstream(mqtt::encode_connack({true, 0}));
    device(publish(kCreate, 1, 1));
    EXPECT_FALSE(session.answered({std::string(kAccepted), "{}"}).to_device.empty());
    device(mqtt::encode_unsubscribe({2, {std::string(kAccepted)}}));
    EXPECT_TRUE(session.answered({std::string(kAccepted), "{}"}).to_device.empty());
}

TEST(Properties, AreRefusedInTheWrongPlaceTwiceOrCutShort) {
    using mqtt::PropertyPlace;
    const struct {
        std::string_view bytes;
        PropertyPlace place;
        bool is_valid;
    } cases[] = {
        {raw("\x11\x00\x00\x00\x3C"), PropertyPlace::Connect, true},
        {raw("\x11\x00\x00\x00\x3C"), PropertyPlace::Publish, false},
        {raw("\x11\x00\x00\x00\x3C\x11\x00\x00\x00\x3C"), PropertyPlace::Connect, false},
        {raw("\x11\x00\x00\x3C"), PropertyPlace::Connect, false},
        {raw("\x21\x00\x00"), PropertyPlace::Connect, false},  // receive maximum 0
        {raw("\x0B\x00"), PropertyPlace::Subscribe, false},    // subscription identifier 0
        {raw("\x0B\x01\x0B\x02"), PropertyPlace::Publish, true},
        {raw("\x0B\x01\x0B\x02"), PropertyPlace::Subscribe, false},
        {raw("\x26\x00\x01k\x00\x01v\x26\x00\x01k\x00\x01v"), PropertyPlace::Will, true},
        {raw("\x01\x02"), PropertyPlace::Publish, false},  // payload format indicator 2
        {raw("\x7F\x00"), PropertyPlace::Connect, false},
        {raw("\x03\x00\x02\xC3\x28"), PropertyPlace::Publish, false},  // not UTF-8
    };
    for (const auto& one : cases) {
        SCOPED_TRACE(to_hex(bytes_of(one.bytes)));
        EXPECT_EQ(
            mqtt::check_properties(bytes_of(one.bytes), one.place, PacketType::Publish).has_value(),
            one.is_valid);
    }
}

}  // namespace
}  // namespace hatchery::gateway
