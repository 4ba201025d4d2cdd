// Rows of things as values. This box's own.
#pragma once

#include "provisioning/registry/things.h"

namespace hatchery::registry {

inline constexpr int kThingColumnCount = 7;
inline constexpr int kMaxSearchPage = 500;  // QueryMaxResults, iot 2015-05-28
inline constexpr std::string_view kThingColumns =
    "t.key, t.name, t.uuid, (SELECT name FROM thing_types WHERE key = t.type), t.attributes, "
    "(SELECT name FROM billing_groups WHERE key = t.billing_group), t.version";

/// Of the first kThingColumnCount columns of kThingColumns.
Thing make_thing(const store::Statement& row);

}  // namespace hatchery::registry
