#include "tools/fleet/mqtt_packet.h"

#include <gtest/gtest.h>

namespace hatchery::fleet {
namespace {

/// Joins the fields of an expected packet.
Bytes packet(std::initializer_list<Bytes> fields) {
    Bytes bytes;
    for (const auto& field : fields)
        bytes.insert(bytes.end(), field.begin(), field.end());
    return bytes;
}

// MQTT 3.1.1, section 3.
TEST(MqttPacket, EncodesConnect) {
    EXPECT_EQ(encode_connect("d1", 300),
              packet({{0x10},                       // CONNECT
                      {0x0E},                       // remaining length 14
                      {0x00, 0x04},                 // protocol name: length
                      {0x4D, 0x51, 0x54, 0x54},     // "MQTT"
                      {0x04},                       // protocol level 3.1.1
                      {0x02},                       // clean session
                      {0x01, 0x2C},                 // keep alive 300 s
                      {0x00, 0x02, 0x64, 0x31}}));  // client id "d1"
}

TEST(MqttPacket, EncodesSubscribe) {
    EXPECT_EQ(encode_subscribe(7, {"a", "b/#"}),
              packet({{0x82},                          // SUBSCRIBE, reserved flags 2
                      {0x0C},                          // remaining length 12
                      {0x00, 0x07},                    // packet identifier
                      {0x00, 0x01, 0x61},              // "a"
                      {0x01},                          // QoS 1
                      {0x00, 0x03, 0x62, 0x2F, 0x23},  // "b/#"
                      {0x01}}));                       // QoS 1
}

TEST(MqttPacket, EncodesPublish) {
    EXPECT_EQ(encode_publish(258, "t", "xy"),
              packet({{0x32},              // PUBLISH, QoS 1, no DUP, no RETAIN
                      {0x07},              // remaining length 7
                      {0x00, 0x01, 0x74},  // topic "t"
                      {0x01, 0x02},        // packet identifier 258
                      {0x78, 0x79}}));     // payload
}

TEST(MqttPacket, EncodesLongLengths) {
    const auto bytes = encode_publish(1, "t", std::string(16379, 'x'));
    EXPECT_EQ(bytes.size(), 1U + 3U + 16384U);
    EXPECT_EQ(Bytes(bytes.begin(), bytes.begin() + 4),
              packet({{0x32}, {0x80, 0x80, 0x01}}));  // 16384 in three bytes
    const auto shorter = encode_publish(1, "t", std::string(16378, 'x'));
    EXPECT_EQ(Bytes(shorter.begin(), shorter.begin() + 3),
              packet({{0x32}, {0xFF, 0x7F}}));  // 16383 in two
}

TEST(MqttPacket, EncodesPubackAndDisconnect) {
    EXPECT_EQ(encode_puback(0x1234), packet({{0x40}, {0x02}, {0x12, 0x34}}));
    EXPECT_EQ(encode_disconnect(), packet({{0xE0}, {0x00}}));
}

TEST(PacketReader, CutsAStreamAtAnyByte) {
    const Bytes stream = packet({{0x20, 0x02, 0x00, 0x05},              // CONNACK 5
                                 {0x30, 0x04, 0x00, 0x01, 0x74, 0x78},  // PUBLISH QoS 0
                                 {0xD0, 0x00}});                        // PINGRESP
    PacketReader reader;
    std::vector<Packet> packets;
    for (const auto byte : stream) {
        reader.feed(Bytes{byte});
        auto next = reader.next();
        ASSERT_TRUE(next);
        if (*next) packets.push_back(**next);
    }
    ASSERT_EQ(packets.size(), 3U);
    EXPECT_EQ(packets[0].type, PacketType::Connack);
    EXPECT_EQ(packets[0].body, (Bytes{0x00, 0x05}));
    EXPECT_EQ(packets[1].type, PacketType::Publish);
    const auto message = parse_publish(packets[1]);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->topic, "t");
    EXPECT_EQ(message->payload, "x");
    EXPECT_EQ(message->qos, 0);
    EXPECT_TRUE(packets[2].body.empty());
}

TEST(PacketReader, TakesSeveralPacketsOfOneRead) {
    PacketReader reader;
    reader.feed(Bytes{0x40, 0x02, 0x00, 0x01, 0x40, 0x02, 0x00, 0x02, 0x40});
    for (const int id : {1, 2}) {
        const auto next = reader.next();
        ASSERT_TRUE(next && *next);
        EXPECT_EQ(*parse_packet_id(**next), id);
    }
    const auto none = reader.next();
    ASSERT_TRUE(none);
    EXPECT_FALSE(*none);
}

TEST(PacketReader, RefusesLengthsOutOfBounds) {
    PacketReader endless;
    endless.feed(Bytes{0x30, 0x80, 0x80, 0x80, 0x80});
    EXPECT_EQ(endless.next().error().message, "the server sent no MQTT");
    PacketReader huge;
    huge.feed(Bytes{0x30, 0x81, 0x80, 0x10});  // 262145
    EXPECT_EQ(huge.next().error().message, "the server sent a packet over 256 KiB");
}

TEST(MqttPacket, ReadsPublishAndRefusesCutOnes) {
    const auto message = parse_publish(
        {PacketType::Publish, 0x02, packet({{0x00, 0x01, 0x74}, {0x00, 0x09}, {0x78}})});
    ASSERT_TRUE(message);
    EXPECT_EQ(message->qos, 1);
    EXPECT_EQ(message->packet_id, 9);
    EXPECT_EQ(message->payload, "x");
    const char* cut = "the server sent a packet that is cut short";
    for (const auto& body :
         std::vector<Bytes>{{}, {0x00}, {0x00, 0x05, 0x74}, {0x00, 0x01, 0x74, 0x00}}) {
        const auto refused = parse_publish({PacketType::Publish, 0x02, body});
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().message, cut);
    }
    EXPECT_EQ(
        parse_publish({PacketType::Publish, 0x04, {0x00, 0x01, 0x74, 0x00, 0x01}}).error().message,
        "the server sent a message of QoS 2");
    EXPECT_EQ(parse_packet_id({PacketType::Puback, 0, {0x00}}).error().message, cut);
}

}  // namespace
}  // namespace hatchery::fleet
