#include "provisioning/gateway/mqtt.h"

#include "ca/base/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hatchery::gateway::mqtt {
namespace {

using ::testing::ElementsAre;

/// Joins the fields of a packet, so that a test can write one a line.
Bytes packet(std::initializer_list<std::string_view> fields) {
    Bytes bytes;
    for (const auto field : fields) {
        const auto view = bytes_of(field);
        bytes.insert(bytes.end(), view.begin(), view.end());
    }
    return bytes;
}

template <std::size_t N>
std::string_view raw(const char (&text)[N]) {
    return {text, N - 1};
}

/// The one packet of `bytes`, which must outlive it. Its views point into the reader kept here.
Packet only(PacketReader& reader, const Bytes& bytes) {
    reader.append(bytes);
    auto next = reader.next();
    EXPECT_TRUE(next && *next);
    return next && *next ? **next : Packet{};
}

const Bytes kFullConnect = packet({
    raw("\x10\x2F"),         // CONNECT, 47 bytes follow
    raw("\x00\x04MQTT"),     // protocol name
    raw("\x04"),             // level
    raw("\xEC"),             // user name, password, will retain, will QoS 1, will, !clean
    raw("\x01\x2C"),         // keep-alive 300
    raw("\x00\x07hatch-1"),  // client identifier
    raw("\x00\x06state/"),   // will topic
    raw("\x00\x04gone"),     // will message
    raw("\x00\x04?SDK"),     // user name
    raw("\x00\x06secret"),   // password
});

TEST(MqttConnect, ReadsEveryField) {
    PacketReader reader(1024);
    const auto connect = parse_connect(only(reader, kFullConnect));
    ASSERT_TRUE(connect) << connect.error().message;
    EXPECT_EQ(connect->protocol_name, "MQTT");
    EXPECT_EQ(connect->level, 4);
    EXPECT_FALSE(connect->clean_session);
    EXPECT_EQ(connect->keep_alive, 300);
    EXPECT_EQ(connect->client_id, "hatch-1");
    ASSERT_TRUE(connect->will);
    EXPECT_EQ(connect->will->topic, "state/");
    EXPECT_EQ(text_of(connect->will->payload), "gone");
    EXPECT_EQ(connect->will->qos, 1);
    EXPECT_TRUE(connect->will->retain);
    EXPECT_EQ(connect->user_name, "?SDK");
    EXPECT_TRUE(connect->has_password);
}

TEST(MqttConnect, IsWrittenForUpstreamWithoutUserNameAndPassword) {
    PacketReader reader(1024);
    const auto connect = parse_connect(only(reader, kFullConnect));
    ASSERT_TRUE(connect);
    EXPECT_EQ(encode_connect(*connect),
              packet({
                  raw("\x10\x21"),         // CONNECT, 33 bytes follow
                  raw("\x00\x04MQTT"),     // protocol name
                  raw("\x04"),             // level
                  raw("\x2C"),             // will retain, will QoS 1, will, !clean
                  raw("\x01\x2C"),         // keep-alive 300
                  raw("\x00\x07hatch-1"),  // client identifier
                  raw("\x00\x06state/"),   // will topic
                  raw("\x00\x04gone"),     // will message
              }));
}

TEST(MqttConnect, ReadsMqtt5WithItsProperties) {
    PacketReader reader(1024);
    const auto v5 = parse_connect(only(reader,
                                       packet({
                                           raw("\x10\x0F"),      // CONNECT, 15 bytes follow
                                           raw("\x00\x04MQTT"),  // protocol name
                                           raw("\x05"),          // level
                                           raw("\x02"),          // clean start
                                           raw("\x00\x3C"),      // keep-alive
                                           raw("\x00"),          // no properties
                                           raw("\x00\x02v5"),    // client identifier
                                       })));
    ASSERT_TRUE(v5) << v5.error().message;
    EXPECT_EQ(v5->level, 5);
    EXPECT_EQ(v5->client_id, "v5");
    EXPECT_TRUE(v5->properties.empty());
}

struct Malformed {
    std::string_view what;
    std::string_view bytes;
    std::string_view message;
};

TEST(MqttConnect, RefusesWhatTheStandardForbids) {
    const Malformed cases[] = {
        {"other protocol", raw("\x10\x06\x00\x03XTT\x04"), "protocol name is not MQTT"},
        {"no level", raw("\x10\x06\x00\x04MQTT"), "protocol name or level"},
        {"ends after flags", raw("\x10\x08\x00\x04MQTT\x04\x02"), "too short"},
        {"reserved flag",
         raw("\x10\x0D\x00\x04MQTT\x04\x03\x00\x3C\x00\x01"
             "a"),
         "reserved flag is set"},
        {"password alone",
         raw("\x10\x10\x00\x04MQTT\x04\x42\x00\x3C\x00\x01"
             "a\x00\x01p"),
         "password without user name"},
        {"will QoS alone",
         raw("\x10\x0D\x00\x04MQTT\x04\x0A\x00\x3C\x00\x01"
             "a"),
         "will QoS or retain without a will"},
        {"will retain alone",
         raw("\x10\x0D\x00\x04MQTT\x04\x22\x00\x3C\x00\x01"
             "a"),
         "will QoS or retain without a will"},
        {"will QoS 3",
         raw("\x10\x13\x00\x04MQTT\x04\x1E\x00\x3C\x00\x01"
             "a\x00\x01t\x00\x01m"),
         "will QoS 3"},
        {"will topic with wildcard",
         raw("\x10\x13\x00\x04MQTT\x04\x06\x00\x3C\x00\x01"
             "a\x00\x01#\x00\x01m"),
         "will topic"},
        {"will message missing",
         raw("\x10\x10\x00\x04MQTT\x04\x06\x00\x3C\x00\x01"
             "a\x00\x01t"),
         "will message"},
        {"client identifier not UTF-8",
         raw("\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x01\xFF"),
         "client identifier"},
        {"client identifier with U+0000",
         raw("\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x01\x00"),
         "client identifier"},
        {"client identifier cut",
         raw("\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x09"
             "a"),
         "client identifier"},
        {"user name missing",
         raw("\x10\x0D\x00\x04MQTT\x04\x82\x00\x3C\x00\x01"
             "a"),
         "user name"},
        {"password missing",
         raw("\x10\x10\x00\x04MQTT\x04\xC2\x00\x3C\x00\x01"
             "a\x00\x01u"),
         "password"},
        {"more bytes",
         raw("\x10\x0E\x00\x04MQTT\x04\x02\x00\x3C\x00\x01"
             "a!"),
         "bytes after the payload"},
    };
    for (const auto& c : cases) {
        PacketReader reader(1024);
        const auto connect = parse_connect(only(reader, to_bytes(bytes_of(c.bytes))));
        ASSERT_FALSE(connect) << c.what;
        EXPECT_EQ(connect.error().code, Code::InvalidRequest) << c.what;
        EXPECT_EQ(connect.error().message, "malformed CONNECT: " + std::string(c.message))
            << c.what;
    }
}

TEST(MqttPublish, ReadsAndWritesEveryField) {
    const Bytes bytes = packet({
        raw("\x3B\x0D"),  // PUBLISH, DUP, QoS 1, retain; 13 bytes follow
        raw("\x00\x04"
            "a/b/"),      // topic
        raw("\x12\x34"),  // packet identifier
        raw("hello"),     // payload
    });
    PacketReader reader(1024);
    const auto publish = parse_publish(only(reader, bytes));
    ASSERT_TRUE(publish) << publish.error().message;
    EXPECT_EQ(publish->topic, "a/b/");
    EXPECT_EQ(publish->qos, 1);
    EXPECT_TRUE(publish->retain);
    EXPECT_TRUE(publish->duplicate);
    EXPECT_EQ(publish->packet_id, 0x1234);
    EXPECT_EQ(text_of(publish->payload), "hello");
    EXPECT_EQ(encode_publish(*publish), bytes);
}

TEST(MqttPublish, HasNoPacketIdentifierWithQos0) {
    const Bytes bytes = packet({raw("\x30\x05"), raw("\x00\x01t"), raw("hi")});
    PacketReader reader(1024);
    const auto publish = parse_publish(only(reader, bytes));
    ASSERT_TRUE(publish);
    EXPECT_EQ(publish->packet_id, 0);
    EXPECT_EQ(text_of(publish->payload), "hi");
    EXPECT_EQ(encode_publish(*publish), bytes);
}

TEST(MqttPublish, WritesLongRemainingLengths) {
    const std::string payload(16'384, 'x');
    Publish publish;
    publish.topic = "t";
    publish.payload = bytes_of(payload);
    const Bytes bytes = encode_publish(publish);
    EXPECT_EQ(Bytes(bytes.begin(), bytes.begin() + 7),
              packet({raw("\x30\x83\x80\x01"), raw("\x00\x01t")}));
    EXPECT_EQ(bytes.size(), 1 + 3 + 3 + 16'384U);
}

TEST(MqttPackets, RefuseWhatTheStandardForbids) {
    const Malformed cases[] = {
        {"QoS 3", raw("\x36\x05\x00\x01t\x00\x01"), "malformed PUBLISH: QoS 3"},
        {"DUP with QoS 0", raw("\x38\x03\x00\x01t"), "malformed PUBLISH: DUP with QoS 0"},
        {"empty topic", raw("\x30\x02\x00\x00"), "malformed PUBLISH: topic name"},
        {"topic with +",
         raw("\x30\x05\x00\x03"
             "a/+"),
         "malformed PUBLISH: topic name"},
        {"topic with #", raw("\x30\x03\x00\x01#"), "malformed PUBLISH: topic name"},
        {"topic cut", raw("\x30\x03\x00\x02t"), "malformed PUBLISH: topic name"},
        {"packet identifier 0",
         raw("\x32\x05\x00\x01t\x00\x00"),
         "malformed PUBLISH: packet identifier"},
        {"packet identifier cut",
         raw("\x32\x04\x00\x01t\x01"),
         "malformed PUBLISH: packet identifier"},
        {"SUBSCRIBE without filter",
         raw("\x82\x02\x00\x01"),
         "malformed SUBSCRIBE: no topic filter"},
        {"SUBSCRIBE id 0",
         raw("\x82\x06\x00\x00\x00\x01t\x00"),
         "malformed SUBSCRIBE: packet identifier"},
        {"SUBSCRIBE QoS 3",
         raw("\x82\x06\x00\x01\x00\x01t\x03"),
         "malformed SUBSCRIBE: requested QoS"},
        {"SUBSCRIBE QoS missing",
         raw("\x82\x05\x00\x01\x00\x01t"),
         "malformed SUBSCRIBE: requested QoS"},
        {"SUBSCRIBE a#",
         raw("\x82\x07\x00\x01\x00\x02"
             "a#\x00"),
         "malformed SUBSCRIBE: topic filter"},
        {"SUBSCRIBE #/a",
         raw("\x82\x08\x00\x01\x00\x03#/a\x00"),
         "malformed SUBSCRIBE: topic filter"},
        {"SUBSCRIBE a+",
         raw("\x82\x07\x00\x01\x00\x02"
             "a+\x00"),
         "malformed SUBSCRIBE: topic filter"},
        {"UNSUBSCRIBE without filter",
         raw("\xA2\x02\x00\x01"),
         "malformed UNSUBSCRIBE: no topic filter"},
        {"UNSUBSCRIBE empty filter",
         raw("\xA2\x04\x00\x01\x00\x00"),
         "malformed UNSUBSCRIBE: topic filter"},
        {"PUBACK too long", raw("\x40\x03\x00\x01\x00"), "malformed PUBACK: length"},
        {"PUBACK id 0", raw("\x40\x02\x00\x00"), "malformed PUBACK: packet identifier"},
        {"PINGREQ with body", raw("\xC0\x01x"), "malformed PINGREQ: length"},
        {"CONNACK too short", raw("\x20\x01\x00"), "malformed CONNACK: length"},
        {"SUBACK without code", raw("\x90\x02\x00\x01"), "malformed SUBACK: length"},
        {"SUBACK code 3", raw("\x90\x03\x00\x01\x03"), "malformed SUBACK: return code"},
    };
    for (const auto& c : cases) {
        PacketReader reader(1024);
        const Packet one = only(reader, to_bytes(bytes_of(c.bytes)));
        Result<> parsed;
        const auto keep = [&parsed](const auto& result) {
            if (!result) parsed = Result<>(result.error());
        };
        switch (one.type) {
            case PacketType::Publish:
                keep(parse_publish(one));
                break;
            case PacketType::Subscribe:
                keep(parse_subscribe(one));
                break;
            case PacketType::Unsubscribe:
                keep(parse_unsubscribe(one));
                break;
            case PacketType::Puback:
                keep(parse_packet_id(one));
                break;
            case PacketType::Connack:
                keep(parse_connack(one));
                break;
            case PacketType::Suback:
                keep(parse_suback(one));
                break;
            default:
                keep(parse_empty(one));
                break;
        }
        ASSERT_FALSE(parsed) << c.what;
        EXPECT_EQ(parsed.error().message, c.message) << c.what;
    }
}

TEST(MqttSubscribe, ReadsAndWritesEveryField) {
    const Bytes bytes = packet({
        raw("\x82\x0E"),  // SUBSCRIBE, 14 bytes follow
        raw("\x00\x0A"),  // packet identifier
        raw("\x00\x03"
            "a/+"),
        raw("\x01"),  // filter, QoS 1
        raw("\x00\x03"
            "c/#"),
        raw("\x02"),  // filter, QoS 2
    });
    PacketReader reader(1024);
    const auto subscribe = parse_subscribe(only(reader, bytes));
    ASSERT_TRUE(subscribe) << subscribe.error().message;
    EXPECT_EQ(subscribe->packet_id, 10);
    ASSERT_EQ(subscribe->subscriptions.size(), 2U);
    EXPECT_EQ(subscribe->subscriptions[0].filter, "a/+");
    EXPECT_EQ(subscribe->subscriptions[0].qos, 1);
    EXPECT_EQ(subscribe->subscriptions[1].filter, "c/#");
    EXPECT_EQ(subscribe->subscriptions[1].qos, 2);
    EXPECT_EQ(encode_subscribe(*subscribe), bytes);
}

TEST(MqttUnsubscribe, ReadsAndWritesEveryField) {
    const Bytes bytes = packet({raw("\xA2\x08"),
                                raw("\x00\x07"),
                                raw("\x00\x01"
                                    "a"),
                                raw("\x00\x01#")});
    PacketReader reader(1024);
    const auto unsubscribe = parse_unsubscribe(only(reader, bytes));
    ASSERT_TRUE(unsubscribe) << unsubscribe.error().message;
    EXPECT_EQ(unsubscribe->packet_id, 7);
    EXPECT_THAT(unsubscribe->filters, ElementsAre("a", "#"));
    EXPECT_EQ(encode_unsubscribe(*unsubscribe), bytes);
}

TEST(MqttWriter, WritesTheAnswersOfAServer) {
    EXPECT_EQ(encode_connack({true, 0}), packet({raw("\x20\x02\x01\x00")}));
    EXPECT_EQ(encode_connack({false, 1}), packet({raw("\x20\x02\x00\x01")}));
    EXPECT_EQ(encode_connack({false, 0x84}, kLevel5), packet({raw("\x20\x03\x00\x84\x00")}));
    EXPECT_EQ(encode_puback(0x0102), packet({raw("\x40\x02\x01\x02")}));
    EXPECT_EQ(encode_suback({3, {1, 0x80}}), packet({raw("\x90\x04\x00\x03\x01\x80")}));
    EXPECT_EQ(encode_unsuback(3), packet({raw("\xB0\x02\x00\x03")}));
    EXPECT_EQ(encode_pingreq(), packet({raw("\xC0\x00")}));
    EXPECT_EQ(encode_disconnect(), packet({raw("\xE0\x00")}));
}

TEST(MqttReader, WaitsForTheRestOfAPacketCutAnywhere) {
    const Bytes publish =
        packet({raw("\x32\x0A\x00\x03"
                    "a/b\x00\x01xyz")});
    for (const Bytes& whole : {kFullConnect, publish}) {
        for (std::size_t cut = 0; cut < whole.size(); ++cut) {
            PacketReader reader(1024);
            reader.append(ByteView(whole).first(cut));
            auto half = reader.next();
            ASSERT_TRUE(half) << "cut at " << cut << ": " << half.error().message;
            EXPECT_FALSE(*half) << "cut at " << cut;
            EXPECT_EQ(reader.buffered(), cut);
            reader.append(ByteView(whole).subspan(cut));
            auto full = reader.next();
            ASSERT_TRUE(full && *full) << "cut at " << cut;
            EXPECT_EQ(to_bytes((*full)->bytes), whole) << "cut at " << cut;
        }
    }
}

TEST(MqttReader, TakesAStreamApartBytewise) {
    const Bytes stream = packet({raw("\xC0\x00"), raw("\x40\x02\x00\x05"), raw("\xE0\x00")});
    PacketReader reader(1024);
    std::vector<PacketType> types;
    for (const std::uint8_t byte : stream) {
        reader.append(ByteView(&byte, 1));
        auto next = reader.next();
        ASSERT_TRUE(next);
        if (*next) types.push_back((*next)->type);
    }
    EXPECT_THAT(types,
                ElementsAre(PacketType::Pingreq, PacketType::Puback, PacketType::Disconnect));
    EXPECT_EQ(reader.buffered(), 0U);
}

TEST(MqttReader, RefusesAPacketOf256MegabytesByItsHeader) {
    PacketReader reader(256 * 1024);
    reader.append(packet({raw("\x30\xFF\xFF\xFF\x7F")}));
    const auto next = reader.next();
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().code, Code::LimitExceeded);
    EXPECT_EQ(next.error().message, "PUBLISH of 268435460 bytes is over the limit of 262144");
    EXPECT_EQ(reader.buffered(), 5U);
}

TEST(MqttReader, CountsTheFixedHeaderIntoTheLimit) {
    const Bytes five = packet({raw("\x30\x03\x00\x01t")});
    PacketReader exact(5);
    exact.append(five);
    EXPECT_TRUE(exact.next());
    PacketReader less(4);
    less.append(five);
    EXPECT_EQ(less.next().error().message, "PUBLISH of 5 bytes is over the limit of 4");
}

TEST(MqttReader, RefusesForbiddenHeaders) {
    const Malformed cases[] = {
        {"type 0", raw("\x00\x00"), "malformed packet: reserved type 0"},
        {"type 15", raw("\xF0\x00"), "malformed packet: reserved type 15"},
        {"length of five bytes",
         raw("\x30\xFF\xFF\xFF\xFF\x01"),
         "malformed packet: remaining length over 4 bytes"},
        {"length that goes on",
         raw("\x30\x80\x80\x80\x80"),
         "malformed packet: remaining length over 4 bytes"},
        {"CONNECT flags", raw("\x11\x00"), "malformed CONNECT: reserved flags in the fixed header"},
        {"SUBSCRIBE flags",
         raw("\x80\x00"),
         "malformed SUBSCRIBE: reserved flags in the fixed header"},
        {"UNSUBSCRIBE flags",
         raw("\xA0\x00"),
         "malformed UNSUBSCRIBE: reserved flags in the fixed header"},
        {"PUBREL flags", raw("\x60\x02"), "malformed PUBREL: reserved flags in the fixed header"},
        {"PINGREQ flags", raw("\xC1\x00"), "malformed PINGREQ: reserved flags in the fixed header"},
    };
    for (const auto& c : cases) {
        PacketReader reader(1024);
        reader.append(bytes_of(c.bytes));
        const auto next = reader.next();
        ASSERT_FALSE(next) << c.what;
        EXPECT_EQ(next.error().code, Code::InvalidRequest) << c.what;
        EXPECT_EQ(next.error().message, c.message) << c.what;
    }
}

TEST(MqttText, AcceptsWellFormedUtf8Only) {
    const std::pair<std::string_view, bool> cases[] = {
        {"", true},
        {"plain", true},
        {raw("\xC3\xA9"), true},               // U+00E9
        {raw("\xE2\x82\xAC"), true},           // U+20AC
        {raw("\xF0\x9F\x90\xA3"), true},       // U+1F423
        {raw("\xEF\xBF\xBD"), true},           // U+FFFD
        {raw("\xF4\x8F\xBF\xBF"), true},       // U+10FFFF
        {raw("a\0b"), false},                  // U+0000 (MQTT 1.5.3)
        {raw("\xED\xA0\x80"), false},          // U+D800, a surrogate
        {raw("\xED\xBF\xBF"), false},          // U+DFFF
        {raw("\xC0\x80"), false},              // overlong
        {raw("\xE0\x80\x80"), false},          // overlong
        {raw("\xF0\x80\x80\x80"), false},      // overlong
        {raw("\xF4\x90\x80\x80"), false},      // beyond U+10FFFF
        {raw("\xF8\x88\x80\x80\x80"), false},  // five bytes
        {raw("\x80"), false},                  // continuation alone
        {raw("\xC3"), false},                  // cut
        {raw("\xE2\x82"), false},              // cut
        {raw("\xC3("), false},                 // no continuation
    };
    for (const auto& [text, valid] : cases) {
        EXPECT_EQ(is_utf8_text(text), valid) << to_hex(bytes_of(text));
    }
}

TEST(MqttText, KnowsTopicFilters) {
    for (const std::string_view good :
         {"#", "+", "/", "a", "a/#", "+/a/+", "a//b", "/#", "$SYS/#"}) {
        EXPECT_TRUE(is_topic_filter(good)) << good;
    }
    for (const std::string_view bad :
         {"", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+", "a/#b", "##"}) {
        EXPECT_FALSE(is_topic_filter(bad)) << bad;
    }
}

TEST(MqttText, MatchesTopicsAsTheStandardSays) {
    const std::tuple<std::string_view, std::string_view, bool> cases[] = {
        {"a/b", "a/b", true},
        {"a/b", "a/c", false},
        {"a/b", "a/b/c", false},
        {"a/b/c", "a/b", false},
        {"a/+", "a/b", true},
        {"a/+", "a", false},
        {"a/+", "a/", true},
        {"a/+", "a/b/c", false},
        {"a/+/c", "a/b/c", true},
        {"#", "a/b/c", true},
        {"a/#", "a", true},
        {"a/#", "a/b/c", true},
        {"a/#", "ab", false},
        {"+", "a", true},
        {"+", "/a", false},
        {"+/+", "/a", true},
        {"/+", "/a", true},
        {"#", "$aws/certificates/create/json/accepted", false},
        {"+/certificates/create/json/accepted", "$aws/certificates/create/json/accepted", false},
        {"$aws/#", "$aws/certificates/create/json/accepted", true},
        {"$aws/+/create/+/accepted", "$aws/certificates/create/json/accepted", true},
        {"$aws/certificates/create/json/accepted", "$aws/certificates/create/json/accepted", true},
    };
    for (const auto& [filter, topic, matches] : cases) {
        EXPECT_EQ(topic_matches(filter, topic), matches) << filter << " and " << topic;
    }
}

}  // namespace
}  // namespace hatchery::gateway::mqtt
