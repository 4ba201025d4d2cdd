// PKCS #10 certification requests (RFC 2986).
#pragma once

#include "ca/base/bytes.h"
#include "ca/name.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct X509_req_st;

namespace hatchery::ca {

struct RequestedExtension {
    std::string oid;
    bool critical = false;
    Bytes value;  ///< the OCTET STRING's content
};

/// What a request asks for; filled once when it is parsed.
struct CsrFields {
    Bytes der;
    Name subject;
    Bytes subject_der;
    Bytes public_key_der;       ///< SubjectPublicKeyInfo
    std::string key_algorithm;  ///< "RSA", "EC", "ED25519"
    int key_bits = 0;
    std::string curve;  ///< "P-256" …; empty for explicit curve parameters or no EC key
    std::vector<RequestedExtension> extensions;
    std::vector<std::string> dns_names;
    std::vector<std::string> ip_addresses;
    std::vector<std::string> email_addresses;
    std::vector<std::string> uris;
};

/// A parsed request. Parsing does not check the self-signature; Issuer::prepare does. Immutable,
/// thread-safe.
class Csr {
  public:
    /// PEM (either label) or DER, told apart by content; anything after the request is refused in
    /// DER.
    /// @errors InvalidRequest  where = "CSR"
    static Result<Csr> parse(ByteView pem_or_der);
    const CsrFields& fields() const { return *fields_; }
    /// Proof of possession (RFC 2986 4.2). @errors InvalidRequest  where = "CSR.signature"
    Result<> verify_signature() const;
    X509_req_st* handle() const { return handle_.get(); }

  private:
    Csr() = default;
    std::shared_ptr<const CsrFields> fields_;
    std::shared_ptr<X509_req_st> handle_;
};

}  // namespace hatchery::ca
