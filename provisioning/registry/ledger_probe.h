// Can the ledger be written?
#pragma once

#include "provisioning/store/store.h"

namespace hatchery::registry {

/// Writes the ledger's head as it is. @errors Unavailable  a full disk, say: nothing can be signed
Result<> rewrite_ledger_head(store::Tx&);

}  // namespace hatchery::registry
