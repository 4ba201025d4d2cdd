#include "tools/hatchery/template_registry.h"

#include "ca/digest.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/things.h"
#include "provisioning/sigv4/signature.h"
#include "tools/hatchery/data_directory.h"

#include <httplib.h>

#include <cstdlib>

namespace hatchery::command {

namespace {

using templates::ReferenceKind;

class DirectoryNames : public RegistryNames {
  public:
    explicit DirectoryNames(std::unique_ptr<store::Store> store) : store_(std::move(store)) {}

    Result<bool> exists(ReferenceKind kind, const std::string& name) override {
        return store_->read([&](store::Reader& reader) -> Result<bool> {
            switch (kind) {
                case ReferenceKind::ThingType:
                    return is_there(registry::find_thing_type(reader, name));
                case ReferenceKind::ThingGroup:
                    return is_there(registry::find_thing_group(reader, name));
                case ReferenceKind::BillingGroup:
                    return is_there(registry::find_billing_group(reader, name));
                case ReferenceKind::Policy:
                    break;
            }
            return is_there(registry::find_policy(reader, name));
        });
    }

  private:
    template <class T>
    static Result<bool> is_there(const Result<T>& found) {
        if (found) return true;
        if (found.error().code == Code::NotFound) return false;
        return found.error();
    }

    std::unique_ptr<store::Store> store_;
};

std::string variable(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread runs
    return value != nullptr ? value : "";
}

std::string_view path_of(ReferenceKind kind) {
    switch (kind) {
        case ReferenceKind::ThingType:
            return "/thing-types/";
        case ReferenceKind::ThingGroup:
            return "/thing-groups/";
        case ReferenceKind::BillingGroup:
            return "/billing-groups/";
        case ReferenceKind::Policy:
            break;
    }
    return "/policies/";
}

/// What signs a request (AWS "Signature Version 4 signing process").
struct Signer {
    std::string key_id, token, region, host;
    Secret secret;

    httplib::Headers headers(const std::string& path, Time now) const {
        const std::string time = sigv4::to_timestamp(now);
        const sigv4::Scope scope{std::string_view(time).substr(0, 8), region, "iot"};
        std::string signed_headers = "host;x-amz-date";
        std::string canonical_headers = "host:" + host + "\nx-amz-date:" + time + "\n";
        if (!token.empty()) {
            signed_headers += ";x-amz-security-token";
            canonical_headers += "x-amz-security-token:" + token + "\n";
        }
        // The path is encoded once more than it is sent, for every service but S3.
        const std::string request = "GET\n" + percent_encode(path, Slash::Keep) + "\n\n" +
                                    canonical_headers + "\n" + signed_headers + "\n" +
                                    to_hex(ca::sha256({}));
        const std::string signature = sigv4::signature(secret, scope, time, request);
        httplib::Headers headers = {
            {"Host", host},
            {"X-Amz-Date", time},
            {"Authorization",
             std::string(sigv4::kAlgorithm) + " Credential=" + key_id + "/" + scope.text() +
                 ", SignedHeaders=" + signed_headers + ", Signature=" + signature}};
        if (!token.empty()) headers.emplace("X-Amz-Security-Token", token);
        return headers;
    }
};

class EndpointNames : public RegistryNames {
  public:
    EndpointNames(const std::string& url, Signer signer)
        : url_(url), client_(url), signer_(std::move(signer)) {
        constexpr time_t timeout_seconds = 10;
        client_.set_connection_timeout(timeout_seconds);
        client_.set_read_timeout(timeout_seconds);
        client_.set_keep_alive(true);
        const std::string bundle = variable("AWS_CA_BUNDLE");
        if (!bundle.empty()) client_.set_ca_cert_path(bundle.c_str());
    }

    bool is_valid() const { return client_.is_valid(); }

    Result<bool> exists(ReferenceKind kind, const std::string& name) override {
        const std::string path = std::string(path_of(kind)) + percent_encode(name, Slash::Encode);
        const auto answer = client_.Get(path, signer_.headers(path, clock_now()));
        if (!answer) {
            return fail(Code::Unavailable,
                        "no answer from " + url_ + ": " + httplib::to_string(answer.error()));
        }
        if (answer->status == 200) return true;
        if (answer->status == 404) return false;
        return fail(answer->status == 403 ? Code::Unauthenticated : Code::Unavailable,
                    url_ + " answered " + std::to_string(answer->status) + " for " + path + ": " +
                        answer->body.substr(0, 300));
    }

  private:
    std::string url_;
    httplib::Client client_;
    Signer signer_;
};

Result<std::unique_ptr<RegistryNames>> open_endpoint(std::string url) {
    while (url.ends_with('/'))
        url.pop_back();
    Signer signer;
    signer.key_id = variable("AWS_ACCESS_KEY_ID");
    std::string secret = variable("AWS_SECRET_ACCESS_KEY");
    signer.secret = Secret::take(secret);
    signer.token = variable("AWS_SESSION_TOKEN");
    signer.region = variable("AWS_DEFAULT_REGION");
    if (signer.region.empty()) signer.region = variable("AWS_REGION");
    if (signer.region.empty()) signer.region = "us-east-1";
    signer.host = url.substr(url.find("://") + 3);
    if (signer.key_id.empty() || signer.secret.empty()) {
        return fail(Code::Unauthenticated,
                    "expected AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
                    "--registry");
    }
    if (signer.host.empty() || signer.host.find('/') != std::string::npos) {
        return fail(Code::Unavailable,
                    "expected a URL of scheme, host and port alone, found " + url,
                    "--registry");
    }
    auto names = std::make_unique<EndpointNames>(url, std::move(signer));
    if (!names->is_valid()) {
        return fail(Code::Unavailable, "expected a URL, found " + url, "--registry");
    }
    return std::unique_ptr<RegistryNames>(std::move(names));
}

}  // namespace

Result<std::unique_ptr<RegistryNames>> open_registry(const std::string& where) {
    if (where.starts_with("http://") || where.starts_with("https://")) return open_endpoint(where);
    auto data = DataDirectory::open(where);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    return std::unique_ptr<RegistryNames>(std::make_unique<DirectoryNames>(*std::move(store)));
}

}  // namespace hatchery::command
