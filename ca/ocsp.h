// OCSP (RFC 6960, profile RFC 5019): requests read, answers built and signed. Knows no store and no
// HTTP: who asks it has looked the states up.
#pragma once

#include "ca/crl.h"

#include <optional>
#include <vector>

namespace hatchery::ca {

/// One certificate that a request asks about.
struct OcspCertId {
    Bytes der;  ///< the whole CertID, for the answer to repeat
    Bytes issuer_name_hash, issuer_key_hash;
    bool is_sha256 = false;  ///< the hashes are SHA-256, else SHA-1
    Bytes serial_number;     ///< big-endian magnitude

    /// Does it name a certificate of this issuer?
    bool is_of(const Certificate& issuer) const;
};

struct OcspRequest {
    std::vector<OcspCertId> ids;  ///< 1 to kMaxOcspIds
    Bytes nonce;                  ///< the extension's whole extnValue content, or empty
};
inline constexpr std::size_t kMaxOcspIds = 32;
inline constexpr std::size_t kMaxOcspRequestBytes = 8192;

/// Reads a DER request; a signature on it is ignored (RFC 5019 2.1.2).
/// @errors InvalidRequest  malformed, too many certificates, a nonce over 128 bytes (RFC 8954: 32)
Result<OcspRequest> parse_ocsp_request(ByteView der);

enum class OcspState { Good, Revoked, Unknown };
struct OcspAnswer {
    OcspCertId id;
    OcspState state = OcspState::Unknown;
    Time revoked;  ///< when Revoked
    RevocationReason reason = RevocationReason::Unspecified;
};
struct OcspContent {
    Time produced, this_update, next_update;
    std::vector<OcspAnswer> answers;
    Bytes nonce;  ///< as in the request, or empty
};

/// A successful response, DER, signed by `signer` (delegated: it travels along; or the CA itself).
/// @errors those of the key
Result<Bytes> make_ocsp_response(const Certificate& signer,
                                 const PrivateKey& key,
                                 const OcspContent& content);

/// OCSPResponseStatus without an answer (RFC 6960 4.2.1).
enum class OcspError { MalformedRequest = 1, InternalError = 2, TryLater = 3, Unauthorized = 6 };
Bytes make_ocsp_error(OcspError error);

}  // namespace hatchery::ca
