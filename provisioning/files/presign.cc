#include "provisioning/files/presign.h"

#include "ca/digest.h"
#include "provisioning/sigv4/signature.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace hatchery::files {

namespace {

constexpr std::int64_t kMostSeconds = 7 * 24 * 3600;  // S3's limit

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

}  // namespace

std::string presigned_query(const PresignedGet& request, const Secret& secret) {
    const std::string timestamp = sigv4::to_timestamp(request.signed_at);
    const sigv4::Scope scope{std::string_view(timestamp).substr(0, 8), request.region, "s3"};
    // In the order of their names, as the canonical request has them.
    const std::string query =
        "X-Amz-Algorithm=" + std::string(sigv4::kAlgorithm) +
        "&X-Amz-Credential=" + percent_encode(request.key_id + "/" + scope.text(), Slash::Encode) +
        "&X-Amz-Date=" + timestamp + "&X-Amz-Expires=" + std::to_string(request.lifetime.count()) +
        "&X-Amz-SignedHeaders=host";
    const std::string canonical = "GET\n" + request.path + "\n" + query + "\nhost:" + request.host +
                                  "\n\nhost\nUNSIGNED-PAYLOAD";
    return query + "&X-Amz-Signature=" + sigv4::signature(secret, scope, timestamp, canonical);
}

Result<> check_presigned(PresignedGet request,
                         std::string_view query,
                         const Secret& secret,
                         Time now) {
    const auto signed_at = sigv4::parse_timestamp(parameter(query, "X-Amz-Date"));
    const auto expires = parameter(query, "X-Amz-Expires");
    std::int64_t seconds = 0;
    const auto read = std::from_chars(expires.data(), expires.data() + expires.size(), seconds);
    const bool is_whole = signed_at && read.ec == std::errc() &&
                          read.ptr == expires.data() + expires.size() && seconds > 0 &&
                          seconds <= kMostSeconds && !parameter(query, "X-Amz-Signature").empty();
    if (!is_whole) {
        return fail(Code::Forbidden,
                    "expected a presigned link, with X-Amz-Date, X-Amz-Expires and "
                    "X-Amz-Signature in its query");
    }
    request.signed_at = *signed_at;
    request.lifetime = std::chrono::seconds(seconds);
    // Everything that was signed comes back in one form only, so the whole query is compared.
    const std::string expected = presigned_query(request, secret);
    if (!ca::equal_constant_time(bytes_of(expected), bytes_of(query))) {
        return fail(Code::Forbidden, "the link was changed, or is none that this server made");
    }
    const Time end = *signed_at + request.lifetime;
    if (now < end) return {};
    return fail(Code::Forbidden, "the link expired at " + to_iso8601(end));
}

}  // namespace hatchery::files
