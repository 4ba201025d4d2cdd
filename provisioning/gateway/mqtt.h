// Control packets of MQTT 3.1.1 (OASIS, 29 October 2014) and 5 (7 March 2019): only what identity
// and policy need. In: bytes of a stream, cut anywhere. Out: packets as views, their fields, and
// the few packets that we write ourselves. No I/O. Section numbers in mqtt.cc are those of 3.1.1,
// with "5:" in front those of 5. `level` says which of the two a packet belongs to; property lists
// (mqtt_properties.h) are checked, and empty with 3.1.1.
#pragma once

#include "ca/base/bytes.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::gateway::mqtt {

enum class PacketType : std::uint8_t {
    Connect = 1,
    Connack,
    Publish,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    Pingreq,
    Pingresp,
    Disconnect,
};
std::string_view to_string(PacketType type);  ///< "CONNECT" …

inline constexpr std::uint8_t kLevel311 = 4;  ///< protocol level of MQTT 3.1.1
inline constexpr std::uint8_t kLevel5 = 5;    ///< protocol level of MQTT 5

/// One control packet of a stream. Views live until the reader's next call.
struct Packet {
    PacketType type = PacketType::Connect;
    std::uint8_t flags = 0;  ///< low half of the first byte
    ByteView bytes;          ///< the whole packet, to be passed on as it is
    ByteView body;           ///< after the fixed header
};

/// Cuts a stream into packets. What it holds is bounded by the size limit plus one `append`.
class PacketReader {
  public:
    /// @param max_packet_bytes  whole packet, fixed header included
    explicit PacketReader(std::size_t max_packet_bytes) : max_packet_bytes_(max_packet_bytes) {}
    /// Takes the next bytes of the stream. Ends the life of views given out before.
    void append(ByteView bytes);
    /// The next whole packet, or nothing yet. A length over the limit is refused as soon as the
    /// fixed header is there: nothing is allocated for it. After an error the stream is lost.
    /// @errors InvalidRequest  packet type, flags or remaining length that the standard forbids
    /// @errors LimitExceeded   longer than max_packet_bytes
    Result<std::optional<Packet>> next();
    /// Bytes of a packet that is not whole yet, or that nobody has asked for.
    std::size_t buffered() const { return buffer_.size() - consumed_; }

  private:
    std::size_t max_packet_bytes_;
    Bytes buffer_;
    std::size_t consumed_ = 0;
};

struct Will {
    std::string topic;
    Bytes payload;
    std::uint8_t qos = 0;
    bool retain = false;
    Bytes properties{};
};

struct Connect {
    std::string protocol_name = "MQTT";
    std::uint8_t level = kLevel311;
    bool clean_session = true;
    std::uint16_t keep_alive = 0;  ///< seconds
    std::string client_id;
    std::optional<Will> will;
    std::optional<std::string> user_name;
    bool has_password = false;  ///< the password itself is never kept
    Bytes properties{};
};
/// Of any level but 3.1.1 and 5 only the protocol name and level are read: what follows has another
/// form.
/// @errors InvalidRequest
Result<Connect> parse_connect(const Packet& packet);

/// Views into the packet.
struct Publish {
    std::string_view topic;
    std::uint8_t qos = 0;
    bool retain = false;
    bool duplicate = false;
    std::uint16_t packet_id = 0;  ///< 0 with QoS 0
    ByteView payload;
    ByteView properties{};
};
/// With MQTT 5 the topic may be empty, when an alias stands for it. @errors InvalidRequest
Result<Publish> parse_publish(const Packet& packet, std::uint8_t level = kLevel311);

struct Subscription {
    std::string filter;
    std::uint8_t qos = 0;
    std::uint8_t options = 0;  ///< the other bits of the options byte, as they stand there
};
struct Subscribe {
    std::uint16_t packet_id = 0;
    std::vector<Subscription> subscriptions;
    Bytes properties{};
};
/// @errors InvalidRequest
Result<Subscribe> parse_subscribe(const Packet& packet, std::uint8_t level = kLevel311);

struct Unsubscribe {
    std::uint16_t packet_id = 0;
    std::vector<std::string> filters;
    Bytes properties{};
};
/// @errors InvalidRequest
Result<Unsubscribe> parse_unsubscribe(const Packet& packet, std::uint8_t level = kLevel311);

struct Connack {
    bool session_present = false;
    std::uint8_t return_code = 0;
    Bytes properties{};
};
/// @errors InvalidRequest
Result<Connack> parse_connack(const Packet& packet, std::uint8_t level = kLevel311);

struct Suback {
    std::uint16_t packet_id = 0;
    Bytes return_codes;
    Bytes properties{};
};
/// Of SUBACK, and of UNSUBACK with MQTT 5. @errors InvalidRequest
Result<Suback> parse_suback(const Packet& packet, std::uint8_t level = kLevel311);

/// Of PUBACK, and of UNSUBACK with 3.1.1. @errors InvalidRequest
Result<std::uint16_t> parse_packet_id(const Packet& packet, std::uint8_t level = kLevel311);
/// Of DISCONNECT: its reason code. @errors InvalidRequest
Result<std::uint8_t> parse_disconnect(const Packet& packet, std::uint8_t level = kLevel311);
/// Of PINGREQ and PINGRESP. @errors InvalidRequest
Result<> parse_empty(const Packet& packet);

/// User name and password are left out: they are the device's business with us.
Bytes encode_connect(const Connect& connect);
Bytes encode_connack(const Connack& connack, std::uint8_t level = kLevel311);
Bytes encode_publish(const Publish& publish, std::uint8_t level = kLevel311);
/// A reason code other than 0 is for MQTT 5 only.
Bytes encode_puback(std::uint16_t packet_id, std::uint8_t reason_code = 0);
Bytes encode_subscribe(const Subscribe& subscribe, std::uint8_t level = kLevel311);
Bytes encode_suback(const Suback& suback, std::uint8_t level = kLevel311);
Bytes encode_unsubscribe(const Unsubscribe& unsubscribe, std::uint8_t level = kLevel311);
Bytes encode_unsuback(std::uint16_t packet_id);
/// A reason code a filter.
Bytes encode_unsuback_v5(const Suback& unsuback);
Bytes encode_pingreq();
/// A reason code other than 0 is for MQTT 5 only.
Bytes encode_disconnect(std::uint8_t reason_code = 0);

/// A topic that a message may be published to: not empty, no wildcard (3.3.2.1, 4.7).
bool is_topic_name(std::string_view topic);
/// A topic filter: wildcards stand alone in their level, `#` only at the end (4.7.1).
bool is_topic_filter(std::string_view filter);
/// Does `filter` match `topic` (4.7)? A wildcard in the first level never matches a topic that
/// starts with `$`. @pre is_topic_filter(filter), is_topic_name(topic)
bool topic_matches(std::string_view filter, std::string_view topic);

}  // namespace hatchery::gateway::mqtt
