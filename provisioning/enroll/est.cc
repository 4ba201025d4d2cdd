#include "provisioning/enroll/est.h"

#include "ca/csr.h"
#include "ca/digest.h"
#include "ca/statement.h"
#include "provisioning/flows/escrow.h"

#include <algorithm>
#include <array>

namespace hatchery::enroll {
namespace {

constexpr std::string_view kRoot = "/.well-known/est/";
constexpr std::array<std::string_view, 5> kOperations{
    "cacerts", "csrattrs", "simpleenroll", "simplereenroll", "serverkeygen"};

/// Lines of 64, as MIME wants them short (RFC 2045 6.8).
std::string base64_lines(ByteView bytes) {
    const std::string all = to_base64(bytes);
    std::string text;
    for (std::size_t at = 0; at < all.size(); at += 64)
        text += all.substr(at, 64) + "\n";
    return text;
}

http::Response est_response(std::string type, ByteView der) {
    http::Response response;
    response.content_type = std::move(type);
    response.headers.push_back({"Content-Transfer-Encoding", "base64"});
    response.body = base64_lines(der);
    return response;
}

http::Response certificate_response(const ca::Certificate& certificate) {
    return est_response("application/pkcs7-mime; smime-type=certs-only",
                        ca::certs_only({certificate}));
}

/// SEQUENCE OF OBJECT IDENTIFIER: the subject's attributes that the profile wants, and the kind of
/// key (RFC 7030 4.5.2).
void put_oid(Bytes& out, std::string_view dotted) {
    Bytes content;
    std::uint64_t arc = 0;
    std::uint64_t first = 0;
    std::size_t index = 0;
    const auto put_arc = [&](std::uint64_t value) {
        Bytes groups;
        do {
            groups.insert(groups.begin(), static_cast<std::uint8_t>(value & 0x7f));
            value >>= 7;
        } while (value != 0);
        for (std::size_t i = 0; i + 1 < groups.size(); ++i)
            groups[i] |= 0x80;
        content.insert(content.end(), groups.begin(), groups.end());
    };
    for (std::size_t i = 0; i <= dotted.size(); ++i) {
        if (i < dotted.size() && dotted[i] != '.') {
            arc = arc * 10 + static_cast<std::uint64_t>(dotted[i] - '0');
            continue;
        }
        if (index == 0) first = arc;
        if (index == 1) put_arc(first * 40 + arc);
        if (index > 1) put_arc(arc);
        arc = 0;
        ++index;
    }
    out.push_back(0x06);
    out.push_back(static_cast<std::uint8_t>(content.size()));
    out.insert(out.end(), content.begin(), content.end());
}

bool is_label(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

}  // namespace

bool is_est(std::string_view target) {
    return target.starts_with(kRoot);
}

Result<EstPath> parse_est_path(std::string_view target) {
    const auto wrong = [] {
        return fail(Code::NotFound,
                    "expected /.well-known/est/[PROFILE/] and one of cacerts, csrattrs, "
                    "simpleenroll, simplereenroll, serverkeygen");
    };
    if (!is_est(target)) return wrong();
    target.remove_prefix(kRoot.size());
    EstPath path{std::string(kDefaultProfile), {}};
    if (const auto slash = target.find('/'); slash != std::string_view::npos) {
        if (!is_label(target.substr(0, slash))) return wrong();
        path.profile = target.substr(0, slash);
        target.remove_prefix(slash + 1);
    }
    if (std::ranges::find(kOperations, target) == kOperations.end()) return wrong();
    path.operation = target;
    return path;
}

Result<ca::Csr> parse_est_body(std::string_view body) {
    if (body.find("-----BEGIN") == std::string_view::npos) {
        if (auto der = from_base64(body); der && !der->empty()) return ca::Csr::parse(*der);
    }
    return ca::Csr::parse(bytes_of(body));
}

http::Response Est::cacerts() const {
    const auto& service = desk_.service();
    std::vector<ca::Certificate> all{service.issuer.certificate()};
    const auto add = [&](const ca::Certificate& certificate) {
        const bool is_there = std::ranges::any_of(
            all, [&](const auto& other) { return other.id() == certificate.id(); });
        if (!is_there) all.push_back(certificate);
    };
    for (const auto& above : service.issuer.chain())
        add(above);
    for (const ca::Issuer* earlier : service.earlier_issuers) {
        add(earlier->certificate());
        for (const auto& above : earlier->chain())
            add(above);
    }
    return est_response("application/pkcs7-mime", ca::certs_only(all));
}

Result<http::Response> Est::csrattrs(const EstPath& path) const {
    const auto& profiles = desk_.service().profiles;
    const auto profile = profiles.find(path.profile);
    if (profile == profiles.end()) {
        return fail(Code::NotFound, "profile '" + path.profile + "' does not exist");
    }
    Bytes oids;
    for (const auto& attribute : profile->second.subject) {
        if (attribute.required || attribute.oid == ca::oid::kSerialNumber) {
            put_oid(oids, attribute.oid);
        }
    }
    const auto accepts = [&](ca::KeyKind kind) {
        return std::ranges::find(profile->second.keys, kind) != profile->second.keys.end();
    };
    if (accepts(ca::KeyKind::P256)) {
        put_oid(oids, "1.2.840.10045.3.1.7");
        put_oid(oids, "1.2.840.10045.4.3.2");  // ecdsa-with-SHA256
    } else if (accepts(ca::KeyKind::Rsa2048)) {
        put_oid(oids, "1.2.840.113549.1.1.11");  // sha256WithRSAEncryption
    }
    Bytes der{0x30};
    if (oids.size() >= 128) der.push_back(0x81);
    der.push_back(static_cast<std::uint8_t>(oids.size()));
    der.insert(der.end(), oids.begin(), oids.end());
    return est_response("application/csrattrs", der);
}

Result<http::Response> Est::serverkeygen(const Caller& station,
                                         const ca::Profile& profile,
                                         const ca::Csr& csr,
                                         Time now,
                                         EstAnswer& log) {
    const bool takes_p256 =
        std::ranges::find(profile.keys, ca::KeyKind::P256) != profile.keys.end();
    auto key = ca::PrivateKey::generate(takes_p256 ? ca::KeyKind::P256 : profile.keys.front());
    if (!key) return std::move(key).error();
    // The names of the request, our key (RFC 7030 4.4.1).
    ca::CsrSubject subject;
    for (const auto& attribute : csr.fields().subject.attributes)
        subject.attributes.emplace_back(attribute.oid, attribute.value);
    subject.dns_names = csr.fields().dns_names;
    subject.ip_addresses = csr.fields().ip_addresses;
    auto pem = ca::make_csr(*key, subject);
    if (!pem) return std::move(pem).error();
    auto own = ca::Csr::parse(bytes_of(*pem));
    if (!own) return std::move(own).error();
    const flows::Service& service = desk_.service();
    auto escrowed = flows::escrow(service.settings, *key);
    if (!escrowed) return std::move(escrowed).error();
    auto issued = desk_.issue(station, profile, *own, now);
    if (!issued) return std::move(issued).error();
    log.certificate = issued->certificate.id().hex();
    // Before the key is handed out; until then it is of no use to anybody.
    auto kept = service.store.write(
        [&](store::Tx& tx) { return flows::keep_escrow(tx, issued->certificate.id(), *escrowed); });
    if (!kept) return std::move(kept).error();
    auto private_key = ca::plain_pkcs8(*key);
    if (!private_key) return std::move(private_key).error();
    const std::string boundary = "hatchery-" + to_hex(ca::random_bytes(16));
    http::Response response;
    response.content_type = "multipart/mixed; boundary=" + boundary;
    const auto part = [&](std::string_view type, ByteView der) {
        response.body += "--" + boundary + "\r\nContent-Type: " + std::string(type) +
                         "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64_lines(der) +
                         "\r\n";
    };
    part("application/pkcs8", private_key->view());
    part("application/pkcs7-mime; smime-type=certs-only", ca::certs_only({issued->certificate}));
    response.body += "--" + boundary + "--\r\n";
    return response;
}

Result<http::Response> Est::enroll(const EstPath& path,
                                   const http::Request& request,
                                   Time now,
                                   EstAnswer& log) {
    auto caller = desk_.identify(request.client_certificate, now);
    if (!caller) return std::move(caller).error();
    log.caller = caller->name;
    auto csr = parse_est_body(request.body);
    if (!csr) return std::move(csr).error();
    if (path.operation == "simplereenroll") {
        if (caller->station) {
            return fail(
                Code::Forbidden,
                "expected the device's present certificate, found station '" + caller->name + "'");
        }
        auto renewed = desk_.renew(*caller, *csr, now);
        if (!renewed) return std::move(renewed).error();
        log.certificate = renewed->certificate.id().hex();
        return certificate_response(renewed->certificate);
    }
    if (!caller->station) {
        return fail(Code::Forbidden,
                    "expected a station's client certificate, found certificate " + caller->name +
                        "; a device renews by simplereenroll");
    }
    log.profile = path.profile;
    auto profile = desk_.profile_for(*caller, path.profile);
    if (!profile) return std::move(profile).error();
    if (path.operation == "serverkeygen") return serverkeygen(*caller, **profile, *csr, now, log);
    auto issued = desk_.issue(*caller, **profile, *csr, now);
    if (!issued) return std::move(issued).error();
    log.certificate = issued->certificate.id().hex();
    return certificate_response(issued->certificate);
}

EstAnswer Est::answer(const http::Request& request, Time now) {
    EstAnswer answer{fail(Code::Internal, "no answer")};
    auto path = parse_est_path(request.target);
    if (!path) {
        answer.response = std::move(path).error();
        return answer;
    }
    const bool is_get = path->operation == "cacerts" || path->operation == "csrattrs";
    const std::string_view method = is_get ? "GET" : "POST";
    if (request.method != method) {
        answer.response = fail(Code::NotImplemented,
                               "expected " + std::string(method) + ", found " + request.method);
    } else if (path->operation == "cacerts") {
        answer.response = cacerts();
    } else if (path->operation == "csrattrs") {
        answer.response = csrattrs(*path);
    } else {
        answer.response = enroll(*path, request, now, answer);
    }
    return answer;
}

}  // namespace hatchery::enroll
