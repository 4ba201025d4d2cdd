#include "provisioning/flows/housekeeping.h"

namespace hatchery::flows {

Result<std::int64_t> sweep(Service& service, Time now) {
    return service.store.write([now](store::Tx& tx) -> Result<std::int64_t> {
        // A session that a trusted claim opened ends with it, by reading its identity again.
        auto claims = registry::delete_expired_claims(tx, now);
        if (!claims) return claims;
        if (*claims > 0) tx.touch_identities();
        return registry::delete_expired_tokens(tx, now);
    });
}

}  // namespace hatchery::flows
