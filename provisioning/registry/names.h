// Patterns and lengths of names (iot 2015-05-28 service model); checked where text enters, and
// again before a row is made.
#pragma once

#include "ca/base/error.h"

#include <string_view>

namespace hatchery::registry {

/// Each: @errors InvalidRequest  "expected …, found …"; `where` = the API member's name.
Result<> check_thing_name(std::string_view name);       ///< 1-128 [a-zA-Z0-9:_-]+
Result<> check_thing_type_name(std::string_view name);  ///< the same
Result<> check_group_name(std::string_view name,
                          std::string_view where);  ///< thing and billing groups, the same
Result<> check_attribute(std::string_view name,
                         std::string_view value);     ///< names <= 128, values <= 800
Result<> check_policy_name(std::string_view name);    ///< 1-128 [\w+=,.@-]+
Result<> check_template_name(std::string_view name);  ///< 1-36 [0-9A-Za-z_-]+

}  // namespace hatchery::registry
