#include "ca/digest.h"
#include "provisioning/rule_actions/deliver.h"
#include "provisioning/rule_actions/web.h"

namespace hatchery::rule_actions {

namespace {

std::string sha256_hex(ByteView data) {
    return to_hex(ca::sha256(data));
}

/// 20261125T220000Z
std::string basic_time(Time now) {
    std::string text = to_iso8601(now);
    std::erase(text, '-');
    std::erase(text, ':');
    return text;
}

}  // namespace

S3Signature sign_s3_put(const S3Options& options,
                        std::string_view host,
                        std::string_view path,
                        std::string_view acl,
                        ByteView payload,
                        Time now) {
    S3Signature made;
    made.date = basic_time(now);
    made.content_sha256 = sha256_hex(payload);
    const std::string day = made.date.substr(0, 8);
    const std::string names = std::string("host;") + (acl.empty() ? "" : "x-amz-acl;") +
                              "x-amz-content-sha256;x-amz-date";
    std::string request = "PUT\n" + std::string(path) + "\n\nhost:" + std::string(host) + "\n";
    if (!acl.empty()) request.append("x-amz-acl:").append(acl).append("\n");
    request += "x-amz-content-sha256:" + made.content_sha256 + "\nx-amz-date:" + made.date +
               "\n\n" + names + "\n" + made.content_sha256;
    const std::string scope = day + "/" + options.region + "/s3/aws4_request";
    const std::string to_sign =
        "AWS4-HMAC-SHA256\n" + made.date + "\n" + scope + "\n" + sha256_hex(bytes_of(request));
    std::string prefixed = "AWS4" + std::string(options.secret_access_key.text());
    const Secret start = Secret::take(prefixed);
    auto key = ca::hmac_sha256(start.view(), bytes_of(day));
    for (const std::string_view part : {std::string_view(options.region),
                                        std::string_view("s3"),
                                        std::string_view("aws4_request")})
        key = ca::hmac_sha256(key, bytes_of(part));
    made.authorization = "AWS4-HMAC-SHA256 Credential=" + options.access_key_id + "/" + scope +
                         ", SignedHeaders=" + names +
                         ", Signature=" + to_hex(ca::hmac_sha256(key, bytes_of(to_sign)));
    return made;
}

Result<> deliver_s3(const Delivery& delivery,
                    const S3Options& options,
                    std::chrono::seconds timeout) {
    if (options.endpoint.empty()) {
        return fail(Code::Unavailable, "hatchery.toml has no rules.s3.endpoint");
    }
    const std::string path = "/" + percent_encode(delivery.text("bucketName"), Slash::Encode) +
                             "/" + percent_encode(delivery.text("key"), Slash::Keep);
    const std::string acl = delivery.text("cannedAcl");
    WebRequest request{"PUT", options.endpoint + path, {}, delivery.payload, options.ca_file};
    const auto host = host_of(request.url);
    if (!host) return host.error();
    const auto signature = sign_s3_put(options, *host, path, acl, delivery.payload, delivery.now);
    request.headers = {{"Host", *host},
                       {"x-amz-content-sha256", signature.content_sha256},
                       {"x-amz-date", signature.date},
                       {"Authorization", signature.authorization}};
    if (!acl.empty()) request.headers.emplace("x-amz-acl", acl);
    return send_web(request, timeout);
}

}  // namespace hatchery::rule_actions
