// Signed texts and bundles of certificates: ledger checkpoints, ceremony transcripts, EST answers.
#pragma once

#include "ca/certificate.h"
#include "ca/key.h"

#include <vector>

namespace hatchery::ca {

/// The bare signature of `key` over `text`, as its kind signs certificates (SHA-256 with RSA or
/// P-256, SHA-384 with P-384, Ed25519): what `openssl dgst -sha256 -verify` checks.
/// @errors those of the key
Result<Bytes> sign_text(const PrivateKey& key, std::string_view text);
/// @errors CertificateInvalid  not `signer`'s signature over exactly this text
Result<> verify_text(const Certificate& signer, std::string_view text, ByteView signature);

/// PrivateKeyInfo, DER and not encrypted (RFC 5958), for a device whose key is made here.
/// @errors those of PrivateKey::to_plain_pem: a key in an HSM stays there
Result<Secret> plain_pkcs8(const PrivateKey& key);

/// A "certs-only" CMS message, DER (RFC 5652 5, RFC 7030 4.1.3): certificates, no signature.
Bytes certs_only(const std::vector<Certificate>& certificates);

}  // namespace hatchery::ca
