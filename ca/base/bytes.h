// Byte strings and their text forms. No I/O, no OpenSSL.
#pragma once

#include "ca/base/error.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

/// The bytes of `text`, not copied; `text` must outlive the view.
inline ByteView bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
/// The bytes as text, not copied; `bytes` must outlive the view.
inline std::string_view text_of(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(ByteView view) {
    return {view.begin(), view.end()};
}

/// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);
/// @errors InvalidRequest  odd length or a character that is no hexadecimal digit
Result<Bytes> from_hex(std::string_view text);

/// RFC 4648 section 4, with padding, one line.
std::string to_base64(ByteView bytes);
/// White space is skipped. @errors InvalidRequest  any other character outside the alphabet, or bad
/// padding
Result<Bytes> from_base64(std::string_view text);

/// Percent-encodes everything but RFC 3986's unreserved characters, with upper-case digits, as
/// SigV4 wants it; '/' is kept with Slash::Keep.
enum class Slash { Encode, Keep };
std::string percent_encode(std::string_view text, Slash slash);

/// An unsigned big-endian integer of any length in decimal ("0" for an empty or all-zero string).
std::string to_decimal(ByteView big_endian);

}  // namespace hatchery
