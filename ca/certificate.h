// A parsed X.509 certificate (RFC 5280; version 1 leaves without extensions are read too).
#pragma once

#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "ca/name.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct x509_st;

namespace hatchery::ca {

/// What a certificate says; filled once when it is parsed.
struct CertificateFields {
    Bytes der;
    CertificateId id;  ///< SHA-256 of `der`
    int version = 3;
    Bytes serial_number;  ///< big-endian magnitude, no leading zero
    Name subject;
    Name issuer;
    Bytes subject_der;  ///< the encoded Name, for exact comparison
    Bytes issuer_der;
    Time not_before;
    Time not_after;
    bool is_ca = false;  ///< basicConstraints cA
    std::optional<int> path_length;
    Bytes subject_key_identifier;    ///< empty if absent
    Bytes authority_key_identifier;  ///< keyIdentifier of the AKI; empty if absent
    Bytes public_key_der;            ///< SubjectPublicKeyInfo
    std::string key_algorithm;       ///< "RSA", "EC", "ED25519", …
    int key_bits = 0;
    std::string curve;                ///< "P-256" …; empty unless a named EC curve
    std::string signature_algorithm;  ///< OpenSSL's long name, "sha256WithRSAEncryption"
    std::vector<std::string> dns_names;
    std::vector<std::string> ip_addresses;  ///< text form
    std::vector<std::string> email_addresses;
    std::vector<std::string> uris;
};

/// PEM of a certificate's DER, whatever the bytes are: reading it takes a hundred times as long.
std::string certificate_pem(ByteView der);

/// Immutable, cheap to copy, thread-safe.
class Certificate {
  public:
    /// @errors CertificateInvalid  not one complete DER certificate
    static Result<Certificate> from_der(ByteView der);
    /// The certificate of an OpenSSL object, of which it takes a share: what OpenSSL has decoded
    /// already is not decoded again. @errors CertificateInvalid  a form that we do not read
    static Result<Certificate> from_handle(x509_st* handle);
    /// The first certificate of `pem`. @errors CertificateInvalid  none, or it does not parse
    static Result<Certificate> from_pem(std::string_view pem);
    /// Every certificate of `pem` in order. @errors CertificateInvalid  none, or one that does not
    /// parse
    static Result<std::vector<Certificate>> all_from_pem(std::string_view pem);

    const CertificateFields& fields() const { return *fields_; }
    const CertificateId& id() const { return fields_->id; }
    const Bytes& der() const { return fields_->der; }
    std::string pem() const;
    /// tbsCertificate.serialNumber in decimal, as AWS IoT's policy variable prints it.
    std::string serial_decimal() const { return to_decimal(fields_->serial_number); }
    std::string serial_hex() const { return to_hex(fields_->serial_number); }

    /// Is `issuer`'s key the one that signed this certificate, and its subject our issuer name?
    /// Says nothing of validity or CA rights. @errors CertificateInvalid
    Result<> verify_signed_by(const Certificate& issuer) const;
    /// Borrowed handle for OpenSSL calls in TLS set-up. Of a certificate that was issued here it is
    /// made by the first call: OpenSSL needs longer for it than the whole signing.
    x509_st* handle() const;

  private:
    friend class Issuer;
    struct Handle;
    /// A certificate that Issuer has just signed; `fields` is complete and its own.
    static Certificate issued(std::shared_ptr<const CertificateFields> fields);
    static Certificate made(CertificateFields fields, x509_st* owned);
    Certificate() = default;
    std::shared_ptr<const CertificateFields> fields_;
    std::shared_ptr<Handle> handle_;
};

/// May `certificate` be used as a device certificate issued directly by `ca` at `now`? Checks: `ca`
/// is a CA and inside its validity; signature; the leaf's validity; accepted key and signature
/// algorithm (RSA >= 2048, P-256/384/521, Ed25519; no SHA-1, no MD5). @errors CertificateInvalid
/// with what was expected and found, dates in ISO 8601
Result<> check_issued_by(const Certificate& certificate, const Certificate& ca, Time now);
/// Key size, curve and signature algorithm alone, the rules above. @errors CertificateInvalid
Result<> check_algorithms(const Certificate& certificate);
/// Inside notBefore..notAfter at `now`, both ends included. @errors CertificateInvalid
Result<> check_validity(const Certificate& certificate, Time now);

}  // namespace hatchery::ca
