// Properties of MQTT 5 packets (OASIS, 7 March 2019, section 2.2.2). A list is kept as its bytes,
// without the length in front: most of them only pass.
#pragma once

#include "provisioning/gateway/mqtt.h"

#include <initializer_list>

namespace hatchery::gateway::mqtt {

namespace property {
inline constexpr std::uint8_t kCorrelationData = 0x09;
inline constexpr std::uint8_t kSubscriptionIdentifier = 0x0B;
inline constexpr std::uint8_t kSessionExpiryInterval = 0x11;
inline constexpr std::uint8_t kServerKeepAlive = 0x13;
inline constexpr std::uint8_t kAuthenticationMethod = 0x15;
inline constexpr std::uint8_t kAuthenticationData = 0x16;
inline constexpr std::uint8_t kWillDelayInterval = 0x18;
inline constexpr std::uint8_t kReceiveMaximum = 0x21;
inline constexpr std::uint8_t kTopicAliasMaximum = 0x22;
inline constexpr std::uint8_t kTopicAlias = 0x23;
inline constexpr std::uint8_t kMaximumQos = 0x24;
inline constexpr std::uint8_t kMaximumPacketSize = 0x27;
}  // namespace property

/// Where a list stands: each property is allowed in some places only.
enum class PropertyPlace : std::uint16_t {
    Connect = 1,
    Connack = 2,
    Publish = 4,
    Will = 8,
    Acknowledgement = 16,  ///< PUBACK, SUBACK, UNSUBACK
    Subscribe = 32,
    Unsubscribe = 64,
    Disconnect = 128,
};

/// @errors InvalidRequest  unknown, twice where once is allowed, in the wrong place, cut short, or
/// a value that the standard forbids
Result<> check_properties(ByteView properties, PropertyPlace place, PacketType type);

/// The value of a property that is a number. @pre check_properties
std::optional<std::uint32_t> integer_property(ByteView properties, std::uint8_t id);
/// The property as it is, its identifier in front; empty if absent. @pre check_properties
ByteView whole_property(ByteView properties, std::uint8_t id);
/// The list without the named ones. @pre check_properties
Bytes without_properties(ByteView properties, std::initializer_list<std::uint8_t> ids);
void append_property(Bytes& properties, std::uint8_t id, std::uint8_t value);
void append_property(Bytes& properties, std::uint8_t id, std::uint16_t value);
void append_property(Bytes& properties, std::uint8_t id, std::uint32_t value);

}  // namespace hatchery::gateway::mqtt
