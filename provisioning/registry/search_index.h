// The search index over things' attributes. This box's own.
#pragma once

#include "provisioning/registry/things.h"

namespace hatchery::registry {

/// Puts these attributes of every thing, present and future, into the index. The first time takes a
/// walk over all things, so types are best made before their things.
Result<> index_attributes(store::Tx&, const std::vector<std::string>& names);
/// Follows a thing's attributes from `before` to `after`.
Result<> index_thing(store::Tx&,
                     std::int64_t thing,
                     const Attributes& before,
                     const Attributes& after);
/// The index's number of an attribute, if it is in it.
Result<std::optional<std::int64_t>> indexed_attribute(store::Reader&, std::string_view name);

/// ASCII only, as SQLite's lower().
std::string lower_case(std::string_view text);

}  // namespace hatchery::registry
