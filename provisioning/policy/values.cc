#include "provisioning/policy/values.h"

#include "provisioning/policy/text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <limits>

namespace hatchery::policy {

namespace {

bool all_digits(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

template <class Number>
std::optional<Number> parse_number(std::string_view digits) {
    Number number = 0;
    const auto [stop, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc{} || stop != digits.data() + digits.size()) return std::nullopt;
    return number;
}

}  // namespace

std::optional<Decimal> Decimal::parse(std::string_view text) {
    Decimal decimal;
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
        decimal.is_negative_ = text[0] == '-';
        text.remove_prefix(1);
    }
    const auto dot = text.find('.');
    std::string_view whole = text.substr(0, dot);
    if (!all_digits(whole)) return std::nullopt;
    whole.remove_prefix(std::min(whole.find_first_not_of('0'), whole.size()));
    decimal.whole_ = whole;
    if (dot != std::string_view::npos) {
        std::string_view fraction = text.substr(dot + 1);
        if (!all_digits(fraction)) return std::nullopt;
        decimal.fraction_ = fraction.substr(0, fraction.find_last_not_of('0') + 1);
    }
    if (decimal.whole_.empty() && decimal.fraction_.empty()) decimal.is_negative_ = false;
    return decimal;
}

std::strong_ordering Decimal::operator<=>(const Decimal& other) const {
    if (is_negative_ != other.is_negative_) {
        return is_negative_ ? std::strong_ordering::less : std::strong_ordering::greater;
    }
    auto order = whole_.size() <=> other.whole_.size();
    if (std::is_eq(order)) order = whole_ <=> other.whole_;
    // Without trailing zeros, the text order of fractions is their order.
    if (std::is_eq(order)) order = fraction_ <=> other.fraction_;
    if (!is_negative_ || std::is_eq(order)) return order;
    return std::is_lt(order) ? std::strong_ordering::greater : std::strong_ordering::less;
}

namespace {

/// Reads a date-time from left to right; every step says whether the text still fits.
class DateReader {
  public:
    explicit DateReader(std::string_view text) : text_(text) {}

    bool at_end() const { return text_.empty(); }
    bool literal(char c) {
        if (text_.empty() || text_[0] != c) return false;
        text_.remove_prefix(1);
        return true;
    }
    bool number(std::size_t digits, int& value) {
        if (text_.size() < digits || !all_digits(text_.substr(0, digits))) return false;
        value = *parse_number<int>(text_.substr(0, digits));
        text_.remove_prefix(digits);
        return true;
    }
    /// ".25" as 250,000 microseconds; finer digits are dropped.
    bool fraction(int& microseconds) {
        std::size_t count = 0;
        int unit = 100'000;
        for (; count < text_.size() && all_digits(text_.substr(count, 1)); ++count) {
            microseconds += (text_[count] - '0') * unit;
            unit /= 10;
        }
        text_.remove_prefix(count);
        return count > 0;
    }

  private:
    std::string_view text_;
};

struct DateTime {
    int year = 1970;
    int month = 1;
    int day = 1;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int microsecond = 0;
    int offset_minutes = 0;
};

bool read_zone(DateReader& reader, DateTime& time) {
    if (reader.literal('Z')) return true;
    const bool is_west = reader.literal('-');
    if (!is_west && !reader.literal('+')) return false;
    int hours = 0;
    int minutes = 0;
    if (!reader.number(2, hours) || !reader.literal(':') || !reader.number(2, minutes))
        return false;
    if (hours > 14 || minutes > 59) return false;
    time.offset_minutes = (is_west ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

bool read_clock(DateReader& reader, DateTime& time) {
    if (!reader.number(2, time.hour) || !reader.literal(':') || !reader.number(2, time.minute)) {
        return false;
    }
    if (reader.literal(':') && !reader.number(2, time.second)) return false;
    if (reader.literal('.') && !reader.fraction(time.microsecond)) return false;
    return time.hour < 24 && time.minute < 60 && time.second < 61 && read_zone(reader, time);
}

bool read_date_time(DateReader& reader, DateTime& time) {
    if (!reader.number(4, time.year)) return false;
    if (reader.at_end()) return true;
    if (!reader.literal('-') || !reader.number(2, time.month)) return false;
    if (reader.at_end()) return true;
    if (!reader.literal('-') || !reader.number(2, time.day)) return false;
    if (reader.at_end()) return true;
    return reader.literal('T') && read_clock(reader, time) && reader.at_end();
}

}  // namespace

std::optional<Instant> parse_instant(std::string_view text) {
    if (text.size() != 4 && all_digits(text)) {
        const auto seconds = parse_number<std::int64_t>(text);
        if (!seconds || *seconds > std::numeric_limits<std::int64_t>::max() / 1'000'000) {
            return std::nullopt;
        }
        return *seconds * 1'000'000;
    }
    DateReader reader(text);
    DateTime time;
    if (!read_date_time(reader, time)) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(time.year),
                                           std::chrono::month(static_cast<unsigned>(time.month)),
                                           std::chrono::day(static_cast<unsigned>(time.day))};
    if (!date.ok()) return std::nullopt;
    const auto seconds =
        std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(time.hour) +
        std::chrono::minutes(time.minute - time.offset_minutes) + std::chrono::seconds(time.second);
    return std::chrono::microseconds(seconds).count() + time.microsecond;
}

std::optional<bool> parse_bool(std::string_view text) {
    if (equal_ignoring_case(text, "true")) return true;
    if (equal_ignoring_case(text, "false")) return false;
    return std::nullopt;
}

std::optional<IpRange> IpRange::parse(std::string_view text) {
    const auto slash = text.find('/');
    const std::string address(text.substr(0, slash));
    IpRange range;
    int offset_bits = 0;
    std::array<std::uint8_t, 4> v4{};
    if (inet_pton(AF_INET, address.c_str(), v4.data()) == 1) {
        range.address[10] = range.address[11] = 0xFF;
        std::memcpy(range.address.data() + 12, v4.data(), v4.size());
        offset_bits = 96;
    } else if (inet_pton(AF_INET6, address.c_str(), range.address.data()) != 1) {
        return std::nullopt;
    }
    if (slash == std::string_view::npos) return range;
    const auto digits = text.substr(slash + 1);
    const auto bits = all_digits(digits) ? parse_number<int>(digits) : std::nullopt;
    if (!bits || *bits > 128 - offset_bits) return std::nullopt;
    range.prefix_bits = *bits + offset_bits;
    return range;
}

bool IpRange::contains(const IpRange& other) const {
    if (other.prefix_bits < prefix_bits) return false;
    const auto bytes = static_cast<std::size_t>(prefix_bits / 8);
    if (std::memcmp(address.data(), other.address.data(), bytes) != 0) return false;
    const int rest = prefix_bits % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xFF << (8 - rest));
    return (address[bytes] & mask) == (other.address[bytes] & mask);
}

}  // namespace hatchery::policy
