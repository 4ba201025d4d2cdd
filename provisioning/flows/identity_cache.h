// Devices that were here lately: what the registry says of them, as long as nothing has changed.
#pragma once

#include "ca/base/certificate_id.h"

#include <cstdint>
#include <memory>
#include <string_view>

namespace hatchery::flows {

struct Identity;  // identity.h

/// An entry holds as long as Store::identity_generation is the one that it was read under, so a
/// change reaches who connects no later than who is connected. Bounded; thread-safe.
class IdentityCache {
  public:
    IdentityCache();
    ~IdentityCache();
    IdentityCache(const IdentityCache&) = delete;
    IdentityCache& operator=(const IdentityCache&) = delete;

    /// Keeps an ACTIVE identity that has nothing left to do on its next connect; others not.
    void remember(std::string_view client_id, std::shared_ptr<const Identity> identity);
    /// The identity of `certificate` with this client id; none if it is not known to be up to date.
    std::shared_ptr<const Identity> find(const CertificateId& certificate,
                                         std::string_view client_id,
                                         std::uint64_t generation);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hatchery::flows
