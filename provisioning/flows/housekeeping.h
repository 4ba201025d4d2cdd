// What the service tidies up by itself, on serve's timer.
#pragma once

#include "provisioning/flows/service.h"

#include <cstdint>

namespace hatchery::flows {

/// Deletes expired ownership tokens, and their certificates if these never became anything.
/// @return how many tokens went
Result<std::int64_t> sweep(Service& service, Time now);

}  // namespace hatchery::flows
