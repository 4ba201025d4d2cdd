#include "ca/der.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace hatchery::ca::der {

Bytes tlv(std::uint8_t tag, std::initializer_list<ByteView> parts) {
    std::size_t size = 0;
    for (auto part : parts)
        size += part.size();
    std::size_t octets = 0;  // of the length, beyond its first
    while (size >= 128 && octets < 4 && size >> (8 * octets) != 0)
        ++octets;
    Bytes out(2 + octets + size);
    std::uint8_t* at = out.data();
    *at++ = tag;
    *at++ = static_cast<std::uint8_t>(octets == 0 ? size : 0x80 | octets);
    for (std::size_t i = octets; i-- > 0;)
        *at++ = static_cast<std::uint8_t>(size >> (8 * i));
    for (auto part : parts)
        at = std::copy(part.begin(), part.end(), at);
    return out;
}

Bytes integer(ByteView magnitude) {
    while (magnitude.size() > 1 && magnitude.front() == 0)
        magnitude = magnitude.subspan(1);
    static constexpr std::array<std::uint8_t, 1> zero{0};
    if (magnitude.empty()) return tlv(kInteger, {zero});
    if ((magnitude.front() & 0x80) != 0) return tlv(kInteger, {zero, magnitude});
    return tlv(kInteger, {magnitude});
}

Bytes small_integer(unsigned value) {
    return {kInteger, 1, static_cast<std::uint8_t>(value & 0x7f)};
}

Bytes boolean_true() {
    return {kBoolean, 1, 0xff};
}

Bytes bit_string(ByteView content) {
    static constexpr std::array<std::uint8_t, 1> no_unused_bits{0};
    return tlv(kBitString, {no_unused_bits, content});
}

namespace {

constexpr std::size_t kMaxArcs = 34;  ///< of an object identifier that is written

/// A few octets on the stack: identifiers and times are written for every certificate.
template <class T, std::size_t N>
class Short {
  public:
    void put(T item) { items_[size_++] = item; }
    const T* data() const { return items_.data(); }
    std::size_t size() const { return size_; }

  private:
    std::array<T, N> items_;
    std::size_t size_ = 0;
};
using ShortOid = Short<std::uint8_t, 5 * kMaxArcs>;

/// Base 128, most significant group first, every octet but the last with its top bit set.
void append_arc(ShortOid& out, std::uint64_t arc) {
    int groups = 1;
    while (arc >> (7 * groups) != 0)
        ++groups;
    while (groups-- > 0)
        out.put(static_cast<std::uint8_t>((arc >> (7 * groups) & 0x7f) | (groups > 0 ? 0x80 : 0)));
}

}  // namespace

std::optional<Bytes> oid(std::string_view dotted) {
    ShortOid content;
    std::uint32_t first = 0;
    std::size_t index = 0;
    const char* at = dotted.data();
    const char* const end = at + dotted.size();
    for (;; ++index) {
        std::uint32_t arc = 0;
        const auto [next, error] = std::from_chars(at, end, arc);
        if (error != std::errc{} || index >= kMaxArcs - 1) return std::nullopt;
        if (index == 0) {
            if (arc > 2) return std::nullopt;
            first = arc;
        } else if (index == 1) {
            if (first < 2 && arc > 39) return std::nullopt;
            append_arc(content, std::uint64_t{first} * 40 + arc);
        } else {
            append_arc(content, arc);
        }
        if (next == end) break;
        if (*next != '.') return std::nullopt;
        at = next + 1;
    }
    if (index < 1) return std::nullopt;
    return tlv(kOid, {ByteView(content.data(), content.size())});
}

Bytes time(Time when) {
    const auto day = std::chrono::floor<std::chrono::days>(when);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{when - day};
    const int year = static_cast<int>(date.year());
    const bool utc = year >= 1950 && year < 2050;
    Short<std::uint8_t, 16> text;
    const auto two_digits = [&text](unsigned number) {
        text.put(static_cast<std::uint8_t>('0' + number / 10 % 10));
        text.put(static_cast<std::uint8_t>('0' + number % 10));
    };
    if (!utc) two_digits(static_cast<unsigned>(year) / 100);
    two_digits(static_cast<unsigned>(year) % 100);
    two_digits(static_cast<unsigned>(date.month()));
    two_digits(static_cast<unsigned>(date.day()));
    two_digits(static_cast<unsigned>(clock.hours().count()));
    two_digits(static_cast<unsigned>(clock.minutes().count()));
    two_digits(static_cast<unsigned>(clock.seconds().count()));
    text.put('Z');
    return tlv(utc ? kUtcTime : kGeneralizedTime, {ByteView(text.data(), text.size())});
}

std::optional<Element> Reader::next() {
    if (rest_.size() < 2 || (rest_[0] & 0x1f) == 0x1f) return std::nullopt;
    std::size_t size = rest_[1];
    std::size_t header = 2;
    if (size >= 128) {
        const std::size_t octets = size & 0x7f;
        if (octets == 0 || octets > 4 || rest_.size() < 2 + octets || rest_[2] == 0) {
            return std::nullopt;
        }
        size = 0;
        for (std::size_t i = 0; i < octets; ++i)
            size = size << 8 | rest_[2 + i];
        if (size < 128) return std::nullopt;  // X.690 10.1: the shortest form
        header += octets;
    }
    if (rest_.size() - header < size) return std::nullopt;
    Element element{rest_[0], rest_.subspan(header, size), rest_.first(header + size)};
    rest_ = rest_.subspan(header + size);
    return element;
}

std::optional<Element> Reader::next_if(std::uint8_t tag) {
    if (rest_.empty() || rest_[0] != tag) return std::nullopt;
    return next();
}

bool is_integer(ByteView content) {
    if (content.empty()) return false;
    if (content.size() == 1) return true;
    const bool padded =
        (content[0] == 0x00 && content[1] < 0x80) || (content[0] == 0xff && content[1] >= 0x80);
    return !padded;
}

bool is_oid(ByteView content) {
    if (content.empty() || (content.back() & 0x80) != 0) return false;
    bool at_start = true;
    for (const auto octet : content) {
        if (at_start && octet == 0x80) return false;
        at_start = (octet & 0x80) == 0;
    }
    return true;
}

bool is_bit_string(ByteView content) {
    if (content.empty() || content[0] > 7) return false;
    if (content.size() == 1) return content[0] == 0;
    return (content.back() & ((1U << content[0]) - 1U)) == 0;
}

bool is_any(const Element& element) {
    switch (element.tag) {
        case kSequence:
        case kSet:
        case kOctetString:
        case kUtf8String:
        case kNumericString:
        case kPrintableString:
        case kTeletexString:
        case kIa5String:
            return true;
        case kBoolean:
            return element.content.size() == 1;
        case kNullTag:
            return element.content.empty();
        case kInteger:
        case kEnumerated:
            return is_integer(element.content);
        case kBitString:
            return is_bit_string(element.content);
        case kOid:
            return is_oid(element.content);
        case kUniversalString:
            return element.content.size() % 4 == 0;
        case kBmpString:
            return element.content.size() % 2 == 0;
        default:
            return false;
    }
}

std::optional<std::string> oid_text(ByteView content) {
    if (!is_oid(content)) return std::nullopt;
    std::string text;
    text.reserve(4 * content.size());
    const auto append = [&text](std::uint64_t number) {
        std::array<char, 20> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
        text.append(digits.data(), end);
    };
    std::uint64_t arc = 0;
    bool is_first = true;
    for (const auto octet : content) {
        if (arc >> 57 != 0) return std::nullopt;
        arc = arc << 7 | (octet & 0x7fU);
        if ((octet & 0x80) != 0) continue;
        if (is_first) {  // 8.19.4: the first two arcs in one number
            const std::uint64_t top = std::min<std::uint64_t>(arc / 40, 2);
            append(top);
            arc -= top * 40;
            is_first = false;
        }
        text += '.';
        append(arc);
        arc = 0;
    }
    return text;
}

std::optional<ByteView> only(std::uint8_t tag, ByteView bytes) {
    Reader reader(bytes);
    const auto element = reader.next_if(tag);
    if (!element || !reader.done()) return std::nullopt;
    return element->content;
}

}  // namespace hatchery::ca::der
