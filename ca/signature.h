// Private to ca/: how a key of each kind signs in X.509: certificates, requests, CRLs, OCSP
// answers.
#pragma once

#include "ca/base/bytes.h"
#include "ca/key.h"

namespace hatchery::ca {

/// AlgorithmIdentifier, DER, of the signatures that `key` makes (RFC 5758, RFC 8410): SHA-256 for
/// RSA and P-256, SHA-384 for P-384, SHA-512 for P-521. The view lives as long as the program.
/// @errors InvalidRequest  a key that signs no certificates: RSA below 2,048 bits, another curve
Result<ByteView> signature_algorithm(const PrivateKey& key);

/// SIGNED{} (RFC 5280 4.1.1): SEQUENCE of the bytes as they are, the algorithm, the signature over
/// exactly these bytes. Works for keys in memory and in an HSM.
/// @errors InvalidRequest  as signature_algorithm; Unavailable  the HSM does not answer; Internal
Result<Bytes> sign_der(ByteView to_be_signed, const PrivateKey& key);

}  // namespace hatchery::ca
