// The MQTT 3.1.1 packets that a device sends and understands, as bytes. No I/O.
#pragma once

#include "ca/base/bytes.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::fleet {

/// MQTT 3.1.1, 2.2.1.
enum class PacketType : std::uint8_t {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Subscribe = 8,
    Suback = 9,
    Pingreq = 12,
    Disconnect = 14,
};

/// Clean session, no will, no user name (3.1).
Bytes encode_connect(std::string_view client_id, std::uint16_t keep_alive_seconds);
/// All filters with QoS 1 (3.8).
Bytes encode_subscribe(std::uint16_t packet_id, const std::vector<std::string>& filters);
/// QoS 1, not retained (3.3).
Bytes encode_publish(std::uint16_t packet_id, std::string_view topic, std::string_view payload);
Bytes encode_puback(std::uint16_t packet_id);
Bytes encode_disconnect();

struct Packet {
    PacketType type;
    std::uint8_t flags = 0;
    Bytes body;  ///< behind the fixed header
};

struct Message {
    std::string topic;
    std::string payload;
    int qos = 0;
    std::uint16_t packet_id = 0;  ///< for QoS 1
};
/// @errors InvalidRequest  the packet is cut short or has QoS 2
Result<Message> parse_publish(const Packet& packet);
/// The first two bytes as a number: the packet identifier of PUBACK and SUBACK.
/// @errors InvalidRequest  the packet is cut short
Result<std::uint16_t> parse_packet_id(const Packet& packet);

/// Cuts a stream of bytes into packets.
class PacketReader {
  public:
    void feed(ByteView bytes);
    /// The next whole packet, or nothing yet.
    /// @errors InvalidRequest  a remaining length over 256 KiB or of more than four bytes
    Result<std::optional<Packet>> next();

  private:
    Bytes buffer_;
};

}  // namespace hatchery::fleet
