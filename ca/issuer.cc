#include "ca/issuer.h"

#include "ca/der.h"
#include "ca/digest.h"
#include "ca/openssl.h"
#include "ca/request_check.h"
#include "ca/serial.h"
#include "ca/signature.h"
#include "ca/x509_parts.h"

#include <algorithm>

namespace hatchery::ca {

namespace {

using namespace std::chrono_literals;

/// 99991231235959Z: "no well-defined expiration date" (RFC 5280 4.1.2.5), and the last time DER
/// can write.
constexpr Time kNoExpiry =
    std::chrono::sys_days{std::chrono::year{9999} / 12 / 31} + 23h + 59min + 59s;

Bytes encode_key_usage(const std::vector<std::string>& usages, bool rsa) {
    std::uint8_t octets[2] = {0, 0};
    std::size_t last = 0;
    for (std::size_t bit = 0; bit < kKeyUsageNames.size(); ++bit) {
        const std::string_view name = kKeyUsageNames[bit];
        if (std::ranges::find(usages, name) == usages.end()) continue;
        // Only RSA can encipher a key; on an EC key the bit has no meaning (RFC 8813 section 3).
        if (name == "keyEncipherment" && !rsa) continue;
        octets[bit / 8] = static_cast<std::uint8_t>(octets[bit / 8] | (0x80U >> (bit % 8)));
        last = bit;
    }
    const std::size_t size = last / 8 + 1;
    const std::uint8_t unused = static_cast<std::uint8_t>(7 - last % 8);  // X.690 11.2.2
    return der::tlv(der::kBitString, {ByteView(&unused, 1), ByteView(octets).first(size)});
}

Bytes encode_basic_constraints(bool is_ca, std::optional<int> path_length) {
    if (!is_ca) return der::sequence({});
    const Bytes length =
        path_length ? der::small_integer(static_cast<unsigned>(*path_length)) : Bytes{};
    return der::sequence({der::boolean_true(), length});
}

Bytes encode_extended_key_usage(const std::vector<std::string>& usages) {
    Bytes content;
    for (const auto& usage : usages) {
        const auto known =
            std::ranges::find(kExtendedKeyUsages, usage, &ExtendedKeyUsageName::name);
        if (known == kExtendedKeyUsages.end()) continue;  // Profile::parse refuses others
        const Bytes one = der::oid(known->oid).value_or(Bytes{});
        content.insert(content.end(), one.begin(), one.end());
    }
    return der::sequence({content});
}

/// tbsCertificate (RFC 5280 4.1) of already encoded parts.
struct ToBeSigned {
    ByteView serial_number;
    ByteView algorithm;
    ByteView issuer;
    Time not_before;
    Time not_after;
    ByteView subject;
    ByteView public_key;
    std::vector<ExtensionToWrite> extensions;
};

Bytes encode(const ToBeSigned& tbs) {
    return der::sequence(
        {der::tlv(der::context_constructed(0), {der::small_integer(2)}),  // version 3
         der::integer(tbs.serial_number),
         tbs.algorithm,
         tbs.issuer,
         der::sequence({der::time(tbs.not_before), der::time(tbs.not_after)}),
         tbs.subject,
         tbs.public_key,
         der::tlv(der::context_constructed(3), {encode_extensions(tbs.extensions)})});
}

/// notAfter includes its last second, so a validity of one hour ends at second 3,599.
Time end_of_validity(Time now, std::chrono::seconds validity) {
    if (validity >= kNoExpiry - now) return kNoExpiry;
    return now + validity - 1s;
}

Bytes authority_key_identifier(const CertificateFields& issuer) {
    const Bytes id = issuer.subject_key_identifier.empty() ? key_identifier(issuer.public_key_der)
                                                           : issuer.subject_key_identifier;
    return der::sequence({der::tlv(der::context(0), {id})});
}

Bytes subject_key_identifier(ByteView public_key_der) {
    return der::tlv(der::kOctetString, {key_identifier(public_key_der)});
}

Result<std::vector<ExtensionToWrite>> extensions_of(const AcceptedRequest& accepted,
                                                    const Profile& profile,
                                                    ByteView public_key_der,
                                                    const CertificateFields& issuer) {
    std::vector<ExtensionToWrite> extensions;
    extensions.push_back({extension::kBasicConstraints,
                          true,
                          encode_basic_constraints(profile.is_ca, profile.path_length)});
    extensions.push_back(
        {extension::kKeyUsage, true, encode_key_usage(profile.key_usage, accepted.rsa)});
    if (!profile.extended_key_usage.empty()) {
        extensions.push_back({extension::kExtendedKeyUsage,
                              false,
                              encode_extended_key_usage(profile.extended_key_usage)});
    }
    extensions.push_back(
        {extension::kSubjectKeyIdentifier, false, subject_key_identifier(public_key_der)});
    extensions.push_back(
        {extension::kAuthorityKeyIdentifier, false, authority_key_identifier(issuer)});
    auto names = encode_alt_names(accepted.alt_names);
    if (!names) return std::move(names).error();
    if (!names->empty()) {
        // Critical when it is the only name there is (RFC 5280 4.2.1.6).
        extensions.push_back(
            {extension::kSubjectAltName, accepted.subject.attributes.empty(), std::move(*names)});
    }
    return extensions;
}

/// RFC 5280 4.2.1.9: a CA with a path length of n has at most n CAs below it.
Result<> check_path_length(const CertificateFields& issuer, const Profile& profile) {
    if (!profile.is_ca || !issuer.path_length) return {};
    const int below = *issuer.path_length - 1;
    if (below >= 0 && profile.path_length && *profile.path_length <= below) return {};
    return fail(Code::InvalidRequest,
                "profile \"" + profile.name + "\" makes a CA that the issuer's path length of " +
                    std::to_string(*issuer.path_length) + " does not allow");
}

bool is_self_signed(const Certificate& certificate) {
    return certificate.fields().subject_der == certificate.fields().issuer_der;
}

}  // namespace

Bytes random_serial() {
    for (;;) {
        Bytes serial = random_bytes(20);
        serial[0] &= 0x7f;
        if (serial[0] != 0) return serial;  // a leading zero octet would be dropped by DER
    }
}

Result<Recorded> Ledger::record(Prepared prepared, std::string_view requester, Time now) {
    if (auto appended = append(prepared, requester, now); !appended) {
        return std::move(appended).error();
    }
    return Recorded(std::move(prepared));
}

std::vector<Result<>> Ledger::append_all(const std::vector<Prepared>& prepared,
                                         std::string_view requester,
                                         Time now) {
    std::vector<Result<>> outcomes;
    outcomes.reserve(prepared.size());
    for (const auto& one : prepared)
        outcomes.push_back(append(one, requester, now));
    return outcomes;
}

std::vector<Result<Recorded>> Ledger::record_all(std::vector<Prepared> prepared,
                                                 std::string_view requester,
                                                 Time now) {
    auto appended = append_all(prepared, requester, now);
    std::vector<Result<Recorded>> outcomes;
    outcomes.reserve(prepared.size());
    for (std::size_t i = 0; i < prepared.size(); ++i) {
        if (appended[i]) {
            outcomes.emplace_back(Recorded(std::move(prepared[i])));
        } else {
            outcomes.emplace_back(std::move(appended[i]).error());
        }
    }
    return outcomes;
}

Issuer::Issuer(Certificate certificate, PrivateKey key, std::vector<Certificate> chain)
    : certificate_(std::move(certificate)), key_(std::move(key)), chain_(std::move(chain)) {}

Result<Issuer> Issuer::make(Certificate certificate,
                            PrivateKey key,
                            std::vector<Certificate> chain) {
    const std::string name = "\"" + certificate.fields().subject.to_string() + "\"";
    if (!certificate.fields().is_ca ||
        (X509_get_key_usage(certificate.handle()) & KU_KEY_CERT_SIGN) == 0) {
        return fail(Code::InvalidRequest, "the certificate " + name + " is no CA certificate");
    }
    clear_openssl_errors();
    EVP_PKEY* of_certificate = X509_get0_pubkey(certificate.handle());
    const bool pair = of_certificate != nullptr && EVP_PKEY_eq(of_certificate, key.handle()) == 1;
    clear_openssl_errors();
    if (!pair) {
        return fail(Code::InvalidRequest,
                    "the private key does not belong to the certificate " + name);
    }
    if (auto signs = signature_algorithm(key); !signs) return std::move(signs).error();
    const Certificate* below = &certificate;
    for (const auto& above : chain) {
        if (auto signed_by = below->verify_signed_by(above); !signed_by) {
            return fail(Code::InvalidRequest, "broken chain: " + signed_by.error().message);
        }
        below = &above;
    }
    return Issuer(std::move(certificate), std::move(key), std::move(chain));
}

Result<Prepared> Issuer::prepare(const Csr& csr, const Profile& profile, Time now) const {
    const auto& issuer = certificate_.fields();
    if (auto valid = check_validity(certificate_, now); !valid) {
        return fail(Code::CertificateInvalid, "the issuing CA: " + valid.error().message);
    }
    if (auto allowed = check_path_length(issuer, profile); !allowed) {
        return std::move(allowed).error();
    }
    auto accepted = check_request(csr, profile);
    if (!accepted) return std::move(accepted).error();
    auto subject = encode_name(accepted->subject);
    if (!subject) return std::move(subject).error();
    const auto& public_key = csr.fields().public_key_der;
    auto extensions = extensions_of(*accepted, profile, public_key, issuer);
    if (!extensions) return std::move(extensions).error();
    auto algorithm = signature_algorithm(key_);
    if (!algorithm) return std::move(algorithm).error();
    const Time not_after = profile.no_expiry
                               ? kNoExpiry
                               : std::min(end_of_validity(now, profile.validity), issuer.not_after);

    Prepared prepared;
    prepared.serial_number_ = random_serial();
    prepared.public_key_der_ = public_key;
    prepared.profile_ = profile.name;
    prepared.device_serial_ = accepted->subject.first(oid::kSerialNumber).value_or("");
    prepared.one_per_device_ = profile.one_per_device;
    prepared.issuer_id_ = certificate_.id();
    prepared.tbs_ = encode({prepared.serial_number_,
                            *algorithm,
                            issuer.subject_der,
                            std::max(now - profile.backdate, issuer.not_before),
                            not_after,
                            *subject,
                            public_key,
                            std::move(*extensions)});
    return prepared;
}

Result<Certificate> Issuer::sign(Recorded recorded) const {
    const Prepared& prepared = recorded.prepared();
    if (prepared.tbs().empty() || prepared.issuer_id() != certificate_.id()) {
        return fail(Code::Internal, "the recorded certificate is spent or was prepared elsewhere");
    }
    auto der = sign_der(prepared.tbs(), key_);
    if (!der) return std::move(der).error();
    auto certificate = Certificate::from_der(*der);
    if (!certificate) return fail(Code::Internal, certificate.error().message);
    // A fault while signing (memory, HSM) must not leave this machine: it could tell the key.
    clear_openssl_errors();
    const bool verified = X509_verify(certificate->handle(), key_.handle()) == 1;
    clear_openssl_errors();
    if (!verified || certificate->fields().serial_number != prepared.serial_number()) {
        return fail(Code::Internal, "the new certificate does not verify with the issuer's key");
    }
    return certificate;
}

std::string Issuer::chain_pem(const Certificate& leaf) const {
    std::string text = leaf.pem();
    if (!is_self_signed(certificate_)) text += certificate_.pem();
    for (const auto& above : chain_) {
        if (!is_self_signed(above)) text += above.pem();
    }
    return text;
}

Result<Certificate> make_root(const PrivateKey& key,
                              std::string_view common_name,
                              std::chrono::seconds validity,
                              Time now) {
    auto algorithm = signature_algorithm(key);
    if (!algorithm) return std::move(algorithm).error();
    if (common_name.empty() || common_name.size() > 64 || validity <= 0s) {
        return fail(Code::InvalidRequest,
                    "expected a root's common name of 1 to 64 characters and a positive validity");
    }
    Name name;
    name.attributes.push_back({std::string(oid::kCommonName), std::string(common_name)});
    auto subject = encode_name(name);
    if (!subject) return std::move(subject).error();
    const Bytes public_key = key.public_key_der();
    const Bytes serial = random_serial();
    const Bytes tbs =
        encode({serial,
                *algorithm,
                *subject,
                now - 1h,  // devices without a set clock are a little behind
                end_of_validity(now, validity),
                *subject,
                public_key,
                {{extension::kBasicConstraints, true, encode_basic_constraints(true, std::nullopt)},
                 {extension::kKeyUsage, true, encode_key_usage({"keyCertSign", "cRLSign"}, false)},
                 {extension::kSubjectKeyIdentifier, false, subject_key_identifier(public_key)}}});
    auto der = sign_der(tbs, key);
    if (!der) return std::move(der).error();
    return Certificate::from_der(*der);
}

Result<std::string> make_csr(const PrivateKey& key, const CsrSubject& subject) {
    Name name;
    for (const auto& [type, value] : subject.attributes) {
        name.attributes.push_back({type, value, name.attributes.size()});
    }
    auto name_bytes = encode_name(name);
    if (!name_bytes) return std::move(name_bytes).error();
    AltNames names;
    names.dns = subject.dns_names;
    names.ips = subject.ip_addresses;
    auto alt_names = encode_alt_names(names);
    if (!alt_names) return std::move(alt_names).error();
    Bytes attributes;
    if (!alt_names->empty()) {
        const Bytes extensions =
            encode_extensions({{extension::kSubjectAltName, false, std::move(*alt_names)}});
        const Bytes type = der::oid("1.2.840.113549.1.9.14").value_or(Bytes{});  // extensionRequest
        attributes = der::sequence({type, der::tlv(der::kSet, {extensions})});
    }
    const Bytes info = der::sequence({der::small_integer(0),
                                      *name_bytes,
                                      key.public_key_der(),
                                      der::tlv(der::context_constructed(0), {attributes})});
    auto der = sign_der(info, key);
    if (!der) return std::move(der).error();
    return pem_text("CERTIFICATE REQUEST", *der);
}

}  // namespace hatchery::ca
