// A private key on its way to somebody: encrypted to an operator's public key (escrow), or beside
// its certificate in a PKCS#12 file for a device.
#pragma once

#include "ca/certificate.h"
#include "ca/key.h"

#include <string>
#include <string_view>
#include <vector>

namespace hatchery::ca {

/// `secret` for the holder of one private key alone: CMS EnvelopedData (RFC 5652), AES-256-CBC, the
/// content key by RSAES-OAEP or by ECDH; "CMS" PEM that `openssl cms -decrypt -inform PEM` opens.
/// @param recipient_pem  his certificate or "PUBLIC KEY"; RSA of 2048 bits or more, or EC
/// @errors InvalidRequest  neither, or another kind of key
Result<std::string> encrypt_to(std::string_view secret, std::string_view recipient_pem);

/// PKCS#12 (RFC 7292) with AES-256-CBC and PBKDF2, DER.
/// @errors InvalidRequest  the key is in a device
Result<Bytes> make_pkcs12(const PrivateKey& key,
                          const Certificate& certificate,
                          const std::vector<Certificate>& chain,
                          std::string_view name,
                          const Secret& passphrase);

}  // namespace hatchery::ca
