// PKCS #10 certification requests (RFC 2986), by our own reader: strict DER, so that it accepts
// less than OpenSSL does, never more, and reads the same fields (tests/fuzz/csr_openssl.cc).
#pragma once

#include "ca/base/bytes.h"
#include "ca/name.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::ca {

class PrivateKey;
struct PublicKey;

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
    int key_bits = 0;   ///< 0 if the key cannot be read or is of a kind that no profile takes
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
    /// A request without names for a key of our own, which proves nothing to itself: it has no
    /// signature, and no DER form. @errors InvalidRequest  a key of a kind that no profile takes
    static Result<Csr> for_own_key(const PrivateKey& key);
    const CsrFields& fields() const { return *fields_; }
    /// Proof of possession (RFC 2986 4.2): a signature with SHA-256, SHA-384, SHA-512 or Ed25519 by
    /// a key of a kind that profiles take; an own key needs none. @errors InvalidRequest  where =
    /// "CSR.signature"
    Result<> verify_signature() const;
    const PublicKey& public_key() const;  ///< for ca/ alone: complete in ca/public_key.h

  private:
    struct Parsed;
    Csr() = default;
    std::shared_ptr<const Parsed> parsed_;
    std::shared_ptr<const CsrFields> fields_;  ///< in *parsed_
};

}  // namespace hatchery::ca
