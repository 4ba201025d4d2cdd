// Reads packets as lines "LEVEL HEX", feeds each to the reader byte by byte, and prints what our
// parser makes of it, written again by our writer; "error: …" if it refuses. For the comparison
// with another implementation (tests/integration/packets.sh).
#include "provisioning/gateway/mqtt.h"

#include <iostream>
#include <sstream>

namespace mqtt = hatchery::gateway::mqtt;
using hatchery::Bytes;
using hatchery::Result;

namespace {

template <class T, class Encode>
Result<Bytes> again(Result<T> parsed, Encode encode) {
    if (!parsed) return std::move(parsed).error();
    return encode(*parsed);
}

Result<Bytes> echo(const mqtt::Packet& packet, std::uint8_t level) {
    using mqtt::PacketType;
    switch (packet.type) {
        case PacketType::Connect:
            return again(mqtt::parse_connect(packet),
                         [](const auto& one) { return mqtt::encode_connect(one); });
        case PacketType::Connack:
            return again(mqtt::parse_connack(packet, level),
                         [&](const auto& one) { return mqtt::encode_connack(one, level); });
        case PacketType::Publish:
            return again(mqtt::parse_publish(packet, level),
                         [&](const auto& one) { return mqtt::encode_publish(one, level); });
        case PacketType::Subscribe:
            return again(mqtt::parse_subscribe(packet, level),
                         [&](const auto& one) { return mqtt::encode_subscribe(one, level); });
        case PacketType::Suback:
            return again(mqtt::parse_suback(packet, level),
                         [&](const auto& one) { return mqtt::encode_suback(one, level); });
        case PacketType::Unsubscribe:
            return again(mqtt::parse_unsubscribe(packet, level),
                         [&](const auto& one) { return mqtt::encode_unsubscribe(one, level); });
        case PacketType::Disconnect:
            return again(mqtt::parse_disconnect(packet, level),
                         [](const auto& one) { return mqtt::encode_disconnect(one); });
        default:
            return again(mqtt::parse_packet_id(packet, level),
                         [](const auto& one) { return mqtt::encode_puback(one); });
    }
}

/// Nothing may come out before the last byte is in, and then exactly one packet.
std::string answer(std::uint8_t level, const Bytes& bytes) {
    mqtt::PacketReader reader(1 << 20);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        reader.append({&bytes[i], 1});
        const auto packet = reader.next();
        if (!packet) return "error: " + packet.error().message;
        if (packet->has_value() != (i + 1 == bytes.size())) return "error: cut at another place";
        if (!*packet) continue;
        const auto echoed = echo(**packet, level);
        return echoed ? hatchery::to_hex(*echoed) : "error: " + echoed.error().message;
    }
    return "error: not whole";
}

}  // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        int level = 0;
        std::string hex;
        words >> level >> hex;
        const auto bytes = hatchery::from_hex(hex);
        std::cout << (bytes ? answer(static_cast<std::uint8_t>(level), *bytes) : "error: no hex")
                  << '\n';
    }
}
