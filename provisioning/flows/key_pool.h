// Device key pairs made ahead of need: an RSA-2048 pair costs a tenth of a second of CPU or more,
// which CreateKeysAndCertificate would otherwise add to every claim.
#pragma once

#include "ca/key.h"

#include <cstddef>
#include <memory>

namespace hatchery::flows {

/// A bounded stock of unused key pairs of one kind, refilled by one background thread. Keys live in
/// memory only. Thread-safe.
class KeyPool {
  public:
    /// @param capacity  keys kept ready, at least one
    KeyPool(ca::KeyKind kind, std::size_t capacity);
    /// Waits for the key that is being made, then forgets all of them.
    ~KeyPool();
    KeyPool(const KeyPool&) = delete;
    KeyPool& operator=(const KeyPool&) = delete;

    ca::KeyKind kind() const;
    /// How many are ready now.
    std::size_t ready() const;
    /// A key that nobody else gets; made by the caller's thread when none is ready.
    /// @errors those of PrivateKey::generate
    Result<ca::PrivateKey> take();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hatchery::flows
