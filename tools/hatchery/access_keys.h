// Access keys of the control plane: making one, and reading the secret of one back.
#pragma once

#include "provisioning/registry/access.h"
#include "tools/hatchery/endpoints.h"

namespace hatchery::command {

/// A new key: the row to store, and the secret to show.
struct NewAccessKey {
    registry::AccessKey row;
    Credentials credentials;
};

/// @param role  one of registry::kAccessRoles
/// @errors InvalidRequest  another role
Result<NewAccessKey> make_access_key(const ca::WrapKey& wrap, std::string_view role, Time now);

/// The oldest enabled admin key with its secret.
/// @errors NotFound  there is none; Internal  its secret was not wrapped by `wrap`
Result<Credentials> admin_credentials(store::Store& store, const ca::WrapKey& wrap);

}  // namespace hatchery::command
