// The name of a certificate in every box: SHA-256 of its DER, as AWS IoT's certificateId.
#pragma once

#include "ca/base/bytes.h"

#include <array>
#include <compare>
#include <cstring>
#include <functional>

namespace hatchery {

/// 32 bytes; the wire form is 64 lower-case hexadecimal characters.
struct CertificateId {
    std::array<std::uint8_t, 32> bytes{};

    /// @errors InvalidRequest  not 64 hexadecimal characters
    static Result<CertificateId> parse(std::string_view hex);
    /// @errors InvalidRequest  not 32 bytes
    static Result<CertificateId> from_bytes(ByteView view);
    std::string hex() const { return to_hex(bytes); }
    ByteView view() const { return bytes; }
    auto operator<=>(const CertificateId&) const = default;
};

}  // namespace hatchery

template <>
struct std::hash<hatchery::CertificateId> {
    std::size_t operator()(const hatchery::CertificateId& id) const noexcept {
        std::size_t value = 0;  // the id is a digest already
        std::memcpy(&value, id.bytes.data(), sizeof value);
        return value;
    }
};
