// Private to ca/: the little DER (ITU-T X.690) that issuing needs, reading and writing plain bytes.
#pragma once

#include "ca/base/bytes.h"
#include "ca/base/clock.h"

#include <initializer_list>
#include <optional>
#include <string_view>

namespace hatchery::ca::der {

inline constexpr std::uint8_t kBoolean = 0x01;
inline constexpr std::uint8_t kInteger = 0x02;
inline constexpr std::uint8_t kBitString = 0x03;
inline constexpr std::uint8_t kOctetString = 0x04;
inline constexpr std::uint8_t kOid = 0x06;
inline constexpr std::uint8_t kUtf8String = 0x0c;
inline constexpr std::uint8_t kPrintableString = 0x13;
inline constexpr std::uint8_t kIa5String = 0x16;
inline constexpr std::uint8_t kUtcTime = 0x17;
inline constexpr std::uint8_t kGeneralizedTime = 0x18;
inline constexpr std::uint8_t kSequence = 0x30;
inline constexpr std::uint8_t kSet = 0x31;

/// [number], primitive (implicitly tagged string) or constructed.
constexpr std::uint8_t context(unsigned number) {
    return static_cast<std::uint8_t>(0x80U | number);
}
constexpr std::uint8_t context_constructed(unsigned number) {
    return static_cast<std::uint8_t>(0xa0U | number);
}

/// Tag, length, and the parts one after another.
Bytes tlv(std::uint8_t tag, std::initializer_list<ByteView> parts);
inline Bytes sequence(std::initializer_list<ByteView> parts) {
    return tlv(kSequence, parts);
}
/// INTEGER of an unsigned magnitude.
Bytes integer(ByteView magnitude);
Bytes small_integer(unsigned value);  ///< below 128
Bytes boolean_true();
/// BIT STRING with no unused bits.
Bytes bit_string(ByteView content);
/// Nothing if `dotted` is no object identifier.
std::optional<Bytes> oid(std::string_view dotted);
/// UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280 4.1.2.5).
Bytes time(Time when);

/// One element; views into the bytes that were read.
struct Element {
    std::uint8_t tag = 0;
    ByteView content;
    ByteView whole;
};

/// Reads elements one after another; low tag numbers and definite minimal lengths only.
class Reader {
  public:
    explicit Reader(ByteView bytes) : rest_(bytes) {}
    bool done() const { return rest_.empty(); }
    /// The next element, or nothing if the bytes are not DER or at their end.
    std::optional<Element> next();
    /// The next element if it has this tag; the reader stays where it is otherwise.
    std::optional<Element> next_if(std::uint8_t tag);

  private:
    ByteView rest_;
};

/// The content of `bytes` if they are exactly one element of this tag.
std::optional<ByteView> only(std::uint8_t tag, ByteView bytes);

}  // namespace hatchery::ca::der
