// HTTPS publish: who may, on what, and what reaches the broker.
#include "provisioning/flows/publish.h"

#include "provisioning/flows/trace.h"
#include "tests/provisioning/flows/fleet.h"

#include <gmock/gmock.h>

namespace hatchery::flows::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A variable that is unset takes its whole statement away, so each has one of its own.
constexpr std::string_view kAllowOpen = R"({"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"iot:Publish","Resource":[
        "arn:aws:iot:us-east-1:123456789012:topic/open/*",
        "arn:aws:iot:us-east-1:123456789012:topic/ip/${aws:SourceIp}"]},
    {"Effect":"Allow","Action":"iot:Publish",
        "Resource":"arn:aws:iot:us-east-1:123456789012:topic/id/${iot:ClientId}"},
    {"Effect":"Allow","Action":"iot:Publish",
        "Resource":"arn:aws:iot:us-east-1:123456789012:topic/thing/${iot:Connection.Thing.ThingName}"}]})";

/// A broker that remembers what it got, and answers as it is told.
struct Broker : Messages {
    void publish(Event event, Done done) override {
        got.push_back(event.topic + "=" + event.payload + " qos " + std::to_string(event.qos) +
                      (event.retain ? " retained" : ""));
        if (done) done(answer);
    }
    std::vector<std::string> got;
    Result<> answer;
};

struct PublishingFleet : Fleet {
    PublishingFleet() { service.messages = &broker; }
    std::string post(const ca::Certificate& certificate, Event message) {
        const auto done =
            publish_for_device(service, {certificate, "192.0.2.7", "", std::move(message)}, kNow);
        return done ? "OK" : std::string(to_string(done.error().code)) + " " + done.error().message;
    }
    Broker broker;
    Factory factory;
};

TEST(Publish, NeedsPublishAloneAndKnowsNoConnection) {
    PublishingFleet fleet;
    fleet.add_policy("open", std::string(kAllowOpen));
    const auto device = fleet.factory.device(tutorial_subject());
    fleet.add_active(device, "open");
    EXPECT_EQ(fleet.post(device, {"open/a", "1"}), "OK");
    EXPECT_EQ(fleet.post(device, {"ip/192.0.2.7", "2", false, 0}), "OK");
    EXPECT_THAT(fleet.broker.got, ElementsAre("open/a=1 qos 1", "ip/192.0.2.7=2 qos 0"));
    EXPECT_EQ(fleet.post(device, {"other", "x"}),
              "Forbidden iot:Publish on 'other' is not allowed");
    EXPECT_THAT(fleet.post(device, {"id/", "x"}), HasSubstr("Forbidden"));
    EXPECT_EQ(fleet.post(device, {"open/a", "x", true}),
              "Forbidden iot:RetainPublish on 'open/a' is not allowed");
    EXPECT_EQ(fleet.broker.got.size(), 2U);
}

TEST(Publish, LeavesThingVariablesUnset) {
    PublishingFleet fleet;
    fleet.set_up_tutorial();
    fleet.register_ca(fleet.factory.root(), "jitp-provisioning-template");
    const auto device = fleet.factory.device(tutorial_subject());
    const std::string name = device.serial_decimal();
    // The first connect of a device: it is registered, and its policy names the thing.
    EXPECT_THAT(fleet.post(device, {"AnyCompany/" + name + "/telemetry", "x"}),
                HasSubstr("Forbidden iot:Publish"));
    EXPECT_EQ(fleet.status(device.id()), "ACTIVE");
    EXPECT_EQ(fleet.thing_count(), 1U);
    EXPECT_TRUE(fleet.broker.got.empty());
}

TEST(Publish, AnnouncesADeviceThatWaitsToBeActivated) {
    PublishingFleet fleet;
    fleet.register_ca(fleet.factory.root(), "");
    const auto device = fleet.factory.device(tutorial_subject());
    EXPECT_THAT(fleet.post(device, {"open/a", "x"}), HasSubstr("PENDING_ACTIVATION"));
    ASSERT_EQ(fleet.broker.got.size(), 1U);
    EXPECT_THAT(fleet.broker.got[0], HasSubstr("$aws/events/certificates/registered/"));
}

TEST(Publish, RefusesTopicsAndPayloadsBeforeAnythingIsAsked) {
    PublishingFleet fleet;
    fleet.service.settings.max_payload_bytes = 4;
    const auto device = fleet.factory.device(tutorial_subject());
    const std::pair<Event, std::string> cases[] = {
        {{"", "x"}, "InvalidRequest expected a topic without wildcards"},
        {{"a/+", "x"}, "InvalidRequest expected a topic without wildcards"},
        {{"a/#", "x"}, "InvalidRequest expected a topic without wildcards"},
        {{"$aws/things/t/shadow/update", "x"}, "Forbidden topics that begin with $ are reserved"},
        {{"a\x01", "x"}, "InvalidRequest expected a topic in UTF-8 without control characters"},
        {{"a\xC2\x85", "x"}, "InvalidRequest expected a topic in UTF-8 without control characters"},
        {{"a\xC3(", "x"}, "InvalidRequest expected a topic in UTF-8 without control characters"},
        {{"1/2/3/4/5/6/7/8/9", "x"},
         "InvalidRequest expected a topic of at most 256 bytes and 8 levels"},
        {{std::string(257, 'a'), "x"},
         "InvalidRequest expected a topic of at most 256 bytes and 8 levels"},
        {{"a", "12345"}, "LimitExceeded expected a payload of at most 4 bytes, found 5"},
    };
    for (const auto& [message, expected] : cases)
        EXPECT_EQ(fleet.post(device, message), expected) << message.topic;
    EXPECT_EQ(fleet.status(device.id()), "unknown");
}

TEST(Publish, SaysWhatTheBrokerSays) {
    PublishingFleet fleet;
    fleet.broker.answer = fail(Code::Unavailable, "too many messages wait for the broker");
    EXPECT_FALSE(deliver(fleet.service, {"a", "x"}, "AKID"));
    fleet.service.messages = nullptr;
    const auto nobody = deliver(fleet.service, {"a", "x"}, "AKID");
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().message, "no broker");
}

}  // namespace
}  // namespace hatchery::flows::testing
