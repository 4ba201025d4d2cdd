#include "provisioning/gateway/mqtt.h"

#include "provisioning/gateway/mqtt_properties.h"
#include "provisioning/gateway/mqtt_wire.h"

#include <array>

namespace hatchery::gateway::mqtt {
namespace {

constexpr std::size_t kKeptBuffer = 1024;    // an idle connection keeps no more than this
constexpr std::uint8_t kLastSessionQos = 2;  // QoS 3 does not exist (4.3)
constexpr std::uint8_t kQosBits = 0x03;
constexpr std::uint8_t kSubackFailure = 0x80;  // 3.9.3

/// The fixed header's length field (2.2.3): seven bits a byte, the lowest first.
struct RemainingLength {
    std::size_t value = 0;
    std::size_t size = 0;  // bytes of the field itself; 0 = not whole yet
};

Result<RemainingLength> read_remaining_length(ByteView after_first_byte) {
    RemainingLength length;
    std::size_t value = 0;
    for (std::size_t i = 0; i < kMaxLengthBytes && i < after_first_byte.size(); ++i) {
        const std::uint8_t byte = after_first_byte[i];
        value |= static_cast<std::size_t>(byte & 0x7F) << (7 * i);
        if ((byte & 0x80) == 0) {
            length.value = value;
            length.size = i + 1;
            return length;
        }
    }
    if (after_first_byte.size() >= kMaxLengthBytes) {
        return fail(Code::InvalidRequest, "malformed packet: remaining length over 4 bytes");
    }
    return length;
}

/// 2.2.2: every type but PUBLISH has fixed flags.
bool are_flags_valid(PacketType type, std::uint8_t flags) {
    switch (type) {
        case PacketType::Publish:
            return true;
        case PacketType::Pubrel:
        case PacketType::Subscribe:
        case PacketType::Unsubscribe:
            return flags == 0x2;
        default:
            return flags == 0;
    }
}

/// The property list at `cursor` if the packet is one of MQTT 5, else none.
Result<ByteView> take_properties(Cursor& cursor,
                                 std::uint8_t level,
                                 PropertyPlace place,
                                 PacketType type) {
    if (level != kLevel5) return ByteView{};
    const auto properties = cursor.properties();
    if (!properties) return malformed(type, "property length");
    if (auto valid = check_properties(*properties, place, type); !valid) {
        return std::move(valid).error();
    }
    return *properties;
}

/// 3.8.3.1: QoS, and with MQTT 5 No Local, Retain As Published and two bits of Retain Handling.
bool are_options_valid(std::uint8_t options, std::uint8_t level) {
    if ((options & kQosBits) > kLastSessionQos) return false;
    if (level != kLevel5) return options <= kLastSessionQos;
    return (options & 0xC0) == 0 && (options & 0x30) != 0x30;
}

Result<std::optional<Will>> parse_will(Cursor& cursor, std::uint8_t flags, std::uint8_t level) {
    const bool has_will = (flags & 0x04) != 0;
    const auto qos = static_cast<std::uint8_t>((flags >> 3) & 0x03);
    const bool retain = (flags & 0x20) != 0;
    if (!has_will) {
        if (qos != 0 || retain) {
            return malformed(PacketType::Connect, "will QoS or retain without a will");
        }
        return std::optional<Will>{};
    }
    if (qos > kLastSessionQos) return malformed(PacketType::Connect, "will QoS 3");
    const auto properties =
        take_properties(cursor, level, PropertyPlace::Will, PacketType::Connect);
    if (!properties) return properties.error();
    const auto topic = cursor.text();
    if (!topic || !is_topic_name(*topic)) return malformed(PacketType::Connect, "will topic");
    const auto payload = cursor.block();
    if (!payload) return malformed(PacketType::Connect, "will message");
    return std::optional<Will>{
        Will{std::string(*topic), to_bytes(*payload), qos, retain, to_bytes(*properties)}};
}

Result<Connect> parse_connect_fields(Cursor& cursor, Connect connect) {
    const auto flags = cursor.byte();
    const auto keep_alive = cursor.two_bytes();
    if (!flags || !keep_alive) return malformed(PacketType::Connect, "too short");
    const bool has_user_name = (*flags & 0x80) != 0;
    connect.has_password = (*flags & 0x40) != 0;
    connect.clean_session = (*flags & 0x02) != 0;
    connect.keep_alive = *keep_alive;
    if ((*flags & 0x01) != 0) return malformed(PacketType::Connect, "reserved flag is set");
    if (connect.has_password && !has_user_name && connect.level == kLevel311) {
        return malformed(PacketType::Connect, "password without user name");
    }
    const auto properties =
        take_properties(cursor, connect.level, PropertyPlace::Connect, PacketType::Connect);
    if (!properties) return properties.error();
    connect.properties = to_bytes(*properties);
    const auto client_id = cursor.text();
    if (!client_id) return malformed(PacketType::Connect, "client identifier");
    connect.client_id = *client_id;
    auto will = parse_will(cursor, *flags, connect.level);
    if (!will) return std::move(will).error();
    connect.will = std::move(*will);
    if (has_user_name) {
        const auto user_name = cursor.text();
        if (!user_name) return malformed(PacketType::Connect, "user name");
        connect.user_name = std::string(*user_name);
    }
    if (connect.has_password && !cursor.block()) return malformed(PacketType::Connect, "password");
    if (!cursor.at_end()) return malformed(PacketType::Connect, "bytes after the payload");
    return connect;
}

constexpr std::array<std::string_view, 16> kPacketNames = {"RESERVED",
                                                           "CONNECT",
                                                           "CONNACK",
                                                           "PUBLISH",
                                                           "PUBACK",
                                                           "PUBREC",
                                                           "PUBREL",
                                                           "PUBCOMP",
                                                           "SUBSCRIBE",
                                                           "SUBACK",
                                                           "UNSUBSCRIBE",
                                                           "UNSUBACK",
                                                           "PINGREQ",
                                                           "PINGRESP",
                                                           "DISCONNECT",
                                                           "RESERVED"};

/// A reason code at `at` of the body, then properties or nothing.
Result<> check_reason(const Packet& packet, std::size_t at, PropertyPlace place) {
    Cursor cursor(packet.body.subspan(at + 1));
    if (cursor.at_end()) return {};
    const auto properties = take_properties(cursor, kLevel5, place, packet.type);
    if (!properties) return properties.error();
    if (!cursor.at_end()) return malformed(packet.type, "bytes after the properties");
    return {};
}

}  // namespace

std::string_view to_string(PacketType type) {
    return kPacketNames[static_cast<std::uint8_t>(type) & 0x0F];
}

void PacketReader::append(ByteView bytes) {
    if (consumed_ > 0) {
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(consumed_));
        consumed_ = 0;
    }
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Packet>> PacketReader::next() {
    const ByteView rest = ByteView(buffer_).subspan(consumed_);
    if (rest.empty()) {
        if (buffer_.capacity() > kKeptBuffer) Bytes().swap(buffer_);
        buffer_.clear();
        consumed_ = 0;
        return std::optional<Packet>{};
    }
    const int type_bits = rest[0] >> 4;
    if (type_bits == 0 || type_bits == 15) {
        return fail(Code::InvalidRequest,
                    "malformed packet: reserved type " + std::to_string(type_bits));
    }
    Packet packet;
    packet.type = static_cast<PacketType>(type_bits);
    packet.flags = rest[0] & 0x0F;
    if (!are_flags_valid(packet.type, packet.flags)) {
        return malformed(packet.type, "reserved flags in the fixed header");
    }
    auto length = read_remaining_length(rest.subspan(1));
    if (!length) return std::move(length).error();
    if (length->size == 0) return std::optional<Packet>{};
    const std::size_t header = 1 + length->size;
    const std::size_t total = header + length->value;
    if (total > max_packet_bytes_) {
        return fail(Code::LimitExceeded,
                    std::string(to_string(packet.type)) + " of " + std::to_string(total) +
                        " bytes is over the limit of " + std::to_string(max_packet_bytes_));
    }
    if (rest.size() < total) return std::optional<Packet>{};
    packet.bytes = rest.first(total);
    packet.body = packet.bytes.subspan(header);
    consumed_ += total;
    return std::optional<Packet>{packet};
}

Result<Connect> parse_connect(const Packet& packet) {
    Cursor cursor(packet.body);
    Connect connect;
    const auto name = cursor.text();
    const auto level = cursor.byte();
    if (!name || !level) return malformed(PacketType::Connect, "protocol name or level");
    if (*name != "MQTT" && *name != "MQIsdp") {
        return malformed(PacketType::Connect, "protocol name is not MQTT");
    }
    connect.protocol_name = *name;
    connect.level = *level;
    if (*name != "MQTT" || (*level != kLevel311 && *level != kLevel5)) return connect;
    return parse_connect_fields(cursor, std::move(connect));
}

Result<Publish> parse_publish(const Packet& packet, std::uint8_t level) {
    Cursor cursor(packet.body);
    Publish publish;
    publish.retain = (packet.flags & 0x1) != 0;
    publish.qos = (packet.flags >> 1) & 0x3;
    publish.duplicate = (packet.flags & 0x8) != 0;
    if (publish.qos > kLastSessionQos) return malformed(packet.type, "QoS 3");
    if (publish.qos == 0 && publish.duplicate) return malformed(packet.type, "DUP with QoS 0");
    const auto topic = cursor.text();
    // With MQTT 5 a topic alias may stand for the name (3.3.2.1).
    const bool may_be_empty = level == kLevel5;
    if (!topic || !(is_topic_name(*topic) || (may_be_empty && topic->empty()))) {
        return malformed(packet.type, "topic name");
    }
    publish.topic = *topic;
    if (publish.qos > 0) {
        const auto packet_id = cursor.two_bytes();
        if (!packet_id || *packet_id == 0) return malformed(packet.type, "packet identifier");
        publish.packet_id = *packet_id;
    }
    const auto properties = take_properties(cursor, level, PropertyPlace::Publish, packet.type);
    if (!properties) return properties.error();
    publish.properties = *properties;
    publish.payload = cursor.rest();
    return publish;
}

Result<Subscribe> parse_subscribe(const Packet& packet, std::uint8_t level) {
    Cursor cursor(packet.body);
    Subscribe subscribe;
    const auto packet_id = cursor.two_bytes();
    if (!packet_id || *packet_id == 0) return malformed(packet.type, "packet identifier");
    subscribe.packet_id = *packet_id;
    const auto properties = take_properties(cursor, level, PropertyPlace::Subscribe, packet.type);
    if (!properties) return properties.error();
    subscribe.properties = to_bytes(*properties);
    while (!cursor.at_end()) {
        const auto filter = cursor.text();
        if (!filter || !is_topic_filter(*filter)) return malformed(packet.type, "topic filter");
        const auto options = cursor.byte();
        if (!options || !are_options_valid(*options, level)) {
            return malformed(packet.type, "requested QoS");
        }
        const auto qos = static_cast<std::uint8_t>(*options & kQosBits);
        const auto others = static_cast<std::uint8_t>(*options & ~kQosBits);
        subscribe.subscriptions.push_back({std::string(*filter), qos, others});
    }
    if (subscribe.subscriptions.empty()) return malformed(packet.type, "no topic filter");
    return subscribe;
}

Result<Unsubscribe> parse_unsubscribe(const Packet& packet, std::uint8_t level) {
    Cursor cursor(packet.body);
    Unsubscribe unsubscribe;
    const auto packet_id = cursor.two_bytes();
    if (!packet_id || *packet_id == 0) return malformed(packet.type, "packet identifier");
    unsubscribe.packet_id = *packet_id;
    const auto properties = take_properties(cursor, level, PropertyPlace::Unsubscribe, packet.type);
    if (!properties) return properties.error();
    unsubscribe.properties = to_bytes(*properties);
    while (!cursor.at_end()) {
        const auto filter = cursor.text();
        if (!filter || !is_topic_filter(*filter)) return malformed(packet.type, "topic filter");
        unsubscribe.filters.emplace_back(*filter);
    }
    if (unsubscribe.filters.empty()) return malformed(packet.type, "no topic filter");
    return unsubscribe;
}

Result<Connack> parse_connack(const Packet& packet, std::uint8_t level) {
    Cursor cursor(packet.body);
    const auto flags = cursor.byte();
    const auto code = cursor.byte();
    if (!flags || !code) return malformed(packet.type, "length");
    const auto properties = take_properties(cursor, level, PropertyPlace::Connack, packet.type);
    if (!properties) return properties.error();
    if (!cursor.at_end()) return malformed(packet.type, "length");
    return Connack{(*flags & 0x1) != 0, *code, to_bytes(*properties)};
}

Result<Suback> parse_suback(const Packet& packet, std::uint8_t level) {
    Cursor cursor(packet.body);
    const auto packet_id = cursor.two_bytes();
    if (!packet_id) return malformed(packet.type, "length");
    const auto properties =
        take_properties(cursor, level, PropertyPlace::Acknowledgement, packet.type);
    if (!properties) return properties.error();
    if (cursor.at_end()) return malformed(packet.type, "length");
    for (const std::uint8_t code : cursor.rest()) {
        if (level != kLevel5 && code > kLastSessionQos && code != kSubackFailure) {
            return malformed(packet.type, "return code");
        }
    }
    return Suback{*packet_id, to_bytes(cursor.rest()), to_bytes(*properties)};
}

Result<std::uint16_t> parse_packet_id(const Packet& packet, std::uint8_t level) {
    const bool fits = level == kLevel5 ? packet.body.size() >= 2 : packet.body.size() == 2;
    if (!fits) return malformed(packet.type, "length");
    const auto packet_id = static_cast<std::uint16_t>(packet.body[0] << 8 | packet.body[1]);
    if (packet_id == 0) return malformed(packet.type, "packet identifier");
    if (packet.body.size() > 2) {  // reason code, and properties if there are any (5: 3.4.2)
        auto valid = check_reason(packet, 2, PropertyPlace::Acknowledgement);
        if (!valid) return std::move(valid).error();
    }
    return packet_id;
}

Result<std::uint8_t> parse_disconnect(const Packet& packet, std::uint8_t level) {
    if (packet.body.empty()) return std::uint8_t{0};
    if (level != kLevel5) return malformed(packet.type, "length");
    if (auto valid = check_reason(packet, 0, PropertyPlace::Disconnect); !valid) {
        return std::move(valid).error();
    }
    return packet.body[0];
}

Result<> parse_empty(const Packet& packet) {
    if (!packet.body.empty()) return malformed(packet.type, "length");
    return {};
}

Bytes encode_connect(const Connect& connect) {
    std::uint8_t flags = connect.clean_session ? 0x02 : 0x00;
    if (connect.will) {
        flags = static_cast<std::uint8_t>(flags | 0x04 | connect.will->qos << 3 |
                                          (connect.will->retain ? 0x20 : 0x00));
    }
    Writer writer;
    writer.text(connect.protocol_name).byte(connect.level).byte(flags);
    writer.two_bytes(connect.keep_alive);
    writer.properties(connect.level, connect.properties).text(connect.client_id);
    if (connect.will) {
        writer.properties(connect.level, connect.will->properties);
        writer.text(connect.will->topic).block(connect.will->payload);
    }
    return writer.packet(PacketType::Connect, 0);
}

Bytes encode_connack(const Connack& connack, std::uint8_t level) {
    return Writer()
        .byte(connack.session_present ? 1 : 0)
        .byte(connack.return_code)
        .properties(level, connack.properties)
        .packet(PacketType::Connack, 0);
}

Bytes encode_publish(const Publish& publish, std::uint8_t level) {
    Writer head;
    head.text(publish.topic);
    if (publish.qos > 0) head.two_bytes(publish.packet_id);
    head.properties(level, publish.properties);
    const int flags = (publish.duplicate ? 0x8 : 0) | publish.qos << 1 | (publish.retain ? 0x1 : 0);
    // The payload may be a private key: it is copied once, into memory that never moves.
    return head.packet(PacketType::Publish, static_cast<std::uint8_t>(flags), publish.payload);
}

Bytes encode_puback(std::uint16_t packet_id, std::uint8_t reason_code) {
    Writer writer;
    writer.two_bytes(packet_id);
    if (reason_code != 0) writer.byte(reason_code);  // 5: 3.4.2.1, may be left out
    return writer.packet(PacketType::Puback, 0);
}

Bytes encode_subscribe(const Subscribe& subscribe, std::uint8_t level) {
    Writer writer;
    writer.two_bytes(subscribe.packet_id).properties(level, subscribe.properties);
    for (const Subscription& subscription : subscribe.subscriptions) {
        const int options = subscription.options | subscription.qos;
        writer.text(subscription.filter).byte(static_cast<std::uint8_t>(options));
    }
    return writer.packet(PacketType::Subscribe, 0x2);
}

Bytes encode_suback(const Suback& suback, std::uint8_t level) {
    return Writer()
        .two_bytes(suback.packet_id)
        .properties(level, suback.properties)
        .raw(suback.return_codes)
        .packet(PacketType::Suback, 0);
}

Bytes encode_unsubscribe(const Unsubscribe& unsubscribe, std::uint8_t level) {
    Writer writer;
    writer.two_bytes(unsubscribe.packet_id).properties(level, unsubscribe.properties);
    for (const std::string& filter : unsubscribe.filters)
        writer.text(filter);
    return writer.packet(PacketType::Unsubscribe, 0x2);
}

Bytes encode_unsuback(std::uint16_t packet_id) {
    return Writer().two_bytes(packet_id).packet(PacketType::Unsuback, 0);
}

Bytes encode_unsuback_v5(const Suback& unsuback) {
    return Writer()
        .two_bytes(unsuback.packet_id)
        .properties(kLevel5, unsuback.properties)
        .raw(unsuback.return_codes)
        .packet(PacketType::Unsuback, 0);
}

Bytes encode_pingreq() {
    return Writer().packet(PacketType::Pingreq, 0);
}

Bytes encode_disconnect(std::uint8_t reason_code) {
    Writer writer;
    if (reason_code != 0) writer.byte(reason_code);  // 5: 3.14.2.1, may be left out
    return writer.packet(PacketType::Disconnect, 0);
}

}  // namespace hatchery::gateway::mqtt
