// MQTT 3.1.1 control packets (OASIS, 29 October 2014): only what identity and policy need. In:
// bytes of a stream, cut anywhere. Out: packets as views, their fields, and the few packets that we
// write ourselves. No I/O. Section numbers in mqtt.cc are the standard's.
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
};
/// Of any level but 3.1.1 only the protocol name and level are read: what follows has another form.
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
};
/// @errors InvalidRequest
Result<Publish> parse_publish(const Packet& packet);

struct Subscription {
    std::string filter;
    std::uint8_t qos = 0;
};
struct Subscribe {
    std::uint16_t packet_id = 0;
    std::vector<Subscription> subscriptions;
};
/// @errors InvalidRequest
Result<Subscribe> parse_subscribe(const Packet& packet);

struct Unsubscribe {
    std::uint16_t packet_id = 0;
    std::vector<std::string> filters;
};
/// @errors InvalidRequest
Result<Unsubscribe> parse_unsubscribe(const Packet& packet);

struct Connack {
    bool session_present = false;
    std::uint8_t return_code = 0;
};
/// @errors InvalidRequest
Result<Connack> parse_connack(const Packet& packet);

struct Suback {
    std::uint16_t packet_id = 0;
    Bytes return_codes;
};
/// @errors InvalidRequest
Result<Suback> parse_suback(const Packet& packet);

/// Of PUBACK and UNSUBACK, which hold nothing else. @errors InvalidRequest
Result<std::uint16_t> parse_packet_id(const Packet& packet);
/// Of PINGREQ, PINGRESP and DISCONNECT. @errors InvalidRequest
Result<> parse_empty(const Packet& packet);

/// User name and password are left out: they are the device's business with us.
Bytes encode_connect(const Connect& connect);
Bytes encode_connack(const Connack& connack);
/// CONNACK in MQTT 5's form, without properties.
Bytes encode_connack_v5(std::uint8_t reason_code);
Bytes encode_publish(const Publish& publish);
Bytes encode_puback(std::uint16_t packet_id);
Bytes encode_subscribe(const Subscribe& subscribe);
Bytes encode_suback(const Suback& suback);
Bytes encode_unsubscribe(const Unsubscribe& unsubscribe);
Bytes encode_unsuback(std::uint16_t packet_id);
Bytes encode_pingreq();
Bytes encode_disconnect();

/// Well-formed UTF-8 without U+0000 and surrogates (1.5.3).
bool is_utf8_string(std::string_view text);
/// A topic that a message may be published to: not empty, no wildcard (3.3.2.1, 4.7).
bool is_topic_name(std::string_view topic);
/// A topic filter: wildcards stand alone in their level, `#` only at the end (4.7.1).
bool is_topic_filter(std::string_view filter);
/// Does `filter` match `topic` (4.7)? A wildcard in the first level never matches a topic that
/// starts with `$`. @pre is_topic_filter(filter), is_topic_name(topic)
bool topic_matches(std::string_view filter, std::string_view topic);

}  // namespace hatchery::gateway::mqtt
