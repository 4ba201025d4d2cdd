// Policies by key, for attachments. This box's own.
#pragma once

#include "provisioning/registry/policies.h"

namespace hatchery::registry {

/// The policies whose keys `keys_sql` selects (one parameter, one column), oldest first, none
/// twice.
Result<std::vector<Policy>> read_policies(store::Reader& reader,
                                          std::string_view keys_sql,
                                          std::int64_t argument);

}  // namespace hatchery::registry
