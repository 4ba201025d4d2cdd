// Where the functions of the jobs box work, for the fronts.
#pragma once

#include "provisioning/flows/service.h"
#include "provisioning/jobs/jobs.h"

namespace hatchery::flows {

inline jobs::Context jobs_context(const Service& service) {
    return {service.store, service.settings.account, {}};
}

}  // namespace hatchery::flows
