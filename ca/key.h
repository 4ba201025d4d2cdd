// Private and public keys. OpenSSL's types are forward-declared; only ca/ and TLS set-up touch
// them.
#pragma once

#include "ca/base/bytes.h"
#include "ca/base/secret.h"

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;
struct evp_pkey_st;

namespace hatchery::ca {

enum class KeyKind { Rsa2048, Rsa3072, Rsa4096, P256, P384, Ed25519 };

std::string_view to_string(KeyKind kind);  ///< "RSA-2048", "P-256", …
/// Accepts the spelling of to_string and lower case without hyphen ("rsa2048", "p256").
Result<KeyKind> parse_key_kind(std::string_view text);

/// A private key that never leaves its device (an HSM, see ca/pkcs11.h). Implementations are
/// thread-safe.
class KeyDevice {
  public:
    virtual ~KeyDevice() = default;
    /// The signature as X.509 writes it: PKCS#1 v1.5, ECDSA-Sig-Value in DER, or Ed25519's 64
    /// octets, with the digest that ca/signature.h gives the kind of key.
    /// @errors Unavailable  the device does not answer, even after it was opened again
    virtual Result<Bytes> sign(ByteView message) const = 0;
};

/// A private key, in memory or in a device. Cheap to copy (shared handle); immutable; thread-safe.
class PrivateKey {
  public:
    static Result<PrivateKey> generate(KeyKind kind);
    /// A key whose private half stays in `device`. @param public_key_der  SubjectPublicKeyInfo
    /// @errors InvalidRequest  the public key cannot be read
    static Result<PrivateKey> in_device(ByteView public_key_der,
                                        std::shared_ptr<const KeyDevice> device);
    /// PEM: encrypted PKCS#8 (needs `passphrase`), plain PKCS#8, PKCS#1 or SEC1.
    /// @errors Unauthenticated  wrong or missing passphrase; InvalidRequest  no private key found
    static Result<PrivateKey> from_pem(std::string_view pem, const Secret& passphrase);

    /// "ENCRYPTED PRIVATE KEY": PKCS#8, PBES2 with scrypt and AES-256-CBC (RFC 5958, RFC 7914).
    Result<std::string> to_encrypted_pem(const Secret& passphrase) const;
    /// The form AWS hands to a device: PKCS#1 "RSA PRIVATE KEY", SEC1 "EC PRIVATE KEY", else
    /// PKCS#8.
    Result<Secret> to_plain_pem() const;
    /// "PUBLIC KEY" (SubjectPublicKeyInfo) PEM.
    std::string public_key_pem() const;
    /// SubjectPublicKeyInfo, DER.
    Bytes public_key_der() const;
    /// Signs the message itself (not a digest of it). @errors see KeyDevice::sign; InvalidRequest
    /// a key that signs no certificates
    Result<Bytes> sign(ByteView message) const;
    /// False: the private half can be used, but neither read nor written.
    bool is_in_memory() const { return device_ == nullptr; }
    /// Borrowed handle for SSL_CTX_use_PrivateKey (which takes its own share). Of a key in a
    /// device it is the public half.
    evp_pkey_st* handle() const { return handle_.get(); }

  private:
    explicit PrivateKey(std::shared_ptr<evp_pkey_st> handle,
                        std::shared_ptr<const KeyDevice> device = {});
    std::shared_ptr<evp_pkey_st> handle_;
    /// Set up once and copied for each signature; nothing: the key signs no certificates.
    std::shared_ptr<const evp_md_ctx_st> signing_;
    std::shared_ptr<const KeyDevice> device_;
};

}  // namespace hatchery::ca
