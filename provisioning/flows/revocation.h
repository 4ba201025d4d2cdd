// What a CA says of its certificates after it has issued them: revocation lists on schedule and on
// revocation.
#pragma once

#include "ca/issuer.h"
#include "provisioning/registry/revocations.h"
#include "provisioning/store/store.h"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace hatchery::flows {

/// Every CRL URL pattern that certificates of these profiles name.
std::vector<std::string> crl_patterns(
    const std::map<std::string, ca::Profile, std::less<>>& profiles);

struct CrlSchedule {
    std::chrono::seconds lifetime = std::chrono::days(7);  ///< nextUpdate - thisUpdate
    bool is_forced = false;                                ///< publish what is not due, too
};
/// Signs and stores each list of `issuer` that is due: never made, something revoked since, or a
/// quarter of its life over. The full list and every shard.
/// @param patterns  URL patterns in use now; those of earlier times are remembered
/// @return how many lists were made
/// @errors Unavailable  the store or the key's device
Result<int> publish_crls(store::Store& store,
                         const ca::Issuer& issuer,
                         const std::vector<std::string>& patterns,
                         const CrlSchedule& schedule,
                         Time now);

}  // namespace hatchery::flows
