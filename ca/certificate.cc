#include "ca/certificate.h"

#include "ca/digest.h"
#include "ca/openssl.h"
#include "ca/public_key.h"
#include "ca/x509_parts.h"

#include <openssl/objects.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace hatchery::ca {

struct Certificate::Handle {
    std::once_flag made;
    X509Ptr x509;
};

namespace {

constexpr std::size_t kMaxCertificate = 64UL * 1024;
constexpr std::size_t kMaxBundlePem = 1024UL * 1024;
/// RFC 5280 4.1.2.2 has 20 octets; foreign certificates with more are read, up to a bound that
/// keeps the decimal form cheap.
constexpr int kMaxSerial = 64;

Error invalid(std::string message) {
    return fail(Code::CertificateInvalid, std::move(message));
}

/// An extension's value, nothing if absent. @errors CertificateInvalid  there twice (RFC 5280 4.2)
Result<std::optional<ByteView>> find_extension(const X509* certificate, int nid) {
    const int at = X509_get_ext_by_NID(certificate, nid, -1);
    if (at < 0) return std::optional<ByteView>{};
    if (X509_get_ext_by_NID(certificate, nid, at) >= 0) {
        return invalid(std::string("the certificate has two extensions ") + OBJ_nid2ln(nid));
    }
    const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
    return std::optional<ByteView>{ByteView(ASN1_STRING_get0_data(value),
                                            static_cast<std::size_t>(ASN1_STRING_length(value)))};
}

template <class T>
Result<T> as_certificate_error(Result<T> result) {
    if (!result) result.error().code = Code::CertificateInvalid;
    return result;
}

Result<> read_basic_constraints_of(const X509* certificate, CertificateFields& fields) {
    auto value = find_extension(certificate, NID_basic_constraints);
    if (!value) return std::move(value).error();
    if (!*value) return {};
    auto constraints = as_certificate_error(read_basic_constraints(**value));
    if (!constraints) return std::move(constraints).error();
    fields.is_ca = constraints->is_ca;
    fields.path_length = constraints->path_length;
    return {};
}

Result<> read_key_identifiers(X509* certificate, CertificateFields& fields) {
    for (const int nid : {NID_subject_key_identifier, NID_authority_key_identifier}) {
        auto value = find_extension(certificate, nid);
        if (!value) return std::move(value).error();
        if (!*value) continue;
        const ASN1_OCTET_STRING* id = nid == NID_subject_key_identifier
                                          ? X509_get0_subject_key_id(certificate)
                                          : X509_get0_authority_key_id(certificate);
        if (id == nullptr) continue;  // malformed, or an AKI that names issuer and serial only
        auto& target = nid == NID_subject_key_identifier ? fields.subject_key_identifier
                                                         : fields.authority_key_identifier;
        target.assign(ASN1_STRING_get0_data(id),
                      ASN1_STRING_get0_data(id) + ASN1_STRING_length(id));
    }
    return {};
}

Result<> read_alt_names_of(const X509* certificate, CertificateFields& fields) {
    auto value = find_extension(certificate, NID_subject_alt_name);
    if (!value) return std::move(value).error();
    if (!*value) return {};
    auto names = as_certificate_error(read_alt_names(**value));
    if (!names) return std::move(names).error();
    fields.dns_names = std::move(names->dns);
    fields.ip_addresses = std::move(names->ips);
    fields.email_addresses = std::move(names->emails);
    fields.uris = std::move(names->uris);
    return {};
}

Result<> read_serial_and_times(const X509* certificate, CertificateFields& fields) {
    const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
    const int size = ASN1_STRING_length(serial);
    if (size > kMaxSerial) {
        return invalid("expected a serial number of at most 20 octets, found " +
                       std::to_string(size));
    }
    const ByteView octets{ASN1_STRING_get0_data(serial), static_cast<std::size_t>(size)};
    const auto first = std::ranges::find_if(octets, [](auto octet) { return octet != 0; });
    fields.serial_number.assign(first, octets.end());
    const auto not_before = to_time(X509_get0_notBefore(certificate));
    const auto not_after = to_time(X509_get0_notAfter(certificate));
    if (!not_before || !not_after) return invalid("the certificate's validity is malformed");
    fields.not_before = *not_before;
    fields.not_after = *not_after;
    return {};
}

Result<CertificateFields> read_fields(X509* certificate, ByteView der) {
    CertificateFields fields;
    fields.der = to_bytes(der);
    fields.id.bytes = sha256(der);
    fields.version = static_cast<int>(X509_get_version(certificate)) + 1;
    X509_NAME* subject = X509_get_subject_name(certificate);  // get0
    X509_NAME* issuer = X509_get_issuer_name(certificate);    // get0
    fields.subject = read_name(subject);
    fields.issuer = read_name(issuer);
    fields.subject_der = name_der(subject);
    fields.issuer_der = name_der(issuer);
    auto key = read_key_info(X509_get_X509_PUBKEY(certificate));
    fields.public_key_der = std::move(key.der);
    fields.key_algorithm = std::move(key.algorithm);
    fields.key_bits = key.bits;
    fields.curve = std::move(key.curve);
    const int signature = X509_get_signature_nid(certificate);
    fields.signature_algorithm = signature == NID_undef ? "unknown" : OBJ_nid2ln(signature);
    if (auto read = read_serial_and_times(certificate, fields); !read) {
        return std::move(read).error();
    }
    if (auto read = read_basic_constraints_of(certificate, fields); !read) {
        return std::move(read).error();
    }
    if (auto read = read_key_identifiers(certificate, fields); !read) {
        return std::move(read).error();
    }
    if (auto read = read_alt_names_of(certificate, fields); !read) {
        return std::move(read).error();
    }
    return fields;
}

bool is_certificate_label(std::string_view label) {
    return label == "CERTIFICATE" || label == "X509 CERTIFICATE";
}

/// Hands each certificate block of `pem` to `take` until it returns false.
template <class Take>
Result<> each_certificate(std::string_view pem, Take take) {
    if (pem.size() > kMaxBundlePem) {
        return invalid("expected at most 1048576 bytes of PEM, found " +
                       std::to_string(pem.size()));
    }
    for (std::size_t at = 0;;) {
        auto block = next_pem_block(pem, at);
        if (!block) return invalid(block.error().message);
        if (!*block) return {};
        if (!is_certificate_label((*block)->label)) continue;
        auto certificate = Certificate::from_der((*block)->der);
        if (!certificate) return std::move(certificate).error();
        if (!take(std::move(*certificate))) return {};
    }
}

}  // namespace

Result<Certificate> Certificate::from_der(ByteView der) {
    if (der.size() > kMaxCertificate) {
        return invalid("expected a certificate of at most 65536 bytes, found " +
                       std::to_string(der.size()));
    }
    clear_openssl_errors();
    const unsigned char* cursor = der.data();
    X509Ptr handle(der.empty() ? nullptr
                               : d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
    if (!handle) {
        drain_openssl_errors();
        return invalid("expected a DER certificate, found bytes that do not parse as one");
    }
    if (cursor != der.data() + der.size()) {
        return invalid("expected one certificate, found " +
                       std::to_string(der.data() + der.size() - cursor) + " bytes after it");
    }
    // A BER spelling of the same certificate would have another id: only the DER one is taken.
    const Bytes canonical =
        encode_openssl([&](unsigned char** out) { return i2d_X509(handle.get(), out); });
    if (!std::ranges::equal(canonical, der)) {
        return invalid("expected a certificate in DER, found another encoding of it");
    }
    auto fields = read_fields(handle.get(), der);
    clear_openssl_errors();
    if (!fields) return std::move(fields).error();
    return made(std::move(*fields), handle.release());
}

Result<Certificate> Certificate::from_handle(x509_st* handle) {
    clear_openssl_errors();
    const Bytes der = encode_openssl([&](unsigned char** out) { return i2d_X509(handle, out); });
    if (der.empty() || der.size() > kMaxCertificate) {
        return invalid("expected a certificate of 1 to 65536 bytes, found " +
                       std::to_string(der.size()));
    }
    auto fields = read_fields(handle, der);
    clear_openssl_errors();
    if (!fields) return std::move(fields).error();
    X509_up_ref(handle);
    return made(std::move(*fields), handle);
}

Certificate Certificate::made(CertificateFields fields, x509_st* owned) {
    Certificate certificate;
    certificate.fields_ = std::make_shared<const CertificateFields>(std::move(fields));
    certificate.handle_ = std::make_shared<Handle>();
    std::call_once(certificate.handle_->made, [&] { certificate.handle_->x509.reset(owned); });
    return certificate;
}

Certificate Certificate::issued(std::shared_ptr<const CertificateFields> fields) {
    Certificate certificate;
    certificate.fields_ = std::move(fields);
    certificate.handle_ = std::make_shared<Handle>();
    return certificate;
}

x509_st* Certificate::handle() const {
    std::call_once(handle_->made, [this] {
        clear_openssl_errors();
        const unsigned char* cursor = der().data();
        handle_->x509.reset(d2i_X509(nullptr, &cursor, static_cast<long>(der().size())));
        clear_openssl_errors();
    });
    if (handle_->x509 == nullptr) std::abort();  // our own bytes, linted before they were signed
    return handle_->x509.get();
}

Result<Certificate> Certificate::from_pem(std::string_view pem) {
    std::optional<Certificate> found;
    auto read = each_certificate(pem, [&found](Certificate certificate) {
        found = std::move(certificate);
        return false;
    });
    if (!read) return std::move(read).error();
    if (!found) return invalid("expected a PEM certificate, found none");
    return std::move(*found);
}

Result<std::vector<Certificate>> Certificate::all_from_pem(std::string_view pem) {
    std::vector<Certificate> found;
    auto read = each_certificate(pem, [&found](Certificate certificate) {
        found.push_back(std::move(certificate));
        return true;
    });
    if (!read) return std::move(read).error();
    if (found.empty()) return invalid("expected a PEM certificate, found none");
    return found;
}

std::string certificate_pem(ByteView der) {
    return pem_text("CERTIFICATE", der);
}

std::string Certificate::pem() const {
    return certificate_pem(fields_->der);
}

namespace {

/// Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }.
struct SignedParts {
    ByteView tbs, algorithm, signature;
};

/// Nothing where the two algorithms differ (RFC 5280 4.1.1.2) or the signature is no whole octets.
std::optional<SignedParts> signed_parts(ByteView certificate) {
    const auto content = der::only(der::kSequence, certificate);
    if (!content) return std::nullopt;
    der::Reader reader(*content);
    const auto tbs = reader.next_if(der::kSequence);
    const auto algorithm = reader.next_if(der::kSequence);
    const auto signature = reader.next_if(der::kBitString);
    if (!tbs || !algorithm || !signature || !reader.done()) return std::nullopt;
    if (!der::is_bit_string(signature->content) || signature->content.front() != 0) {
        return std::nullopt;
    }
    der::Reader inside(tbs->content);
    inside.next_if(der::context_constructed(0));  // version
    inside.next_if(der::kInteger);                // serialNumber
    const auto same = inside.next_if(der::kSequence);
    if (!same || !std::ranges::equal(same->whole, algorithm->whole)) return std::nullopt;
    return SignedParts{tbs->whole, algorithm->whole, signature->content.subspan(1)};
}

/// By our own reader of keys and certificates, which is faster than OpenSSL's; unknown for what it
/// does not read.
Verification verify_quickly(const Certificate& certificate, const Certificate& issuer) {
    const auto parts = signed_parts(certificate.der());
    if (!parts) return Verification::UnknownAlgorithm;
    const auto key = read_public_key(issuer.fields().public_key_der);
    if (!key || (!key->handle && !key->point)) return Verification::UnknownAlgorithm;
    return verify(*key, parts->algorithm, parts->tbs, parts->signature);
}

}  // namespace

Result<> Certificate::verify_signed_by(const Certificate& issuer) const {
    X509* self = handle();
    X509* other = issuer.handle();
    // RFC 5280 7.1: names that differ in string type or letter case only are the same name.
    if (X509_NAME_cmp(X509_get_issuer_name(self), X509_get_subject_name(other)) != 0) {
        return invalid("expected the issuer name \"" + issuer.fields_->subject.to_string() +
                       "\", found \"" + fields_->issuer.to_string() + "\"");
    }
    const auto quick = verify_quickly(*this, issuer);
    bool verified = quick == Verification::Good;
    if (quick == Verification::UnknownAlgorithm) {
        clear_openssl_errors();
        EVP_PKEY* key = X509_get0_pubkey(other);
        verified = key != nullptr && X509_verify(self, key) == 1;
        clear_openssl_errors();
    }
    if (!verified) {
        return invalid("the certificate's signature is not one of \"" +
                       issuer.fields_->subject.to_string() + "\"");
    }
    return {};
}

namespace {

Result<> check_key(const CertificateFields& fields) {
    const auto& algorithm = fields.key_algorithm;
    if (algorithm == "RSA" || algorithm == "RSASSA-PSS" || algorithm == "rsassaPss") {
        if (fields.key_bits >= 2048) return {};
        return invalid(
            "The key in the certificate is not valid: expected RSA of at least 2048 bits, found " +
            std::to_string(fields.key_bits));
    }
    if (algorithm == "ED25519" && fields.key_bits > 0) return {};
    const bool known_curve =
        fields.curve == "P-256" || fields.curve == "P-384" || fields.curve == "P-521";
    if (algorithm == "EC" && known_curve && fields.key_bits > 0) return {};
    const std::string found = algorithm != "EC"      ? algorithm
                              : fields.curve.empty() ? "explicit curve parameters"
                              : fields.key_bits == 0 ? "a point that is not on " + fields.curve
                                                     : "the curve " + fields.curve;
    return invalid(
        "The key in the certificate is not valid: expected RSA, P-256, P-384, P-521 or Ed25519, "
        "found " +
        found);
}

Result<> check_signature_algorithm(const Certificate& certificate) {
    int digest = NID_undef;
    int key = NID_undef;
    clear_openssl_errors();
    const bool known =
        X509_get_signature_info(certificate.handle(), &digest, &key, nullptr, nullptr) == 1;
    clear_openssl_errors();
    const bool strong = digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512;
    if (known && (strong || key == EVP_PKEY_ED25519)) return {};
    return invalid("expected a signature with SHA-256, SHA-384, SHA-512 or Ed25519, found " +
                   certificate.fields().signature_algorithm);
}

std::string described(std::string_view role, const Certificate& certificate) {
    return std::string(role) + " \"" + certificate.fields().subject.to_string() + "\"";
}

Result<> check_validity_of(std::string_view role, const Certificate& certificate, Time now) {
    const auto& fields = certificate.fields();
    if (now < fields.not_before) {
        return invalid(described(role, certificate) + " is not valid before " +
                       to_iso8601(fields.not_before) + ", now is " + to_iso8601(now));
    }
    if (now > fields.not_after) {
        return invalid(described(role, certificate) + " expired at " +
                       to_iso8601(fields.not_after) + ", now is " + to_iso8601(now));
    }
    return {};
}

}  // namespace

Result<> check_algorithms(const Certificate& certificate) {
    if (auto key = check_key(certificate.fields()); !key) return key;
    return check_signature_algorithm(certificate);
}

Result<> check_validity(const Certificate& certificate, Time now) {
    return check_validity_of("the certificate", certificate, now);
}

Result<> check_issued_by(const Certificate& certificate, const Certificate& ca, Time now) {
    if (!ca.fields().is_ca) {
        return invalid(described("the issuer", ca) +
                       " is no CA: expected basicConstraints CA:TRUE");
    }
    // RFC 5280 6.1.4 (n); without the extension every use is allowed.
    if ((X509_get_key_usage(ca.handle()) & KU_KEY_CERT_SIGN) == 0) {
        return invalid(described("the CA", ca) +
                       " may not sign certificates: expected keyCertSign");
    }
    if (auto valid = check_validity_of("the CA", ca, now); !valid) return valid;
    if (auto valid = check_validity(certificate, now); !valid) return valid;
    if (auto accepted = check_algorithms(certificate); !accepted) return accepted;
    return certificate.verify_signed_by(ca);
}

}  // namespace hatchery::ca
