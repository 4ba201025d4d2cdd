#include "provisioning/enroll/status.h"

#include "provisioning/enroll/log.h"
#include "provisioning/flows/issue.h"
#include "provisioning/registry/revocations.h"

#include <nlohmann/json.hpp>
#include <spdlog/logger.h>

#include <array>
#include <charconv>

namespace hatchery::enroll {
namespace {

using std::chrono::hours;

constexpr std::chrono::seconds kOcspLifetime = hours(12);
constexpr std::chrono::seconds kOcspFresh = hours(1);  // a cached answer serves so long
constexpr std::size_t kMaxCached = 1U << 16U;
constexpr std::string_view kCrlPath = "/crl/";
constexpr std::string_view kCaPath = "/ca/";
constexpr std::string_view kOcspPath = "/ocsp";
constexpr std::string_view kHealthPath = "/health";

http::Response plain(int status, std::string_view text) {
    http::Response response;
    response.status = status;
    response.content_type = "text/plain";
    response.body = std::string(text) + "\n";
    return response;
}

http::Response binary(std::string type, ByteView der) {
    http::Response response;
    response.content_type = std::move(type);
    response.body = text_of(der);
    return response;
}

void cache_for(http::Response& response, std::chrono::seconds age) {
    response.headers.push_back(
        {"Cache-Control", "public, max-age=" + std::to_string(std::max<long>(0, age.count()))});
}

http::Response ocsp_response(ByteView der) {
    return binary("application/ocsp-response", der);
}

/// "%2B" and the like; anything malformed stays and fails as base64.
std::string percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            if (auto byte = from_hex(text.substr(i + 1, 2)); byte) {
                out += static_cast<char>(byte->front());
                i += 2;
                continue;
            }
        }
        out += text[i];
    }
    return out;
}

ca::OcspAnswer unknown(const ca::OcspCertId& id) {
    ca::OcspAnswer answer;
    answer.id = id;
    return answer;
}

/// Never "good" for a serial number that was not issued (CA/B Forum BR 4.9.10).
Result<ca::OcspAnswer> look_up(store::Reader& reader,
                               const CertificateId& issuer,
                               const ca::OcspCertId& id) {
    ca::OcspAnswer answer = unknown(id);
    auto revoked = registry::find_revocation(reader, issuer, id.serial_number);
    if (!revoked) return std::move(revoked).error();
    if (*revoked) {
        answer.state = ca::OcspState::Revoked;
        answer.revoked = (*revoked)->revoked;
        answer.reason = (*revoked)->reason;
        return answer;
    }
    auto issued = registry::find_issued(reader, issuer, id.serial_number);
    if (issued && issued->certificate) answer.state = ca::OcspState::Good;
    if (!issued && issued.error().code != Code::NotFound) return std::move(issued).error();
    return answer;
}

}  // namespace

StatusAnswerer::StatusAnswerer(flows::Service& service, std::vector<ca::Certificate> others)
    : service_(service), health_(service) {
    std::vector<const ca::Issuer*> issuers{&service.issuer};
    issuers.insert(issuers.end(), service.earlier_issuers.begin(), service.earlier_issuers.end());
    for (const ca::Issuer* issuer : issuers) {
        authorities_.push_back(std::make_unique<Authority>(issuer->certificate(), issuer));
    }
    for (auto& other : others) {
        authorities_.push_back(std::make_unique<Authority>(std::move(other), nullptr));
    }
}

StatusAnswerer::Authority* StatusAnswerer::find(std::string_view key_identifier) {
    for (const auto& authority : authorities_) {
        if (ca::expand_url("{ca}", authority->certificate, std::nullopt) == key_identifier) {
            return authority.get();
        }
    }
    return nullptr;
}

http::Response StatusAnswerer::crl(std::string_view path, Time now) {
    constexpr std::string_view kEnd = ".crl";
    if (!path.ends_with(kEnd)) return plain(404, "no such list");
    path.remove_suffix(kEnd.size());
    const auto slash = path.find('/');
    std::optional<unsigned> shard;
    if (slash != std::string_view::npos) {
        const std::string_view digits = path.substr(slash + 1);
        unsigned number = 0;
        const auto [end, problem] =
            std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (problem != std::errc{} || end != digits.data() + digits.size() ||
            number >= ca::kCrlShards) {
            return plain(404, "no such shard");
        }
        shard = number;
    }
    const Authority* authority = find(path.substr(0, slash));
    if (authority == nullptr) return plain(404, "no such CA");
    auto stored = service_.store.read([&](store::Reader& reader) {
        return registry::find_crl(reader, authority->certificate.id(), shard);
    });
    if (!stored) {
        log()->error("crl_failed reason={}", log_value(stored.error().message));
        return plain(503, "the list cannot be read now");
    }
    if (!*stored) return plain(404, "this list was not published yet");
    auto response = binary("application/pkix-crl", (*stored)->der);
    // A cache must not keep a list longer than a revocation may take to be known.
    cache_for(response, std::min<std::chrono::seconds>((*stored)->next_update - now, hours(1)));
    return response;
}

http::Response StatusAnswerer::certificate(std::string_view path) {
    constexpr std::string_view kEnd = ".crt";
    if (!path.ends_with(kEnd)) return plain(404, "no such certificate");
    path.remove_suffix(kEnd.size());
    const Authority* authority = find(path);
    if (authority == nullptr) return plain(404, "no such CA");
    return binary("application/pkix-cert", authority->certificate.der());
}

Result<std::shared_ptr<const StatusAnswerer::Signer>> StatusAnswerer::signer_of(
    Authority& authority, Time now) {
    const std::lock_guard lock(authority.mutex);
    if (authority.signer) {
        const auto& fields = authority.signer->certificate.fields();
        const bool is_fresh = fields.not_after - now > (fields.not_after - fields.not_before) / 2;
        if (is_fresh || authority.signer->certificate.id() == authority.certificate.id()) {
            return authority.signer;
        }
    }
    const auto profile = service_.profiles.find("ocsp");
    if (profile == service_.profiles.end()) {
        authority.signer =
            std::make_shared<const Signer>(Signer{authority.certificate, authority.issuer->key()});
        return authority.signer;
    }
    auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
    if (!key) return std::move(key).error();
    const ca::CsrSubject subject{{{std::string(ca::oid::kCommonName), "Hatchery OCSP"}}, {}, {}};
    auto pem = ca::make_csr(*key, subject);
    if (!pem) return std::move(pem).error();
    auto csr = ca::Csr::parse(bytes_of(*pem));
    if (!csr) return std::move(csr).error();
    auto certificate = flows::issue(service_.store,
                                    service_.ledger,
                                    *authority.issuer,
                                    *csr,
                                    profile->second,
                                    "serve:ocsp",
                                    now);
    if (!certificate) return std::move(certificate).error();
    authority.cache.clear();
    authority.signer =
        std::make_shared<const Signer>(Signer{std::move(*certificate), std::move(*key)});
    return authority.signer;
}

Result<Bytes> StatusAnswerer::ocsp_answer(const ca::OcspRequest& request,
                                          Authority& authority,
                                          Time now) {
    const CertificateId& issuer = authority.certificate.id();
    ca::OcspContent content;
    content.produced = content.this_update = now;
    content.next_update = now + kOcspLifetime;
    content.nonce = request.nonce;
    auto looked = service_.store.read([&](store::Reader& reader) -> Result<> {
        for (const auto& id : request.ids) {
            auto answer = id.is_of(authority.certificate) ? look_up(reader, issuer, id)
                                                          : Result<ca::OcspAnswer>(unknown(id));
            if (!answer) return std::move(answer).error();
            content.answers.push_back(std::move(*answer));
        }
        return {};
    });
    if (!looked) return std::move(looked).error();
    auto signer = signer_of(authority, now);
    if (!signer) return std::move(signer).error();
    // Only the commonest question is kept: one certificate, issued here, no nonce. The state is
    // looked up each time; what the cache saves is the signature.
    const auto& first = content.answers.front();
    const bool can_cache = content.answers.size() == 1 && content.nonce.empty() &&
                           first.state != ca::OcspState::Unknown;
    if (can_cache) {
        const std::lock_guard lock(authority.mutex);
        const auto known = authority.cache.find(first.id.der);
        if (known != authority.cache.end() && known->second.state == first.state &&
            known->second.reason == first.reason && now >= known->second.made &&
            now - known->second.made < kOcspFresh) {
            return known->second.der;
        }
    }
    auto der = ca::make_ocsp_response((*signer)->certificate, (*signer)->key, content);
    if (!der || !can_cache) return der;
    const std::lock_guard lock(authority.mutex);
    if (authority.cache.size() >= kMaxCached) authority.cache.clear();
    authority.cache[first.id.der] = {first.state, first.reason, now, *der};
    return der;
}

http::Response StatusAnswerer::ocsp(ByteView bytes, Time now) {
    auto request = ca::parse_ocsp_request(bytes);
    if (!request) return ocsp_response(ca::make_ocsp_error(ca::OcspError::MalformedRequest));
    for (const auto& authority : authorities_) {
        if (authority->issuer == nullptr) continue;
        if (!request->ids.front().is_of(authority->certificate)) continue;
        auto der = ocsp_answer(*request, *authority, now);
        if (!der) {
            log()->error("ocsp_failed reason={}", log_value(der.error().message));
            return ocsp_response(ca::make_ocsp_error(ca::OcspError::TryLater));
        }
        auto response = ocsp_response(*der);
        if (request->nonce.empty()) cache_for(response, kOcspFresh);
        return response;
    }
    // Not one of our CAs: nobody to sign for (RFC 6960 2.3, RFC 5019 2.2.3).
    return ocsp_response(ca::make_ocsp_error(ca::OcspError::Unauthorized));
}

http::Response StatusAnswerer::health(const http::Request& request, Time now) {
    const bool is_near = http::is_loopback(request.remote_address);
    bool is_good = true;
    nlohmann::ordered_json parts = nlohmann::ordered_json::object();
    for (const auto& part : health_.look(now)) {
        is_good = is_good && part.problem.empty();
        std::string text = part.problem.empty() ? "ok" : "failing";
        const std::string& more = part.problem.empty() ? part.detail : part.problem;
        if (is_near && !more.empty()) text += ": " + more;
        parts[part.name] = std::move(text);
    }
    const nlohmann::ordered_json body{{"status", is_good ? "ok" : "failing"}, {"parts", parts}};
    http::Response response;
    response.status = is_good ? 200 : 503;
    response.headers.push_back({"Cache-Control", "no-store"});
    response.body = body.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    return response;
}

http::Response StatusAnswerer::respond(const http::Request& request, Time now) {
    const std::string_view target = request.target;
    if (request.method == "POST" && (target == kOcspPath || target == "/ocsp/")) {
        return ocsp(bytes_of(request.body), now);
    }
    if (request.method != "GET") return plain(405, "expected GET, or POST /ocsp");
    if (target == kHealthPath) return health(request, now);
    if (target.starts_with(kCrlPath)) return crl(target.substr(kCrlPath.size()), now);
    if (target.starts_with(kCaPath)) return certificate(target.substr(kCaPath.size()));
    if (target.starts_with("/ocsp/")) {
        auto der = from_base64(percent_decoded(target.substr(6)));
        return ocsp(der.value_or(Bytes{}), now);
    }
    return plain(404, "expected /crl/, /ca/, /ocsp or /health");
}

http::Response StatusAnswerer::answer(const http::Request& request, Time now) {
    try {
        return respond(request, now);
    } catch (const std::exception& e) {
        log()->error("status_failed reason={}", log_value(e.what()));
    } catch (...) {
        log()->error("status_failed reason=unknown");
    }
    return plain(500, "internal failure");
}

}  // namespace hatchery::enroll
