// The checks: what each looks for among the registry's records. This box's own.
#pragma once

#include "provisioning/audit/audit.h"

#include <functional>

namespace hatchery::audit {

/// What a check works with.
struct Inspection {
    store::Store& store;
    const registry::Account& account;
    Time now;
    const std::map<std::string, std::string>& configuration;
    const Surroundings& surroundings;
    /// Takes a finding; an error ends the check.
    std::function<Result<>(registry::AuditFinding)> found;
    /// Says after every page how many resources were looked at; an error ends the check.
    std::function<Result<>(std::int64_t)> looked_at;
};

/// Walks over what the check is about, page by page: each page is a snapshot of its own, so no
/// write waits and no list is ever held whole.
Result<> inspect(const Check& check, const Inspection& inspection);

}  // namespace hatchery::audit
