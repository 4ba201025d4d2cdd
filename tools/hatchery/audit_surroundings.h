// What an audit knows of this data directory beside its registry.
#pragma once

#include "provisioning/audit/audit.h"
#include "tools/hatchery/data_directory.h"

namespace hatchery::command {

/// @errors those of DataDirectory::weak_keys
Result<audit::Surroundings> audit_surroundings(const DataDirectory& data);

}  // namespace hatchery::command
