// Lifecycle events, through the real broker, and who may receive them.
#include "provisioning/gateway/lifecycle.h"

#include "provisioning/gateway/connect_watch.h"
#include "tests/provisioning/gateway/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace hatchery::gateway {
namespace {

using nlohmann::json;
using registry::CertificateStatus;

struct Told {
    std::string topic;
    json payload;
};

std::vector<Told> take_events(const Collector& collector, int count) {
    std::vector<Told> events;
    for (const auto& line : collector.take(count)) {
        const auto space = line.find(' ');
        events.push_back({line.substr(0, space), json::parse(line.substr(space + 1))});
    }
    EXPECT_EQ(events.size(), static_cast<std::size_t>(count));
    return events;
}

TEST(Lifecycle, TellsWhoConnectsAndHowTheConnectionEnds) {
    World world;
    const Collector collector(world, "$aws/events/presence/#");
    const Identity identity = world.make_device("sensor-1");
    {
        Device device(world.port(), identity);
        ASSERT_EQ(device.connect("sensor-1"), 0);
        device.send(mqtt::encode_disconnect());
        EXPECT_TRUE(device.is_closed_by_server());
    }
    const auto events = take_events(collector, 2);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].topic, "$aws/events/presence/connected/sensor-1");
    json connected = events[0].payload;
    EXPECT_GT(connected.at("timestamp").get<std::int64_t>(), 1'700'000'000'000);
    EXPECT_EQ(connected.at("sessionIdentifier").get<std::string>().size(), 36U);
    connected.erase("timestamp");
    connected.erase("sessionIdentifier");
    EXPECT_EQ(connected,
              json({{"clientId", "sensor-1"},
                    {"eventType", "connected"},
                    {"principalIdentifier", identity.id.hex()},
                    {"ipAddress", "127.0.0.1"},
                    {"versionNumber", 0}}));
    EXPECT_EQ(events[1].topic, "$aws/events/presence/disconnected/sensor-1");
    json disconnected = events[1].payload;
    EXPECT_EQ(disconnected.at("sessionIdentifier"), events[0].payload.at("sessionIdentifier"));
    disconnected.erase("timestamp");
    disconnected.erase("sessionIdentifier");
    EXPECT_EQ(disconnected,
              json({{"clientId", "sensor-1"},
                    {"eventType", "disconnected"},
                    {"principalIdentifier", identity.id.hex()},
                    {"clientInitiatedDisconnect", true},
                    {"disconnectReason", "CLIENT_INITIATED_DISCONNECT"},
                    {"versionNumber", 0}}));
}

TEST(Lifecycle, NamesTheReasonOfEachEnd) {
    World world;
    const Collector collector(world, "$aws/events/presence/disconnected/#");
    const auto connected = [&](const std::string& name, std::uint16_t keep_alive = 60) {
        auto device = std::make_unique<Device>(world.port(), world.make_device(name));
        EXPECT_EQ(device->connect(name, keep_alive), 0) << name;
        return device;
    };
    connected("lost")->drop();
    const auto broken = connected("broken");
    broken->send({0xF0, 0x00});  // AUTH, which 3.1.1 does not know
    const auto denied = connected("denied");
    mqtt::Publish publish;
    publish.topic = "not/allowed";
    denied->send(mqtt::encode_publish(publish));
    const Identity withdrawn = world.make_device("withdrawn");
    Device deactivated(world.port(), withdrawn);
    ASSERT_EQ(deactivated.connect("withdrawn"), 0);
    world.set_status(withdrawn, CertificateStatus::Inactive);
    const auto silent = connected("silent", 1);
    const Identity twin = world.make_device("twin");
    Device older(world.port(), twin);
    ASSERT_EQ(older.connect("twin"), 0);
    Device newer(world.port(), twin);
    ASSERT_EQ(newer.connect("twin"), 0);
    EXPECT_TRUE(older.is_closed_by_server());
    EXPECT_TRUE(silent->is_closed_by_server());
    EXPECT_TRUE(deactivated.is_closed_by_server());
    std::map<std::string, std::string> reasons;
    for (const auto& event : take_events(collector, 6)) {
        reasons.emplace(event.payload.at("clientId"), event.payload.at("disconnectReason"));
        EXPECT_EQ(event.payload.at("clientInitiatedDisconnect"), false);
    }
    const std::map<std::string, std::string> expected{{"lost", "CONNECTION_LOST"},
                                                      {"broken", "CLIENT_ERROR"},
                                                      {"denied", "FORBIDDEN_ACCESS"},
                                                      {"withdrawn", "FORBIDDEN_ACCESS"},
                                                      {"silent", "MQTT_KEEP_ALIVE_TIMEOUT"},
                                                      {"twin", "DUPLICATE_CLIENTID"}};
    EXPECT_EQ(reasons, expected);

    world.stop_gateway();
    const auto last = take_events(collector, 1);
    ASSERT_EQ(last.size(), 1U);
    EXPECT_EQ(last[0].payload.at("clientId"), "twin");
    EXPECT_EQ(last[0].payload.at("disconnectReason"), "SERVER_INITIATED_DISCONNECT");
    EXPECT_EQ(last[0].payload.at("versionNumber"), 1);
}

TEST(Lifecycle, HasAWordOfAwsForEveryCause) {
    const std::set<std::string_view> words{"CLIENT_INITIATED_DISCONNECT",
                                           "CONNECTION_LOST",
                                           "CLIENT_ERROR",
                                           "AUTH_ERROR",
                                           "FORBIDDEN_ACCESS",
                                           "MQTT_KEEP_ALIVE_TIMEOUT",
                                           "DUPLICATE_CLIENTID",
                                           "SERVER_INITIATED_DISCONNECT",
                                           "SERVER_ERROR"};
    std::set<std::string_view> used;
    for (int cause = 0; cause <= static_cast<int>(CloseCause::Limit); ++cause) {
        used.insert(disconnect_reason(static_cast<CloseCause>(cause)));
    }
    EXPECT_EQ(used, words);
}

TEST(Lifecycle, TellsOfRefusedConnectsOfKnownCertificatesOnly) {
    World world;
    const Identity identity = world.make_device("sensor-1");
    Device first(world.port(), identity);
    ASSERT_EQ(first.connect("sensor-1"), 0);
    const Collector collector(world, "$aws/events/presence/connect_failed/#");
    Device stranger(world.port(), world.make_v1_device("stranger", 2048, false));
    EXPECT_EQ(stranger.connect("stranger"), -1);
    Device wrong(world.port(), identity);
    EXPECT_EQ(wrong.connect("somebody-else"), -1);
    const auto events = take_events(collector, 1);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].topic, "$aws/events/presence/connect_failed/somebody-else");
    EXPECT_EQ(events[0].payload.at("eventType"), "connect_failed");
    EXPECT_EQ(events[0].payload.at("connectFailureReason"), "AUTHORIZATION_FAILED");
    EXPECT_EQ(events[0].payload.at("principalIdentifier"), identity.id.hex());
}

TEST(Lifecycle, TellsOfSubscriptions) {
    World world;
    const Collector collector(world, "$aws/events/subscriptions/#");
    Device device(world.port(), world.make_device("sensor-1"));
    ASSERT_EQ(device.connect("sensor-1"), 0);
    device.send(mqtt::encode_subscribe({1, {{"telemetry/sensor-1", 1}, {"telemetry/+", 0}}}));
    device.send(mqtt::encode_unsubscribe({2, {"telemetry/+"}, {}}));
    const auto events = take_events(collector, 2);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].topic, "$aws/events/subscriptions/subscribed/sensor-1");
    EXPECT_EQ(events[0].payload.at("topics"), json({"telemetry/sensor-1", "telemetry/+"}));
    EXPECT_EQ(events[1].topic, "$aws/events/subscriptions/unsubscribed/sensor-1");
    EXPECT_EQ(events[1].payload.at("topics"), json({"telemetry/+"}));
}

TEST(Lifecycle, ReachesDevicesWhosePolicyAllowsIt) {
    World world;
    Device watcher(world.port(), world.make_device("watcher"));
    ASSERT_EQ(watcher.connect("watcher"), 0);
    world.change_device_policy(R"({"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
        {"Effect":"Allow","Action":"iot:Subscribe","Resource":
            "arn:aws:iot:us-east-1:123456789012:topicfilter/$aws/events/presence/*"},
        {"Effect":"Allow","Action":"iot:Receive","Resource":
            "arn:aws:iot:us-east-1:123456789012:topic/$aws/events/presence/connected/*"}]})");
    watcher.send(mqtt::encode_subscribe({1, {{"$aws/events/presence/+/+", 0}}}));
    const auto suback = watcher.receive();
    ASSERT_TRUE(suback);
    EXPECT_EQ(suback->type, mqtt::PacketType::Suback);
    {
        Device other(world.port(), world.make_device("one"));
        ASSERT_EQ(other.connect("one"), 0);
    }
    Device last(world.port(), world.make_device("two"));
    ASSERT_EQ(last.connect("two"), 0);
    // The watcher's own connect may have been told before it subscribed, or after that.
    const std::string connected = "$aws/events/presence/connected/";
    std::vector<std::string> topics;
    while (topics.empty() || topics.back() != connected + "two") {
        const auto received = watcher.receive();
        ASSERT_TRUE(received);
        const mqtt::Packet packet{received->type, received->flags, received->bytes, received->body};
        topics.emplace_back(mqtt::parse_publish(packet)->topic);
    }
    std::erase(topics, connected + "watcher");
    // and not that `one` is gone
    EXPECT_EQ(topics, (std::vector{connected + "one", connected + "two"}));
}

TEST(Lifecycle, CountsVersionsUpAndForgetsThemAfterAnHour) {
    struct Nowhere : flows::Messages {
        void publish(flows::Event, Done) override {}
    } nowhere;
    ConnectWatch watch;
    Lifecycle lifecycle(nowhere, watch);
    const Lifecycle::Instant start{};
    const auto come_and_go = [&](Lifecycle::Instant at) {
        Visitor visitor{"c", {}, "", ""};
        lifecycle.opens(visitor, at);
        lifecycle.left(visitor, at);
        return visitor.version;
    };
    EXPECT_EQ(come_and_go(start), 0U);
    EXPECT_EQ(come_and_go(start + std::chrono::minutes(59)), 1U);
    EXPECT_EQ(come_and_go(start + std::chrono::minutes(120)), 0U);
    Visitor older{"c", {}, "", ""};
    Visitor newer{"c", {}, "", ""};
    lifecycle.opens(older, start);
    EXPECT_TRUE(lifecycle.is_latest(older));
    lifecycle.opens(newer, start);
    EXPECT_FALSE(lifecycle.is_latest(older));
    EXPECT_TRUE(lifecycle.is_latest(newer));
}

}  // namespace
}  // namespace hatchery::gateway
