// Digests, MACs and randomness over OpenSSL, as plain bytes.
#pragma once

#include "ca/base/bytes.h"

#include <array>

namespace hatchery::ca {

std::array<std::uint8_t, 32> sha256(ByteView data);
std::array<std::uint8_t, 20> sha1(ByteView data);  ///< names only, never a security decision
std::array<std::uint8_t, 32> hmac_sha256(ByteView key, ByteView data);
/// From the operating system's CSPRNG. Aborts if there is no randomness: no caller could go on.
Bytes random_bytes(std::size_t count);
/// A random (version 4) UUID's 16 bytes (RFC 4122).
Bytes random_uuid_bytes();
/// The same in its 36-character text form.
std::string random_uuid();
/// Compares in time that depends on the lengths only.
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace hatchery::ca
