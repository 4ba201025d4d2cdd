#include "provisioning/files/presign.h"

#include "ca/digest.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

namespace hatchery::files {

namespace {

constexpr std::string_view kSignatureName = "AWS4-HMAC-SHA256";
constexpr std::int64_t kMostSeconds = 7 * 24 * 3600;  // S3's limit

/// "20130524T000000Z".
std::string basic_time(Time time) {
    std::string text = to_iso8601(time);
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    return text;
}

/// The `count` digits at `at`, or -1.
int digits_at(std::string_view text, std::size_t at, std::size_t count) {
    int value = 0;
    for (const char c : text.substr(at, count)) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

std::optional<Time> parse_basic_time(std::string_view text) {
    if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
    const int year = digits_at(text, 0, 4), month = digits_at(text, 4, 2);
    const int day = digits_at(text, 6, 2), hour = digits_at(text, 9, 2);
    const int minute = digits_at(text, 11, 2), second = digits_at(text, 13, 2);
    const bool is_clock =
        hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60;
    if (year < 0 || month < 0 || day < 0 || !is_clock) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) return std::nullopt;
    return Time(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
           std::chrono::minutes(minute) + std::chrono::seconds(second);
}

/// The value of `name` in a query, as it stands there.
std::string_view parameter(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const auto part = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(part.size() + 1, query.size()));
        if (part.starts_with(name) && part.size() > name.size() && part[name.size()] == '=') {
            return part.substr(name.size() + 1);
        }
    }
    return {};
}

std::string signature(const PresignedGet& request,
                      const Secret& secret,
                      std::string_view query,
                      const std::string& stamp) {
    const std::string date = stamp.substr(0, 8);
    const std::string canonical = "GET\n" + request.path + "\n" + std::string(query) +
                                  "\nhost:" + request.host + "\n\nhost\nUNSIGNED-PAYLOAD";
    const std::string to_sign = std::string(kSignatureName) + "\n" + stamp + "\n" + date + "/" +
                                request.region + "/s3/aws4_request\n" +
                                to_hex(ca::sha256(bytes_of(canonical)));
    Bytes seed = to_bytes(bytes_of("AWS4"));
    seed.reserve(seed.size() + secret.view().size());
    seed.insert(seed.end(), secret.view().begin(), secret.view().end());
    Secret key(std::move(seed));
    for (const std::string_view step : {std::string_view(date),
                                        std::string_view(request.region),
                                        std::string_view("s3"),
                                        std::string_view("aws4_request")}) {
        key = Secret::copy_of(ca::hmac_sha256(key.view(), bytes_of(step)));
    }
    return to_hex(ca::hmac_sha256(key.view(), bytes_of(to_sign)));
}

}  // namespace

std::string presigned_query(const PresignedGet& request, const Secret& secret) {
    const std::string stamp = basic_time(request.signed_at);
    const std::string credential =
        request.key_id + "/" + stamp.substr(0, 8) + "/" + request.region + "/s3/aws4_request";
    // In the order of their names, as the canonical request has them.
    const std::string query =
        "X-Amz-Algorithm=" + std::string(kSignatureName) +
        "&X-Amz-Credential=" + percent_encode(credential, Slash::Encode) + "&X-Amz-Date=" + stamp +
        "&X-Amz-Expires=" + std::to_string(request.lifetime.count()) + "&X-Amz-SignedHeaders=host";
    return query + "&X-Amz-Signature=" + signature(request, secret, query, stamp);
}

Result<> check_presigned(PresignedGet request,
                         std::string_view query,
                         const Secret& secret,
                         Time now) {
    const auto stamp = parse_basic_time(parameter(query, "X-Amz-Date"));
    const auto expires = parameter(query, "X-Amz-Expires");
    std::int64_t seconds = 0;
    const auto read = std::from_chars(expires.data(), expires.data() + expires.size(), seconds);
    const bool is_whole = stamp && read.ec == std::errc() &&
                          read.ptr == expires.data() + expires.size() && seconds > 0 &&
                          seconds <= kMostSeconds && !parameter(query, "X-Amz-Signature").empty();
    if (!is_whole) {
        return fail(Code::Forbidden,
                    "expected a presigned link, with X-Amz-Date, X-Amz-Expires and "
                    "X-Amz-Signature in its query");
    }
    request.signed_at = *stamp;
    request.lifetime = std::chrono::seconds(seconds);
    // Everything that was signed comes back in one form only, so the whole query is compared.
    const std::string expected = presigned_query(request, secret);
    if (!ca::equal_constant_time(bytes_of(expected), bytes_of(query))) {
        return fail(Code::Forbidden, "the link was changed, or is none that this server made");
    }
    const Time end = *stamp + request.lifetime;
    if (now < end) return {};
    return fail(Code::Forbidden, "the link expired at " + to_iso8601(end));
}

}  // namespace hatchery::files
