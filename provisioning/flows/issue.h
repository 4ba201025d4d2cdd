// Issuing as the service does it: prepare -> ledger -> sign -> store, for stations, the control
// plane and commands.
#pragma once

#include "ca/issuer.h"
#include "provisioning/registry/certificates.h"

#include <functional>
#include <string>

namespace hatchery::flows {

/// Signs `csr` with `profile`. After success the certificate is in the ledger, durable.
/// @param requester  "cli:USER", "station:NAME", "api:ACCESS-KEY-ID", "claim:CERTIFICATE-ID"
/// @param with  more to write in the commit that stores the certificate (its registration, say);
/// may be empty
/// @errors those of Issuer::prepare and Ledger::record
Result<ca::Certificate> issue(
    store::Store& store,
    registry::StoreLedger& ledger,
    const ca::Issuer& issuer,
    const ca::Csr& csr,
    const ca::Profile& profile,
    std::string_view requester,
    Time now,
    const std::function<Result<>(store::Tx&, const ca::Certificate&)>& with = {});

/// Signs what was recorded. Should that fail, nothing was handed out: the row is given up, and
/// counts in no quota.
/// @errors those of Issuer::sign
Result<ca::Certificate> sign_recorded(registry::StoreLedger& ledger,
                                      const ca::Issuer& issuer,
                                      ca::Recorded recorded,
                                      std::string_view requester,
                                      Time now);

}  // namespace hatchery::flows
