#include "ca/issuer.h"

#include "ca/der.h"
#include "ca/digest.h"
#include "ca/key_quality.h"
#include "ca/lint.h"
#include "ca/openssl.h"
#include "ca/public_key.h"
#include "ca/request_check.h"
#include "ca/serial.h"
#include "ca/signature.h"
#include "ca/tbs.h"
#include "ca/weak_keys.h"
#include "ca/x509_parts.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>

#include <algorithm>
#include <atomic>

namespace hatchery::ca {

namespace {

using namespace std::chrono_literals;

/// notAfter includes its last second, so a validity of one hour ends at second 3,599.
Time end_of_validity(Time now, std::chrono::seconds validity) {
    if (validity >= kNoExpiry - now) return kNoExpiry;
    return now + validity - 1s;
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
        // None is drawn ahead: a process that forked would use its parent's once more.
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

std::vector<Result<>> Ledger::append_all(const std::vector<Entry>& entries, Time now) {
    std::vector<Result<>> outcomes;
    outcomes.reserve(entries.size());
    for (const auto& one : entries)
        outcomes.push_back(append(one.prepared, one.requester, now));
    return outcomes;
}

std::vector<Result<Recorded>> Ledger::record_all(std::vector<Entry> entries, Time now) {
    auto appended = append_all(entries, now);
    std::vector<Result<Recorded>> outcomes;
    outcomes.reserve(entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (appended[i]) {
            outcomes.emplace_back(Recorded(std::move(entries[i].prepared)));
        } else {
            outcomes.emplace_back(std::move(appended[i]).error());
        }
    }
    return outcomes;
}

/// How the issuer checks its own signatures, against the key in its certificate.
struct Issuer::SelfCheck {
    PublicKey key;
    std::shared_ptr<const p256::SignatureCheck> by_private_key;  ///< P-256 in memory
    ByteView algorithm;
    std::string algorithm_name;
    std::atomic<bool> has_failed = false;

    /// Of the certificate as it would leave: its own bytes are read, none that it was made of.
    bool passes(ByteView certificate) const {
        const auto content = der::only(der::kSequence, certificate);
        if (!content) return false;
        der::Reader reader(*content);
        const auto tbs = reader.next_if(der::kSequence);
        const auto signed_with = reader.next_if(der::kSequence);
        const auto bits = reader.next_if(der::kBitString);
        if (!tbs || !signed_with || !bits || !reader.done() || bits->content.empty()) return false;
        const ByteView signature = bits->content.subspan(1);
        if (by_private_key) return by_private_key->verifies(sha256(tbs->whole), signature);
        return verify(key, signed_with->whole, tbs->whole, signature) == Verification::Good;
    }
};

namespace {

std::string name_of_algorithm(ByteView identifier) {
    const unsigned char* cursor = identifier.data();
    const AlgorithmPtr algorithm(
        d2i_X509_ALGOR(nullptr, &cursor, static_cast<long>(identifier.size())));
    const ASN1_OBJECT* type = nullptr;
    if (algorithm) X509_ALGOR_get0(&type, nullptr, nullptr, algorithm.get());
    return type == nullptr ? "unknown" : OBJ_nid2ln(OBJ_obj2nid(type));
}

/// Nothing: the private half is in a device, or another's.
std::shared_ptr<const p256::SignatureCheck> check_by_private_key(const PrivateKey& key,
                                                                 const ec_point_st& point) {
    BIGNUM* d = nullptr;
    if (!key.is_in_memory() ||
        EVP_PKEY_get_bn_param(key.handle(), OSSL_PKEY_PARAM_PRIV_KEY, &d) != 1) {
        return nullptr;
    }
    auto check = p256::SignatureCheck::make(*d, point);
    BN_clear_free(d);
    return check;
}

}  // namespace

Issuer::Issuer(Certificate certificate, PrivateKey key, std::vector<Certificate> chain)
    : certificate_(std::move(certificate)),
      key_(std::move(key)),
      chain_(std::move(chain)),
      self_check_(std::make_shared<SelfCheck>()),
      shared_primes_(std::make_shared<SharedPrimes>()) {
    SelfCheck& self_check = *self_check_;
    self_check.algorithm = signature_algorithm(key_).value_or(ByteView{});
    self_check.algorithm_name = name_of_algorithm(self_check.algorithm);
    self_check.key = read_public_key(certificate_.fields().public_key_der).value_or(PublicKey{});
    if (self_check.key.point) {
        self_check.by_private_key = check_by_private_key(key_, *self_check.key.point);
    } else {
        EVP_PKEY* public_key = X509_get0_pubkey(certificate_.handle());
        EVP_PKEY_up_ref(public_key);
        self_check.key.handle = std::shared_ptr<EVP_PKEY>(PkeyPtr(public_key));
    }
    clear_openssl_errors();
}

/// Before the request's signature is looked at: a listed key is refused whoever signs with it.
Result<> Issuer::check_not_weak(const Csr& csr) const {
    if (!weak_keys_ || csr.fields().key_algorithm != "RSA") return {};
    if (!weak_keys_->contains(csr.public_key().modulus)) return {};
    return fail(Code::InvalidRequest,
                "weak key: it is one of those that Debian's OpenSSL made from 2006 to 2008 "
                "(CVE-2008-0166)",
                "CSR.key");
}

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
    if (auto strong = check_not_weak(csr); !strong) return std::move(strong).error();
    auto accepted = check_request(csr, profile);
    if (!accepted) return std::move(accepted).error();
    if (auto strong = shared_primes_->check(csr.public_key()); !strong) {
        return std::move(strong).error();
    }
    auto subject = encode_name(accepted->subject);
    if (!subject) return std::move(subject).error();
    const auto& public_key = csr.fields().public_key_der;
    Prepared prepared;
    prepared.serial_number_ = random_serial();
    auto extensions =
        extensions_of(*accepted, profile, public_key, certificate_, prepared.serial_number_);
    if (!extensions) return std::move(extensions).error();
    const Time not_after = profile.no_expiry
                               ? kNoExpiry
                               : std::min(end_of_validity(now, profile.validity), issuer.not_after);
    prepared.public_key_der_ = public_key;
    prepared.profile_ = profile.name;
    prepared.device_serial_ = accepted->subject.first(oid::kSerialNumber).value_or("");
    prepared.one_per_device_ = profile.one_per_device;
    prepared.issuer_id_ = certificate_.id();
    prepared.tbs_ = encode_tbs({prepared.serial_number_,
                                self_check_->algorithm,
                                issuer.subject_der,
                                std::max(now - profile.backdate, issuer.not_before),
                                not_after,
                                *subject,
                                public_key,
                                std::move(*extensions)});
    auto fields = lint_tbs(
        prepared.tbs_,
        {profile, certificate_, self_check_->algorithm, public_key, prepared.serial_number_, now});
    if (!fields) return std::move(fields).error();
    fields->key_algorithm = csr.fields().key_algorithm;
    fields->key_bits = csr.fields().key_bits;
    fields->curve = csr.fields().curve;
    fields->signature_algorithm = self_check_->algorithm_name;
    prepared.fields_ = std::make_shared<CertificateFields>(std::move(*fields));
    return prepared;
}

Result<Certificate> Issuer::sign(Recorded recorded) const {
    const Prepared& prepared = recorded.prepared();
    if (prepared.tbs().empty() || prepared.issuer_id() != certificate_.id()) {
        return fail(Code::Internal, "the recorded certificate is spent or was prepared elsewhere");
    }
    SelfCheck& self_check = *self_check_;
    if (self_check.has_failed) {
        return fail(Code::Internal,
                    "the CA's key has given a wrong signature: check memory or HSM, then restart");
    }
    auto signature = key_.sign(prepared.tbs());
    if (!signature) return std::move(signature).error();
    // The bytes that were linted and recorded, copied, not built again.
    auto& fields = *prepared.fields_;
    fields.der = der::sequence({prepared.tbs(), self_check.algorithm, der::bit_string(*signature)});
    // A fault while signing (memory, HSM) must not leave this machine: it could tell the key.
    if (!self_check.passes(fields.der)) {
        self_check.has_failed = true;
        return fail(Code::Internal, "the new certificate does not verify with the issuer's key");
    }
    fields.id.bytes = sha256(fields.der);
    return Certificate::issued(prepared.fields_);
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
    const Bytes tbs = encode_tbs({serial,
                                  *algorithm,
                                  *subject,
                                  now - 1h,  // devices without a set clock are a little behind
                                  end_of_validity(now, validity),
                                  *subject,
                                  public_key,
                                  root_extensions(public_key)});
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
