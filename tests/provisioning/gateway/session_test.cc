#include "tests/provisioning/gateway/session_fixture.h"

#include <gmock/gmock.h>

namespace hatchery::gateway {
namespace {

TEST_F(SessionTest, AdmitsBeforeAnythingReachesTheBroker) {
    mqtt::Connect connect = connect_packet();
    connect.clean_session = false;
    connect.will = mqtt::Will{"state", to_bytes(bytes_of("gone")), 1, true};
    Actions asks = device(mqtt::encode_connect(connect) + publish("t", 0, 0));
    EXPECT_TRUE(asks.admit);
    EXPECT_TRUE(asks.to_upstream.empty());
    EXPECT_FALSE(session.reads_device());
    Actions goes_on = admit();
    EXPECT_TRUE(goes_on.open_upstream);
    EXPECT_EQ(goes_on.to_upstream, mqtt::encode_connect(connect));
    EXPECT_TRUE(asked.empty());
    Actions accepted = upstream(mqtt::encode_connack({true, 0}));
    EXPECT_EQ(accepted.to_device, mqtt::encode_connack({true, 0}));
    EXPECT_EQ(accepted.to_upstream, publish("t", 0, 0));  // what came with CONNECT
    EXPECT_TRUE(session.reads_device());
}

TEST_F(SessionTest, ReplacesAKeepAliveOfZeroByTheDefault) {
    mqtt::Connect connect = connect_packet();
    connect.keep_alive = 0;
    EXPECT_TRUE(device(mqtt::encode_connect(connect)).admit);
    connect.keep_alive = 1200;
    EXPECT_EQ(admit().to_upstream, mqtt::encode_connect(connect));
}

TEST_F(SessionTest, IgnoresAUserNameWithoutPassword) {
    const Bytes sdk =
        to_bytes(bytes_of(raw("\x10\x13\x00\x04MQTT\x04\x82\x00\x3C\x00\x01"
                              "a\x00\x04?SDK")));
    EXPECT_TRUE(device(sdk).admit);
    EXPECT_EQ(session.connect().user_name, "?SDK");
}

TEST_F(SessionTest, RefusesAnotherFirstPacket) {
    expect_closed(device(mqtt::encode_pingreq()),
                  CloseCause::Malformed,
                  "the first packet is PINGREQ, not CONNECT");
}

TEST_F(SessionTest, RefusesASecondConnect) {
    open();
    expect_closed(device(mqtt::encode_connect(connect_packet())),
                  CloseCause::Malformed,
                  "unexpected CONNECT");
}

TEST_F(SessionTest, AnswersMqtt31WithReturnCode1) {
    Actions actions =
        device(raw("\x10\x0F\x00\x06MQIsdp\x03\x02\x00\x3C\x00\x01"
                   "a"));
    EXPECT_EQ(actions.to_device, mqtt::encode_connack({false, 1}));
    expect_closed(actions, CloseCause::Unsupported, "protocol MQIsdp level 3");
}

TEST_F(SessionTest, RefusesAnEmptyClientIdentifier) {
    mqtt::Connect connect = connect_packet();
    connect.client_id = "";
    Actions actions = device(mqtt::encode_connect(connect));
    EXPECT_EQ(actions.to_device, mqtt::encode_connack({false, 2}));
    expect_closed(
        actions, CloseCause::Unsupported, "client identifier of 0 bytes, expected 1 to 128");
}

TEST_F(SessionTest, RefusesALongClientIdentifier) {
    mqtt::Connect connect = connect_packet();
    connect.client_id = std::string(129, 'c');
    expect_closed(device(mqtt::encode_connect(connect)),
                  CloseCause::Unsupported,
                  "client identifier of 129 bytes, expected 1 to 128");
}

TEST_F(SessionTest, RefusesAWillOnAReservedTopic) {
    mqtt::Connect connect = connect_packet();
    connect.will = mqtt::Will{"$aws/events/x", {}, 0, false};
    expect_closed(device(mqtt::encode_connect(connect)),
                  CloseCause::Denied,
                  "will on reserved topic '$aws/events/x'");
}

TEST_F(SessionTest, TellsWhatTheDevicePublishesIfAsked) {
    open();
    denied = {"iot:Publish secret"};
    EXPECT_TRUE(device(publish("a/b", 1, 1)).published.empty());
    session.report_publishes(true);
    const Actions actions = device(publish("a/b", 1, 2) + publish("c", 0, 0) +
                                   publish(kCreate, 0, 0) + publish("secret", 0, 0));
    ASSERT_EQ(actions.published.size(), 2U);
    EXPECT_EQ(actions.published[0].topic, "a/b");
    EXPECT_EQ(text_of(actions.published[0].payload), "data");
    EXPECT_TRUE(actions.published[0].is_acknowledged);
    EXPECT_EQ(actions.published[1].topic, "c");
    EXPECT_FALSE(actions.published[1].is_acknowledged);
    EXPECT_EQ(actions.to_upstream, publish("a/b", 1, 2) + publish("c", 0, 0));
}

TEST_F(SessionTest, PassesWhatThePolicyAllows) {
    open();
    const Bytes packets = publish("a/b", 1, 7) + publish("a/c", 0, 0, true);
    Actions actions = device(packets);
    EXPECT_EQ(actions.to_upstream, packets);
    EXPECT_TRUE(actions.to_device.empty());
    EXPECT_THAT(
        asked,
        ::testing::ElementsAre("iot:Publish a/b", "iot:Publish a/c", "iot:RetainPublish a/c"));
    Actions acknowledged = upstream(mqtt::encode_puback(7));
    EXPECT_EQ(acknowledged.to_device, mqtt::encode_puback(7));
}

struct Refusal {
    std::string_view what;
    Bytes packet;
    std::string_view denied;
    CloseCause cause;
    std::string_view detail;
};

class SessionRefusals : public SessionTest {};

TEST_F(SessionRefusals, DropTheConnectionWithoutAnAnswer) {
    const Refusal cases[] = {
        {"publish", publish("x", 1, 1), "iot:Publish x", CloseCause::Denied, "iot:Publish on 'x'"},
        {"retain",
         publish("x", 0, 0, true),
         "iot:RetainPublish x",
         CloseCause::Denied,
         "iot:RetainPublish on 'x'"},
        {"request",
         publish(kCreate, 1, 1),
         "iot:Publish $aws/certificates/create/json",
         CloseCause::Denied,
         "iot:Publish on '$aws/certificates/create/json'"},
        {"one filter of two",
         mqtt::encode_subscribe({1, {{"a", 0}, {"b/#", 0}}}),
         "iot:Subscribe b/#",
         CloseCause::Denied,
         "iot:Subscribe on 'b/#'"},
        {"local filter",
         mqtt::encode_subscribe({1, {{std::string(kAccepted), 1}}}),
         "iot:Subscribe $aws/certificates/create/json/accepted",
         CloseCause::Denied,
         "iot:Subscribe on '$aws/certificates/create/json/accepted'"},
        {"an answer's topic",
         publish(kAccepted, 0, 0),
         "",
         CloseCause::Denied,
         "PUBLISH to reserved topic '$aws/certificates/create/json/accepted'"},
        {"an event",
         publish("$aws/events/certificates/registered/x", 0, 0),
         "",
         CloseCause::Denied,
         "PUBLISH to reserved topic '$aws/events/certificates/registered/x'"},
        {"$SYS",
         publish("$SYS/broker/uptime", 0, 0),
         "",
         CloseCause::Denied,
         "PUBLISH to reserved topic '$SYS/broker/uptime'"},
        {"QoS 2", publish("x", 2, 1), "", CloseCause::Unsupported, "PUBLISH with QoS 2 on 'x'"},
        {"PUBREL",
         to_bytes(bytes_of(raw("\x62\x02\x00\x01"))),
         "",
         CloseCause::Malformed,
         "unexpected PUBREL"},
        {"CONNACK", mqtt::encode_connack({}), "", CloseCause::Malformed, "unexpected CONNACK"},
        {"256 MB",
         to_bytes(bytes_of(raw("\x30\xFF\xFF\xFF\x7F"))),
         "",
         CloseCause::TooLarge,
         "PUBLISH of 268435460 bytes is over the limit of 262144"},
        {"wildcard topic",
         to_bytes(bytes_of(raw("\x30\x05\x00\x03"
                               "a/+"))),
         "",
         CloseCause::Malformed,
         "malformed PUBLISH: topic name"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.what);
        session = Session(Session::Limits{}, now);
        denied.clear();
        open();
        denied.insert(std::string(c.denied));
        Actions actions = device(c.packet + publish("after", 0, 0));
        expect_closed(actions, c.cause, c.detail);
        EXPECT_TRUE(actions.to_device.empty());
        EXPECT_TRUE(actions.to_upstream.empty());
        EXPECT_TRUE(actions.requests.empty());
        EXPECT_TRUE(device(publish("later", 0, 0)).to_upstream.empty());
    }
}

TEST_F(SessionTest, AnswersARequestItselfToASubscriber) {
    open();
    Actions subscribed = device(mqtt::encode_subscribe({3, {{std::string(kAccepted), 1}}}));
    EXPECT_EQ(subscribed.to_device, mqtt::encode_suback({3, {1}}));
    EXPECT_TRUE(subscribed.to_upstream.empty());
    Actions requested = device(publish(kCreate, 1, 4));
    EXPECT_EQ(requested.to_device, mqtt::encode_puback(4));
    EXPECT_TRUE(requested.to_upstream.empty());
    ASSERT_EQ(requested.requests.size(), 1U);
    EXPECT_EQ(requested.requests[0].topic, kCreate);
    EXPECT_EQ(text_of(requested.requests[0].payload), "data");

    Actions answered = session.answered({std::string(kAccepted), "{}"});
    mqtt::Publish expected;
    expected.topic = kAccepted;
    expected.qos = 1;
    expected.packet_id = 0xFFFF;
    expected.payload = bytes_of("{}");
    EXPECT_EQ(answered.to_device, mqtt::encode_publish(expected));
    EXPECT_TRUE(answered.to_upstream.empty());
    Actions acknowledged = device(mqtt::encode_puback(0xFFFF));
    EXPECT_TRUE(acknowledged.to_upstream.empty());  // the broker knows nothing of it
    EXPECT_TRUE(device(mqtt::encode_puback(0xFFFF)).to_upstream == mqtt::encode_puback(0xFFFF));
}

TEST_F(SessionTest, AnswersWithTheHighestQosOfTheSubscriptions) {
    open();
    device(mqtt::encode_subscribe({1, {{"$aws/certificates/#", 0}}}));
    Actions at_qos_0 = session.answered({std::string(kAccepted), "{}"});
    EXPECT_EQ(at_qos_0.to_device[0], 0x30);
    device(mqtt::encode_subscribe({2, {{std::string(kAccepted), 2}}}));
    Actions at_qos_1 = session.answered({std::string(kAccepted), "{}"});
    EXPECT_EQ(at_qos_1.to_device[0], 0x32);
}

TEST_F(SessionTest, AnswersARequestThatAsksForRetentionWithoutRetaining) {
    open();
    Actions requested = device(publish(kCreate, 0, 0, true));
    EXPECT_EQ(requested.requests.size(), 1U);
    EXPECT_TRUE(requested.to_upstream.empty());
    EXPECT_TRUE(requested.to_device.empty());
}

TEST_F(SessionTest, KeepsAnAnswerFromADeviceWithoutSubscription) {
    open();
    device(mqtt::encode_subscribe({1, {{"#", 1}, {"+/certificates/create/json/accepted", 1}}}));
    Actions answered = session.answered({std::string(kAccepted), "{}"});
    EXPECT_TRUE(answered.to_device.empty());
    EXPECT_EQ(answered.note,
              "reply on '$aws/certificates/create/json/accepted' dropped: no subscription");
    EXPECT_FALSE(answered.close);
}

TEST_F(SessionTest, AnswersAboutJobsWhoeverAsked) {
    constexpr std::string_view kGet = "$aws/things/t/jobs/get";
    open();
    Actions requested = device(publish(kGet, 1, 4));
    EXPECT_EQ(requested.to_device, mqtt::encode_puback(4));
    EXPECT_TRUE(requested.to_upstream.empty());
    ASSERT_EQ(requested.requests.size(), 1U);
    EXPECT_EQ(requested.requests[0].topic, kGet);

    denied.insert("iot:Receive $aws/things/t/jobs/get/accepted");
    mqtt::Publish expected;
    expected.topic = "$aws/things/t/jobs/get/accepted";
    expected.payload = bytes_of("{}");
    const flows::TopicReply reply{std::string(expected.topic), "{}"};
    EXPECT_EQ(session.answered(reply).to_device, mqtt::encode_publish(expected));
    device(mqtt::encode_subscribe({1, {{"$aws/things/t/jobs/+/accepted", 1}}}));
    expected.qos = 1;
    expected.packet_id = 0xFFFF;
    EXPECT_EQ(session.answered(reply).to_device, mqtt::encode_publish(expected));
}

TEST_F(SessionTest, RefusesAJobsTopicThatThePolicyDenies) {
    open();
    denied.insert("iot:Publish $aws/things/other/jobs/get");
    Actions actions = device(publish("$aws/things/other/jobs/get", 0, 0));
    expect_closed(actions, CloseCause::Denied, "iot:Publish on '$aws/things/other/jobs/get'");
    EXPECT_TRUE(actions.requests.empty());
}

TEST_F(SessionTest, KeepsAnAnswerFromADeviceThatMayNotReceiveIt) {
    open();
    device(mqtt::encode_subscribe({1, {{std::string(kAccepted), 1}}}));
    denied.insert("iot:Receive " + std::string(kAccepted));
    Actions answered = session.answered({std::string(kAccepted), "{}"});
    EXPECT_TRUE(answered.to_device.empty());
    EXPECT_EQ(
        answered.note,
        "reply on '$aws/certificates/create/json/accepted' dropped: iot:Receive is not allowed");
}

TEST_F(SessionTest, KeepsAnAnswerAfterUnsubscribing) {
    open();
    device(mqtt::encode_subscribe({1, {{std::string(kAccepted), 1}}}));
    Actions unsubscribed = device(mqtt::encode_unsubscribe({2, {std::string(kAccepted)}}));
    EXPECT_EQ(unsubscribed.to_device, mqtt::encode_unsuback(2));
    EXPECT_TRUE(unsubscribed.to_upstream.empty());
    EXPECT_TRUE(session.answered({std::string(kAccepted), "{}"}).to_device.empty());
}

TEST_F(SessionTest, AnswersARequestThatCameBeforeItsSuback) {
    open();
    Actions both =
        device(mqtt::encode_subscribe({3, {{std::string(kAccepted), 1}}}) + publish(kCreate, 1, 4));
    EXPECT_EQ(both.to_device, mqtt::encode_suback({3, {1}}) + mqtt::encode_puback(4));
    ASSERT_EQ(both.requests.size(), 1U);
    EXPECT_FALSE(session.answered({std::string(kAccepted), "{}"}).to_device.empty());
}

TEST_F(SessionTest, AnswersADeviceWhoseSessionWentOnWithoutASubscription) {
    mqtt::Connect connect = connect_packet();
    connect.clean_session = false;
    ASSERT_TRUE(device(mqtt::encode_connect(connect)).admit);
    ASSERT_TRUE(admit().open_upstream);
    upstream(mqtt::encode_connack({.session_present = true}));
    device(publish(kCreate, 1, 4));
    EXPECT_FALSE(session.answered({std::string(kAccepted), "{}"}).to_device.empty());
    // It says itself that it has no subscription any more.
    device(mqtt::encode_unsubscribe({5, {std::string(kAccepted)}}));
    EXPECT_TRUE(session.answered({std::string(kAccepted), "{}"}).to_device.empty());
}

TEST_F(SessionTest, TellsWhatWasSubscribedAndThatItIsOpen) {
    ASSERT_TRUE(device(mqtt::encode_connect(connect_packet())).admit);
    admit();
    EXPECT_TRUE(upstream(mqtt::encode_connack({})).is_open);
    denied.insert("iot:Subscribe x");
    EXPECT_EQ(
        device(mqtt::encode_subscribe({1, {{"a", 0}, {std::string(kAccepted), 0}}})).subscribed,
        (std::vector<std::string>{"a", std::string(kAccepted)}));
    EXPECT_EQ(device(mqtt::encode_unsubscribe({2, {"a"}})).unsubscribed,
              std::vector<std::string>{"a"});
}

TEST_F(SessionTest, CountsTheLimitsThatItMeets) {
    Session::Limits limits;
    limits.max_inflight = 2;
    limits.max_subscriptions = 1;
    session = Session(limits, now);
    open();
    EXPECT_EQ(device(publish("a", 1, 1)).limits_met.inflight, 0U);
    EXPECT_EQ(device(publish("a", 1, 2)).limits_met.inflight, 1U);
    EXPECT_FALSE(session.reads_device());
    upstream(mqtt::encode_puback(1));
    EXPECT_TRUE(session.reads_device());
    const Actions subscribed =
        device(mqtt::encode_subscribe({3, {{"a", 0}, {"b", 0}, {"1/2/3/4/5/6/7/8/9", 0}}}));
    EXPECT_EQ(subscribed.limits_met.subscriptions, 1U);
    EXPECT_EQ(subscribed.limits_met.topics, 1U);
    EXPECT_EQ(device(publish("1/2/3/4/5/6/7/8/9", 0, 0)).limits_met.topics, 1U);
}

TEST_F(SessionTest, SendsOnlyOrdinaryFiltersUpstreamAndComposesSuback) {
    open();
    Actions subscribed = device(mqtt::encode_subscribe(
        {9, {{"a", 2}, {std::string(kAccepted), 1}, {"b", 0}, {"$aws/certificates/x", 0}}}));
    EXPECT_EQ(subscribed.to_upstream, mqtt::encode_subscribe({9, {{"a", 1}, {"b", 0}}}));
    EXPECT_TRUE(subscribed.to_device.empty());
    Actions granted = upstream(mqtt::encode_suback({9, {1, 0x80}}));
    EXPECT_EQ(granted.to_device, mqtt::encode_suback({9, {1, 1, 0x80, 0}}));
    Actions unsubscribed = device(mqtt::encode_unsubscribe({10, {std::string(kAccepted), "a"}}));
    EXPECT_EQ(unsubscribed.to_upstream, mqtt::encode_unsubscribe({10, {"a"}}));
    EXPECT_EQ(upstream(mqtt::encode_unsuback(10)).to_device, mqtt::encode_unsuback(10));
}

TEST_F(SessionTest, PassesSubackOfOrdinaryFiltersAsItIs) {
    open();
    const Bytes subscribe = mqtt::encode_subscribe({9, {{"a", 1}, {"$aws/things/t/#", 0}}});
    EXPECT_EQ(device(subscribe).to_upstream, subscribe);
    EXPECT_EQ(upstream(mqtt::encode_suback({9, {1, 0}})).to_device,
              mqtt::encode_suback({9, {1, 0}}));
}

TEST_F(SessionTest, BoundsLocalSubscriptions) {
    open();
    for (std::uint16_t i = 1; i <= 51; ++i) {
        Actions subscribed =
            device(mqtt::encode_subscribe({i, {{"$aws/certificates/" + std::to_string(i), 1}}}));
        const std::uint8_t expected = i <= 50 ? 1 : 0x80;
        EXPECT_EQ(subscribed.to_device, mqtt::encode_suback({i, {expected}}));
    }
}

TEST_F(SessionTest, DeliversOnlyWhatThePolicyLetsTheDeviceReceive) {
    open();
    denied.insert("iot:Receive secret");
    Actions actions =
        upstream(publish("open", 0, 0) + publish("secret", 0, 0) + publish("secret", 1, 5));
    EXPECT_EQ(actions.to_device, publish("open", 0, 0));
    EXPECT_EQ(actions.to_upstream, mqtt::encode_puback(5));  // or the broker keeps it for ever
    EXPECT_FALSE(actions.close);
}

TEST_F(SessionTest, TakesPacketIdentifiersThatTheBrokerDoesNotUse) {
    open();
    device(mqtt::encode_subscribe({1, {{std::string(kAccepted), 1}}}));
    upstream(publish("t", 1, 0xFFFF) + publish("t", 1, 0xFFFD));
    const flows::TopicReply reply{std::string(kAccepted), ""};
    const auto id_of = [](const Bytes& packet) {
        const std::size_t at = 4 + kAccepted.size();
        return packet.at(at) << 8 | packet.at(at + 1);
    };
    EXPECT_EQ(id_of(session.answered(reply).to_device), 0xFFFE);
    EXPECT_EQ(id_of(session.answered(reply).to_device), 0xFFFC);
    EXPECT_EQ(device(mqtt::encode_puback(0xFFFF)).to_upstream, mqtt::encode_puback(0xFFFF));
    EXPECT_EQ(id_of(session.answered(reply).to_device), 0xFFFF);
    // the broker comes to an id of ours: acknowledgements arrive in the order of delivery
    upstream(publish("t", 1, 0xFFFE));
    EXPECT_TRUE(device(mqtt::encode_puback(0xFFFE)).to_upstream.empty());
    EXPECT_EQ(device(mqtt::encode_puback(0xFFFE)).to_upstream, mqtt::encode_puback(0xFFFE));
}

TEST_F(SessionTest, AnswersWithQos0WhenNoIdentifierIsFree) {
    open();
    device(mqtt::encode_subscribe({1, {{std::string(kAccepted), 1}}}));
    const flows::TopicReply reply{std::string(kAccepted), ""};
    for (int i = 0; i < 256; ++i)
        EXPECT_EQ(session.answered(reply).to_device[0], 0x32);
    EXPECT_EQ(session.answered(reply).to_device[0], 0x30);
}

TEST_F(SessionTest, EndsASilentDeviceAfterOneAndAHalfKeepAlives) {
    open();
    now += seconds(89);
    EXPECT_FALSE(session.tick(now).close);
    now += seconds(2);
    expect_closed(session.tick(now), CloseCause::KeepAlive, "silent for more than 1.5 times 60 s");
}

TEST_F(SessionTest, CountsAShortKeepAliveItselfAndGivesTheBrokerTime) {
    mqtt::Connect connect = connect_packet();
    connect.keep_alive = 1;
    EXPECT_TRUE(device(mqtt::encode_connect(connect)).admit);
    connect.keep_alive = 60;
    EXPECT_EQ(admit().to_upstream, mqtt::encode_connect(connect));
    upstream(mqtt::encode_connack({}));
    now += seconds(1);
    EXPECT_TRUE(session.tick(now).to_upstream.empty());
    now += seconds(1);
    expect_closed(session.tick(now), CloseCause::KeepAlive, "silent for more than 1.5 times 1 s");
}

TEST_F(SessionTest, CountsAnyPacketAsASignOfLife) {
    open();
    now += seconds(89);
    EXPECT_EQ(device(mqtt::encode_pingreq()).to_upstream, mqtt::encode_pingreq());
    now += seconds(89);
    EXPECT_FALSE(session.tick(now).close);
}

TEST_F(SessionTest, DoesNotBlameADeviceThatNobodyReads) {
    open();
    now += seconds(80);
    session.hold_keep_alive(now);
    now += seconds(80);
    EXPECT_FALSE(session.tick(now).close);
}

TEST_F(SessionTest, KeepsTheBrokersSideAliveItself) {
    open();
    now += seconds(59);
    EXPECT_TRUE(session.tick(now).to_upstream.empty());
    device(publish(kCreate, 0, 0));  // a sign of life that the broker does not see
    now += seconds(1);
    EXPECT_EQ(session.tick(now).to_upstream, mqtt::encode_pingreq());
    const Bytes pong = to_bytes(bytes_of(raw("\xD0\x00")));
    EXPECT_TRUE(upstream(pong).to_device.empty());
    device(mqtt::encode_pingreq());
    EXPECT_EQ(upstream(pong).to_device, pong);
}

TEST_F(SessionTest, PassesDisconnectSoThatTheWillIsNotSent) {
    open();
    Actions actions = device(mqtt::encode_disconnect());
    EXPECT_EQ(actions.to_upstream, mqtt::encode_disconnect());
    expect_closed(actions, CloseCause::Disconnected, "");
}

TEST_F(SessionTest, SaysThatAPacketWasCutInHalf) {
    open();
    const Bytes whole = publish("a/b", 1, 1);
    device(Bytes(whole.begin(), whole.begin() + 6));
    expect_closed(session.device_closed(),
                  CloseCause::Malformed,
                  "the connection ended inside a packet, 6 bytes of it had come");
}

class SessionAlone : public SessionTest {
  protected:
    void SetUp() override {
        ASSERT_TRUE(device(mqtt::encode_connect(connect_packet())).admit);
        const Actions begun = session.admitted_alone([](Action, std::string_view) { return true; });
        EXPECT_EQ(begun.to_device, mqtt::encode_connack({}));
        EXPECT_FALSE(begun.open_upstream);
    }
};

TEST_F(SessionAlone, ProvisionsWithoutABroker) {
    EXPECT_EQ(device(mqtt::encode_subscribe({3, {{std::string(kAccepted), 1}}})).to_device,
              mqtt::encode_suback({3, {1}}));
    const Actions requested = device(publish(kCreate, 1, 4));
    EXPECT_EQ(requested.to_device, mqtt::encode_puback(4));
    EXPECT_EQ(requested.requests.size(), 1U);
    EXPECT_FALSE(session.answered({std::string(kAccepted), "{}"}).to_device.empty());
    EXPECT_EQ(device(mqtt::encode_pingreq()).to_device, to_bytes(bytes_of(raw("\xD0\x00"))));
    now += seconds(89);
    const Actions quiet = session.tick(now);
    EXPECT_TRUE(quiet.to_upstream.empty());
    EXPECT_FALSE(quiet.close);
    const Actions left = device(mqtt::encode_disconnect());
    EXPECT_TRUE(left.to_upstream.empty());
    expect_closed(left, CloseCause::Disconnected, "");
}

TEST_F(SessionAlone, EndsWithAMessageForTheBroker) {
    const Actions actions = device(publish("a/b", 1, 1));
    EXPECT_TRUE(actions.to_upstream.empty());
    EXPECT_TRUE(actions.to_device.empty());
    expect_closed(
        actions, CloseCause::UpstreamLost, "PUBLISH to 'a/b' while the broker cannot be reached");
}

TEST_F(SessionAlone, EndsWithASubscriptionOfTheBroker) {
    expect_closed(device(mqtt::encode_subscribe({3, {{std::string(kAccepted), 1}, {"a/#", 1}}})),
                  CloseCause::UpstreamLost,
                  "SUBSCRIBE to 'a/#' while the broker cannot be reached");
}

TEST_F(SessionTest, EndsWithTheBroker) {
    open();
    expect_closed(session.upstream_closed("the broker closed the connection"),
                  CloseCause::UpstreamLost,
                  "the broker closed the connection");
}

TEST_F(SessionTest, PassesTheBrokersRefusal) {
    device(mqtt::encode_connect(connect_packet()));
    admit();
    Actions actions = upstream(mqtt::encode_connack({false, 3}));
    EXPECT_EQ(actions.to_device, mqtt::encode_connack({false, 3}));
    expect_closed(actions, CloseCause::UpstreamRefused, "CONNACK with return code 3");
}

TEST_F(SessionTest, EndsWhenTheBrokerBreaksTheProtocol) {
    const std::pair<Bytes, std::string_view> cases[] = {
        {mqtt::encode_connack({}), "unexpected CONNACK"},
        {publish("t", 2, 1), "delivery with QoS 2"},
        {to_bytes(bytes_of(raw("\xF0\x00"))), "malformed packet: reserved type 15"},
        {to_bytes(bytes_of(raw("\x30\xFF\xFF\xFF\x7F"))),
         "PUBLISH of 268435460 bytes is over the limit of 16777216"},
    };
    for (const auto& [bytes, detail] : cases) {
        session = Session(Session::Limits{}, now);
        open();
        expect_closed(upstream(bytes),
                      CloseCause::UpstreamLost,
                      "the broker broke the protocol: " + std::string(detail));
    }
}

TEST_F(SessionTest, SaysNothingAfterItsEnd) {
    open();
    device(mqtt::encode_disconnect());
    EXPECT_FALSE(session.device_closed().close);
    EXPECT_FALSE(session.upstream_closed("gone").close);
    EXPECT_TRUE(upstream(publish("t", 0, 0)).to_device.empty());
    EXPECT_TRUE(session.answered({std::string(kAccepted), "{}"}).to_device.empty());
    now += std::chrono::hours(1);
    EXPECT_FALSE(session.tick(now).close);
}

}  // namespace
}  // namespace hatchery::gateway
