#include "provisioning/api/sigv4.h"

#include "ca/digest.h"
#include "provisioning/sigv4/signature.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace hatchery::api {
namespace {

using sigv4::kAlgorithm;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr minutes kSkew{15};
constexpr seconds kMaxExpires{604'800};  // seven days, SigV4's limit for presigned requests
// Inputs of operations: unsigned, anybody on the way could add or change them.
constexpr std::array<std::string_view, 3> kInputHeaders = {
    "x-amzn-principal", "x-amzn-iot-principal", "x-amzn-iot-policy"};

/// What a signature claims, from either form.
struct Claim {
    std::string key_id, date, region, service;  // of the credential scope
    std::vector<std::string> signed_headers;
    std::string signature;
    std::string timestamp;  // YYYYMMDDTHHMMSSZ
    std::optional<seconds> expires;
    bool presigned = false;
};

Error refuse(std::string message, std::string_view where = kBadSignature) {
    return fail(Code::Unauthenticated, std::move(message), std::string(where));
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

std::optional<std::string_view> header(const SignedRequest& request, std::string_view name) {
    for (const auto& field : request.headers) {
        if (field.name == name) return field.value;
    }
    return std::nullopt;
}

/// KEY/DATE/REGION/SERVICE/aws4_request
Result<> read_credential(std::string_view text, Claim& claim) {
    const auto parts = split(text, '/');
    if (parts.size() != 5 || parts[0].empty() || parts[1].size() != 8 || parts[2].empty()) {
        return refuse("expected a Credential of the form KEY/DATE/REGION/SERVICE/aws4_request");
    }
    if (parts[4] != "aws4_request") {
        return refuse("expected a Credential that ends with aws4_request");
    }
    claim.key_id = parts[0];
    claim.date = parts[1];
    claim.region = parts[2];
    claim.service = parts[3];
    return {};
}

Result<> read_signed_headers(std::string_view text, Claim& claim) {
    for (const auto& name : split(text, ';'))
        claim.signed_headers.emplace_back(name);
    if (claim.signed_headers.size() > 64) return refuse("expected at most 64 signed headers");
    if (std::find(claim.signed_headers.begin(), claim.signed_headers.end(), "host") ==
        claim.signed_headers.end()) {
        return refuse("expected 'host' among the signed headers");
    }
    return {};
}

Result<> read_signature(std::string_view text, Claim& claim) {
    const bool is_hex = text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
                            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                        });
    if (!is_hex) return refuse("expected a Signature of 64 lower-case hexadecimal digits");
    claim.signature = text;
    return {};
}

/// "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…", members in any order.
Result<Claim> from_header(const SignedRequest& request, std::string_view authorization) {
    authorization = trim(authorization);
    if (!authorization.starts_with(kAlgorithm) || authorization.size() == kAlgorithm.size() ||
        authorization[kAlgorithm.size()] != ' ') {
        return refuse("expected an Authorization header that begins with AWS4-HMAC-SHA256");
    }
    authorization.remove_prefix(kAlgorithm.size());
    std::optional<std::string_view> credential, signed_headers, signature;
    for (const auto& member : split(authorization, ',')) {
        const std::string_view text = trim(member);
        const std::size_t equals = text.find('=');
        const std::string_view name = text.substr(0, equals);
        if (equals == std::string_view::npos) continue;
        if (name == "Credential") credential = text.substr(equals + 1);
        if (name == "SignedHeaders") signed_headers = text.substr(equals + 1);
        if (name == "Signature") signature = text.substr(equals + 1);
    }
    if (!credential || !signed_headers || !signature) {
        return refuse(
            "expected Credential, SignedHeaders and Signature in the Authorization header");
    }
    const auto date = header(request, "x-amz-date");
    if (!date) return refuse("expected an X-Amz-Date header");
    Claim claim;
    claim.timestamp = trim(*date);
    if (auto read = read_credential(*credential, claim); !read) return std::move(read).error();
    if (auto read = read_signed_headers(*signed_headers, claim); !read) {
        return std::move(read).error();
    }
    if (auto read = read_signature(*signature, claim); !read) return std::move(read).error();
    return claim;
}

Result<Claim> from_query(const SignedRequest& request) {
    const Target& target = request.target;
    if (target.parameter("X-Amz-Algorithm") != kAlgorithm) {
        return refuse("expected X-Amz-Algorithm=AWS4-HMAC-SHA256");
    }
    const auto credential = target.parameter("X-Amz-Credential");
    const auto date = target.parameter("X-Amz-Date");
    const auto expires = target.parameter("X-Amz-Expires");
    const auto signed_headers = target.parameter("X-Amz-SignedHeaders");
    const auto signature = target.parameter("X-Amz-Signature");
    if (!credential || !date || !expires || !signed_headers || !signature) {
        return refuse(
            "expected X-Amz-Credential, X-Amz-Date, X-Amz-Expires, X-Amz-SignedHeaders and "
            "X-Amz-Signature in the query");
    }
    int count = 0;
    const auto read = std::from_chars(expires->data(), expires->data() + expires->size(), count);
    if (read.ec != std::errc() || read.ptr != expires->data() + expires->size() || count < 1 ||
        seconds(count) > kMaxExpires) {
        return refuse("expected X-Amz-Expires between 1 and 604800");
    }
    Claim claim;
    claim.presigned = true;
    claim.expires = seconds(count);
    claim.timestamp = *date;
    if (auto parsed = read_credential(*credential, claim); !parsed) {
        return std::move(parsed).error();
    }
    if (auto parsed = read_signed_headers(*signed_headers, claim); !parsed) {
        return std::move(parsed).error();
    }
    if (auto parsed = read_signature(*signature, claim); !parsed) return std::move(parsed).error();
    return claim;
}

Result<> check_time(const Claim& claim, Time now) {
    const auto signed_at = sigv4::parse_timestamp(claim.timestamp);
    if (!signed_at) {
        return refuse("expected X-Amz-Date in the form YYYYMMDDTHHMMSSZ");
    }
    if (!std::string_view(claim.timestamp).starts_with(claim.date)) {
        return refuse(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
            "date from HTTP: '" +
            claim.date + "' != '" + claim.timestamp.substr(0, 8) + "'");
    }
    if (*signed_at > now + kSkew) {
        return refuse("Signature not yet current: " + to_iso8601(*signed_at) +
                      " is more than 15 minutes after " + to_iso8601(now));
    }
    const auto last = claim.expires ? *signed_at + *claim.expires : *signed_at + kSkew;
    if (now > last) {
        return refuse("Signature expired: signed at " + to_iso8601(*signed_at) + ", valid until " +
                      to_iso8601(last) + ", now " + to_iso8601(now));
    }
    return {};
}

/// Outer white space off, inner runs to one space, equal names joined by a comma.
Result<std::string> canonical_value(const SignedRequest& request, std::string_view name) {
    std::string joined;
    bool found = false;
    for (const auto& field : request.headers) {
        if (field.name != name) continue;
        if (found) joined += ',';
        found = true;
        bool space = false;
        for (const char c : trim(field.value)) {
            const bool is_space = c == ' ' || c == '\t';
            if (is_space && space) continue;
            joined += is_space ? ' ' : c;
            space = is_space;
        }
    }
    if (!found) return refuse("expected the signed header '" + std::string(name) + "'");
    return joined;
}

Result<std::string> canonical_headers(const SignedRequest& request, const Claim& claim) {
    std::string text;
    for (const auto& name : claim.signed_headers) {
        auto value = canonical_value(request, name);
        if (!value) return std::move(value).error();
        text.append(name).append(":").append(*value).append("\n");
    }
    return text;
}

std::string canonical_query(const SignedRequest& request, const Claim& claim) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto& [name, value] : request.target.query) {
        if (claim.presigned && name == "X-Amz-Signature") continue;
        pairs.emplace_back(percent_encode(name, Slash::Encode),
                           percent_encode(value, Slash::Encode));
    }
    std::sort(pairs.begin(), pairs.end());
    std::string text;
    for (const auto& [name, value] : pairs) {
        if (!text.empty()) text += '&';
        text.append(name).append("=").append(value);
    }
    return text;
}

/// The body's digest; a client that states one must have stated this one.
Result<std::string> payload_hash(const SignedRequest& request) {
    std::string digest = to_hex(ca::sha256(bytes_of(request.body)));
    if (const auto stated = header(request, "x-amz-content-sha256"); stated && *stated != digest) {
        return refuse("The value of x-amz-content-sha256 does not match the SHA-256 of the body");
    }
    return digest;
}

std::string join(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) {
        if (!text.empty()) text += ';';
        text += name;
    }
    return text;
}

Result<std::string> canonical_request(const SignedRequest& request, const Claim& claim) {
    auto digest = payload_hash(request);
    if (!digest) return std::move(digest).error();
    auto headers = canonical_headers(request, claim);
    if (!headers) return std::move(headers).error();
    std::string text(request.method);
    text.append("\n").append(percent_encode(request.target.path, Slash::Keep));
    text.append("\n").append(canonical_query(request, claim));
    text.append("\n").append(*headers);
    text.append("\n").append(join(claim.signed_headers));
    text.append("\n").append(*digest);
    return text;
}

Result<> check_service(const Claim& claim, std::span<const std::string_view> services) {
    if (std::find(services.begin(), services.end(), claim.service) != services.end()) return {};
    return refuse("Credential should be scoped to correct service: '" + std::string(services[0]) +
                  "'");
}

Result<> check_inputs_signed(const SignedRequest& request, const Claim& claim) {
    for (const auto& name : kInputHeaders) {
        if (!header(request, name)) continue;
        if (std::find(claim.signed_headers.begin(), claim.signed_headers.end(), name) ==
            claim.signed_headers.end()) {
            return refuse("expected '" + std::string(name) + "' among the signed headers");
        }
    }
    return {};
}

Result<Claim> read_claim(const SignedRequest& request) {
    if (const auto authorization = header(request, "authorization")) {
        return from_header(request, *authorization);
    }
    if (request.target.parameter("X-Amz-Algorithm")) return from_query(request);
    return refuse("Missing Authentication Token", kNoSignature);
}

}  // namespace

std::string claimed_service(const SignedRequest& request) {
    auto claim = read_claim(request);
    return claim ? std::move(claim->service) : std::string();
}

Result<std::shared_ptr<const AccessKey>> verify(const SignedRequest& request,
                                                Time now,
                                                const KeyLookup& find_key,
                                                std::span<const std::string_view> services) {
    auto claim = read_claim(request);
    if (!claim) return std::move(claim).error();
    if (auto known = check_service(*claim, services); !known) return std::move(known).error();
    if (auto timely = check_time(*claim, now); !timely) return std::move(timely).error();
    if (auto inputs = check_inputs_signed(request, *claim); !inputs) {
        return std::move(inputs).error();
    }
    auto canonical = canonical_request(request, *claim);
    if (!canonical) return std::move(canonical).error();
    auto key = find_key(claim->key_id);
    if (!key && key.error().code == Code::NotFound) {
        return refuse("The security token included in the request is invalid", kUnknownKey);
    }
    if (!key) return std::move(key).error();
    const std::string expected = sigv4::signature(
        (*key)->secret, {claim->date, claim->region, claim->service}, claim->timestamp, *canonical);
    if (!ca::equal_constant_time(bytes_of(expected), bytes_of(claim->signature))) {
        return refuse(
            "The request signature we calculated does not match the signature you "
            "provided. Check your AWS Secret Access Key and signing method");
    }
    return std::move(*key);
}

}  // namespace hatchery::api
