// The packet parser over any bytes: no crash, no view outside the packet, and what it accepts it
// writes again as it was.
#include "provisioning/gateway/mqtt.h"

#include <cstdlib>

namespace mqtt = hatchery::gateway::mqtt;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void parse(const mqtt::Packet& packet, std::uint8_t level) {
    switch (packet.type) {
        case mqtt::PacketType::Connect:
            if (const auto connect = mqtt::parse_connect(packet)) {
                require(mqtt::encode_connect(*connect).size() <= packet.bytes.size() ||
                        connect->protocol_name != "MQTT" || connect->level != level);
            }
            break;
        case mqtt::PacketType::Publish:
            if (const auto publish = mqtt::parse_publish(packet, level)) {
                require(mqtt::encode_publish(*publish, level).size() <= packet.bytes.size());
                require(publish->topic.empty() ||
                        mqtt::topic_matches(publish->topic, publish->topic));
            }
            break;
        case mqtt::PacketType::Subscribe:
            if (const auto subscribe = mqtt::parse_subscribe(packet, level)) {
                require(mqtt::encode_subscribe(*subscribe, level).size() <= packet.bytes.size());
            }
            break;
        case mqtt::PacketType::Unsubscribe:
            if (const auto unsubscribe = mqtt::parse_unsubscribe(packet, level)) {
                require(mqtt::encode_unsubscribe(*unsubscribe, level).size() <=
                        packet.bytes.size());
            }
            break;
        case mqtt::PacketType::Suback:
            static_cast<void>(mqtt::parse_suback(packet, level).has_value());
            break;
        case mqtt::PacketType::Connack:
            static_cast<void>(mqtt::parse_connack(packet, level).has_value());
            break;
        default:
            static_cast<void>(mqtt::parse_packet_id(packet, level).has_value());
            static_cast<void>(mqtt::parse_disconnect(packet, level).has_value());
            static_cast<void>(mqtt::parse_empty(packet).has_value());
            break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kLimit = 4096;
    mqtt::PacketReader reader(kLimit);
    reader.append({data, size});
    for (;;) {
        const auto packet = reader.next();
        if (!packet || !*packet) return 0;
        require((*packet)->bytes.size() <= kLimit);
        require((*packet)->body.size() < (*packet)->bytes.size());
        parse(**packet, mqtt::kLevel311);
        parse(**packet, mqtt::kLevel5);
    }
}
