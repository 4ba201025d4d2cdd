#include "ca/digest.h"
#include "provisioning/rule_actions/deliver.h"
#include "provisioning/rule_actions/web.h"
#include "provisioning/sigv4/signature.h"

namespace hatchery::rule_actions {

S3Signature sign_s3_put(const S3Options& options,
                        std::string_view host,
                        std::string_view path,
                        std::string_view acl,
                        ByteView payload,
                        Time now) {
    S3Signature made;
    made.date = sigv4::to_timestamp(now);
    made.content_sha256 = to_hex(ca::sha256(payload));
    const std::string names = std::string("host;") + (acl.empty() ? "" : "x-amz-acl;") +
                              "x-amz-content-sha256;x-amz-date";
    std::string request = "PUT\n" + std::string(path) + "\n\nhost:" + std::string(host) + "\n";
    if (!acl.empty()) request.append("x-amz-acl:").append(acl).append("\n");
    request += "x-amz-content-sha256:" + made.content_sha256 + "\nx-amz-date:" + made.date +
               "\n\n" + names + "\n" + made.content_sha256;
    const sigv4::Scope scope{std::string_view(made.date).substr(0, 8), options.region, "s3"};
    made.authorization = std::string(sigv4::kAlgorithm) + " Credential=" + options.access_key_id +
                         "/" + scope.text() + ", SignedHeaders=" + names + ", Signature=" +
                         sigv4::signature(options.secret_access_key, scope, made.date, request);
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
