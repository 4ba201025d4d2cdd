// Access keys with their secrets unwrapped, as signatures are checked against them.
#pragma once

#include "ca/seal.h"
#include "provisioning/api/sigv4.h"
#include "provisioning/store/store.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace hatchery::api {

/// Reads a key's row again whenever the store's identity generation has changed, so that a key that
/// was disabled stops at once, one that a command disabled within a quarter of a second; keeps the
/// unwrapped secret in memory as long as the row's wrapped bytes are the same. Bounded;
/// thread-safe.
class KeyRing {
  public:
    /// Both must outlive the ring.
    KeyRing(store::Store& store, const ca::WrapKey& wrap) : store_(store), wrap_(wrap) {}

    /// @errors NotFound  no such key, or it is disabled; Unavailable  the store; Internal  the row
    /// cannot be unwrapped
    Result<std::shared_ptr<const AccessKey>> find(std::string_view id);

  private:
    std::shared_ptr<const AccessKey> known(std::string_view id, std::uint64_t generation);

    struct Entry {
        std::uint64_t generation;  // at which the row was read
        Bytes wrapped;
        std::shared_ptr<const AccessKey> key;
    };
    store::Store& store_;
    const ca::WrapKey& wrap_;
    std::mutex mutex_;  // guards entries_
    std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace hatchery::api
