#include "provisioning/sigv4/signature.h"

#include "ca/digest.h"

namespace hatchery::sigv4 {

namespace {

constexpr std::string_view kTerminator = "aws4_request";

/// The `count` digits at `at`, or -1.
int digits_at(std::string_view text, std::size_t at, std::size_t count) {
    int value = 0;
    for (const char c : text.substr(at, count)) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

}  // namespace

std::string to_timestamp(Time time) {
    std::string text = to_iso8601(time);
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    return text;
}

std::optional<Time> parse_timestamp(std::string_view text) {
    if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
    const int year = digits_at(text, 0, 4), month = digits_at(text, 4, 2);
    const int day = digits_at(text, 6, 2), hour = digits_at(text, 9, 2);
    const int minute = digits_at(text, 11, 2), second = digits_at(text, 13, 2);
    if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0 || hour > 23 ||
        minute > 59 || second > 60) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok()) return std::nullopt;
    return Time(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
           std::chrono::minutes(minute) + std::chrono::seconds(second);
}

std::string Scope::text() const {
    std::string text(date);
    for (const auto part : {region, service, kTerminator})
        text.append("/").append(part);
    return text;
}

std::string signature(const Secret& secret,
                      const Scope& scope,
                      std::string_view timestamp,
                      std::string_view canonical_request) {
    std::string to_sign(kAlgorithm);
    to_sign.append("\n").append(timestamp).append("\n").append(scope.text());
    to_sign.append("\n").append(to_hex(ca::sha256(bytes_of(canonical_request))));
    Bytes seed = to_bytes(bytes_of("AWS4"));
    seed.reserve(seed.size() + secret.view().size());  // no reallocation leaves a copy behind
    seed.insert(seed.end(), secret.view().begin(), secret.view().end());
    Secret key(std::move(seed));
    for (const auto step : {scope.date, scope.region, scope.service, kTerminator})
        key = Secret::copy_of(ca::hmac_sha256(key.view(), bytes_of(step)));
    return to_hex(ca::hmac_sha256(key.view(), bytes_of(to_sign)));
}

}  // namespace hatchery::sigv4
