// The typed values that condition operators compare.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hatchery::policy {

/// A decimal number of any length, compared exactly: certificate serial numbers have up to 49
/// digits, more than a double tells apart.
class Decimal {
  public:
    /// [+-]digits[.digits]; nothing for any other text.
    static std::optional<Decimal> parse(std::string_view text);
    std::strong_ordering operator<=>(const Decimal& other) const;
    bool operator==(const Decimal& other) const = default;

  private:
    bool is_negative_ = false;
    std::string whole_;     ///< without leading zeros
    std::string fraction_;  ///< without trailing zeros
};

/// Microseconds since 1970-01-01T00:00:00Z.
using Instant = std::int64_t;
/// W3C date-time (YYYY[-MM[-DD[Thh:mm[:ss[.f]](Z|+hh:mm|-hh:mm)]]]) or whole seconds since 1970.
/// Four digits are a year.
std::optional<Instant> parse_instant(std::string_view text);

/// "true" or "false", in any case.
std::optional<bool> parse_bool(std::string_view text);

/// An address range, IPv4 as IPv4-mapped IPv6 (RFC 4291 2.5.5.2) so that both compare alike.
struct IpRange {
    std::array<std::uint8_t, 16> address{};
    int prefix_bits = 128;

    /// "203.0.113.0/24", "2001:db8::/32", or an address alone.
    static std::optional<IpRange> parse(std::string_view text);
    bool contains(const IpRange& other) const;
};

}  // namespace hatchery::policy
