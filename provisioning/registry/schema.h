// The database schema, as migrations; see docs in schema.cc for why each table is shaped as it is.
#pragma once

#include "provisioning/store/store.h"

#include <span>

namespace hatchery::registry {

std::span<const store::Migration> migrations();
/// Store::open with this schema.
Result<std::unique_ptr<store::Store>> open(const std::filesystem::path& file,
                                           store::Store::Options options = {});

}  // namespace hatchery::registry
