// Can the ledger be written?
#pragma once

#include "provisioning/store/store.h"

namespace hatchery::registry {

/// Counts in a row of its own, in the ledger's database.
/// @errors Unavailable  a full disk, say: nothing can be signed
Result<> try_to_write(store::Tx&);

}  // namespace hatchery::registry
