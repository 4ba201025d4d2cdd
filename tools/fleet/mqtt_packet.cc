#include "tools/fleet/mqtt_packet.h"

namespace hatchery::fleet {

namespace {

constexpr std::size_t kMaxPacketBytes = 262144;

void put_u16(Bytes& bytes, std::size_t value) {
    bytes.push_back(static_cast<std::uint8_t>(value >> 8));
    bytes.push_back(static_cast<std::uint8_t>(value));
}

void put_text(Bytes& bytes, std::string_view text) {
    put_u16(bytes, text.size());
    bytes.insert(bytes.end(), text.begin(), text.end());
}

/// 2.2: type and flags, the remaining length seven bits a byte, the body.
Bytes with_header(PacketType type, std::uint8_t flags, const Bytes& body) {
    Bytes packet{static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags)};
    std::size_t length = body.size();
    do {
        const auto more = static_cast<std::uint8_t>(length > 127 ? 0x80 : 0);
        packet.push_back(static_cast<std::uint8_t>((length & 0x7F) | more));
        length >>= 7;
    } while (length > 0);
    packet.insert(packet.end(), body.begin(), body.end());
    return packet;
}

std::uint16_t get_u16(const Bytes& bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

Error cut_short() {
    return fail(Code::InvalidRequest, "the server sent a packet that is cut short");
}

}  // namespace

Bytes encode_connect(std::string_view client_id, std::uint16_t keep_alive_seconds) {
    Bytes body;
    put_text(body, "MQTT");
    body.push_back(4);     // protocol level 3.1.1
    body.push_back(0x02);  // clean session
    put_u16(body, keep_alive_seconds);
    put_text(body, client_id);
    return with_header(PacketType::Connect, 0, body);
}

Bytes encode_subscribe(std::uint16_t packet_id, const std::vector<std::string>& filters) {
    Bytes body;
    put_u16(body, packet_id);
    for (const auto& filter : filters) {
        put_text(body, filter);
        body.push_back(1);
    }
    return with_header(PacketType::Subscribe, 0x02, body);
}

Bytes encode_publish(std::uint16_t packet_id, std::string_view topic, std::string_view payload) {
    Bytes body;
    put_text(body, topic);
    put_u16(body, packet_id);
    body.insert(body.end(), payload.begin(), payload.end());
    return with_header(PacketType::Publish, 0x02, body);
}

Bytes encode_puback(std::uint16_t packet_id) {
    Bytes body;
    put_u16(body, packet_id);
    return with_header(PacketType::Puback, 0, body);
}

Bytes encode_disconnect() {
    return with_header(PacketType::Disconnect, 0, {});
}

Result<Message> parse_publish(const Packet& packet) {
    Message message;
    message.qos = (packet.flags >> 1) & 3;
    if (message.qos > 1) return fail(Code::InvalidRequest, "the server sent a message of QoS 2");
    const Bytes& body = packet.body;
    if (body.size() < 2) return cut_short();
    const std::size_t topic_size = get_u16(body, 0);
    std::size_t at = 2 + topic_size;
    if (body.size() < at + (message.qos == 1 ? 2U : 0U)) return cut_short();
    message.topic = text_of(ByteView(body).subspan(2, topic_size));
    if (message.qos == 1) {
        message.packet_id = get_u16(body, at);
        at += 2;
    }
    message.payload = text_of(ByteView(body).subspan(at));
    return message;
}

Result<std::uint16_t> parse_packet_id(const Packet& packet) {
    if (packet.body.size() < 2) return cut_short();
    return get_u16(packet.body, 0);
}

void PacketReader::feed(ByteView bytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Packet>> PacketReader::next() {
    std::size_t length = 0;
    std::size_t at = 1;
    for (unsigned shift = 0;; shift += 7, ++at) {
        if (shift > 21) return fail(Code::InvalidRequest, "the server sent no MQTT");
        if (at >= buffer_.size()) return std::optional<Packet>();
        length |= static_cast<std::size_t>(buffer_[at] & 0x7F) << shift;
        if ((buffer_[at] & 0x80) == 0) break;
    }
    if (length > kMaxPacketBytes) {
        return fail(Code::InvalidRequest, "the server sent a packet over 256 KiB");
    }
    ++at;
    if (buffer_.size() < at + length) return std::optional<Packet>();
    Packet packet{
        static_cast<PacketType>(buffer_[0] >> 4), static_cast<std::uint8_t>(buffer_[0] & 0x0F), {}};
    const auto begin = buffer_.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = begin + static_cast<std::ptrdiff_t>(length);
    packet.body.assign(begin, end);
    buffer_.erase(buffer_.begin(), end);
    return std::optional<Packet>(std::move(packet));
}

}  // namespace hatchery::fleet
