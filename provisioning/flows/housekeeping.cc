#include "provisioning/flows/housekeeping.h"

namespace hatchery::flows {

Result<std::int64_t> sweep(Service& service, Time now) {
    return service.store.write(
        [now](store::Tx& tx) { return registry::delete_expired_tokens(tx, now); });
}

}  // namespace hatchery::flows
