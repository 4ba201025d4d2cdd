// Wrapping small secrets at rest (access keys): AES-256-GCM under a master key that a passphrase
// opens.
#pragma once

#include "ca/base/bytes.h"
#include "ca/base/secret.h"

#include <string_view>

namespace hatchery::ca {

/// The master key of a data directory. Thread-safe once made.
class WrapKey {
  public:
    static WrapKey generate();
    /// Opens a sealed master key. @errors Unauthenticated  wrong passphrase; InvalidRequest damaged
    /// file
    static Result<WrapKey> open(ByteView sealed, const Secret& passphrase);
    /// The master key under scrypt(passphrase) and AES-256-GCM, with its parameters in front.
    Result<Bytes> seal(const Secret& passphrase) const;

    /// Nonce, ciphertext and tag; `label` is authenticated (say the access key id), not stored.
    Result<Bytes> wrap(ByteView plain, std::string_view label) const;
    /// @errors Internal  damaged, or another label
    Result<Secret> unwrap(ByteView wrapped, std::string_view label) const;

  private:
    explicit WrapKey(Secret key) : key_(std::move(key)) {}
    Secret key_;
};

}  // namespace hatchery::ca
