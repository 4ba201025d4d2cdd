// What the two halves of Session share: constants, and MQTT 5's reason codes (2.4). This box's own.
#pragma once

#include "provisioning/gateway/session.h"

namespace hatchery::gateway {

using mqtt::PacketType;

// Ours are taken from the top of the range, where brokers that count upwards come last.
inline constexpr std::uint16_t kFirstOwnId = 0xFF00;
inline constexpr std::uint16_t kLastOwnId = 0xFFFF;
inline constexpr std::uint8_t kMaxQos = 1;  // AWS IoT has no QoS 2

namespace reason {
inline constexpr std::uint8_t kDisconnectWithWill = 0x04;
inline constexpr std::uint8_t kUnspecified = 0x80;
inline constexpr std::uint8_t kMalformed = 0x81;
inline constexpr std::uint8_t kProtocolError = 0x82;
inline constexpr std::uint8_t kClientIdentifierNotValid = 0x85;
inline constexpr std::uint8_t kNotAuthorized = 0x87;
inline constexpr std::uint8_t kServerUnavailable = 0x88;  // CONNACK only
inline constexpr std::uint8_t kServerBusy = 0x89;
inline constexpr std::uint8_t kServerShuttingDown = 0x8B;  // DISCONNECT only
inline constexpr std::uint8_t kBadAuthenticationMethod = 0x8C;
inline constexpr std::uint8_t kKeepAliveTimeout = 0x8D;
inline constexpr std::uint8_t kSessionTakenOver = 0x8E;
inline constexpr std::uint8_t kTopicFilterInvalid = 0x8F;
inline constexpr std::uint8_t kTopicNameInvalid = 0x90;
inline constexpr std::uint8_t kTopicAliasInvalid = 0x94;
inline constexpr std::uint8_t kPacketTooLarge = 0x95;
inline constexpr std::uint8_t kQuotaExceeded = 0x97;
inline constexpr std::uint8_t kQosNotSupported = 0x9B;
}  // namespace reason

/// What a device of MQTT 5 is told when a session ends for `cause`.
constexpr std::uint8_t reason_of(CloseCause cause) {
    switch (cause) {
        case CloseCause::Malformed:
            return reason::kMalformed;
        case CloseCause::TooLarge:
            return reason::kPacketTooLarge;
        case CloseCause::Refused:
        case CloseCause::Denied:
            return reason::kNotAuthorized;
        case CloseCause::KeepAlive:
            return reason::kKeepAliveTimeout;
        case CloseCause::Provisioned:
        case CloseCause::UpstreamRefused:
        case CloseCause::UpstreamLost:
            return reason::kServerBusy;
        case CloseCause::Stopping:
            return reason::kServerShuttingDown;
        case CloseCause::TakenOver:
            return reason::kSessionTakenOver;
        case CloseCause::Limit:
            return reason::kQuotaExceeded;
        default:
            return reason::kUnspecified;
    }
}

std::string in_quotes(std::string_view name);

}  // namespace hatchery::gateway
