// Private to ca/: the little DER (ITU-T X.690) that issuing needs, reading and writing plain bytes.
#pragma once

#include "ca/base/bytes.h"
#include "ca/base/clock.h"

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace hatchery::ca::der {

inline constexpr std::uint8_t kBoolean = 0x01;
inline constexpr std::uint8_t kInteger = 0x02;
inline constexpr std::uint8_t kBitString = 0x03;
inline constexpr std::uint8_t kOctetString = 0x04;
inline constexpr std::uint8_t kNullTag = 0x05;
inline constexpr std::uint8_t kOid = 0x06;
inline constexpr std::uint8_t kEnumerated = 0x0a;
inline constexpr std::uint8_t kUtf8String = 0x0c;
inline constexpr std::uint8_t kNumericString = 0x12;
inline constexpr std::uint8_t kPrintableString = 0x13;
inline constexpr std::uint8_t kTeletexString = 0x14;
inline constexpr std::uint8_t kIa5String = 0x16;
inline constexpr std::uint8_t kUtcTime = 0x17;
inline constexpr std::uint8_t kGeneralizedTime = 0x18;
inline constexpr std::uint8_t kUniversalString = 0x1c;
inline constexpr std::uint8_t kBmpString = 0x1e;
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

// Is this the content of …? X.690 sections 8 and 10.
bool is_integer(ByteView content);     ///< 8.3: at least one octet, no more than it takes
bool is_oid(ByteView content);         ///< 8.19: whole arcs without padding
bool is_bit_string(ByteView content);  ///< 8.6, 11.2: unused bits below 8, and zero
/// May `element` stand where any type may (ASN.1's ANY)? What is in a SEQUENCE or SET is not looked
/// at; a rare primitive type is no.
bool is_any(const Element& element);
/// Dotted text of an object identifier's content. Nothing if it is none, or has an arc over 2^64-1.
std::optional<std::string> oid_text(ByteView content);

/// The content of `bytes` if they are exactly one element of this tag.
std::optional<ByteView> only(std::uint8_t tag, ByteView bytes);

}  // namespace hatchery::ca::der
