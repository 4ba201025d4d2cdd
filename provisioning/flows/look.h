// What the registry holds for a certificate that connects. This box's own.
#pragma once

#include "provisioning/flows/admit.h"
#include "provisioning/flows/identity.h"

#include <optional>
#include <string>

namespace hatchery::flows {

/// One view of the store.
struct Look {
    std::optional<Identity> known;
    bool is_trusted_claim = false;       ///< of a trusted user (identity.h)
    std::optional<std::string> station;  ///< whose certificate it is
    CaRecords issuers;                   ///< for one that is still to be registered
};

/// Does not wait for writes. @errors of the store
Result<Look> look_up(Service& service, const ConnectRequest& request, Time now);

}  // namespace hatchery::flows
