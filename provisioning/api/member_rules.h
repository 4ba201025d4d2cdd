// What every member of a request may be: types, lengths, characters and enumerations, as the iot
// 2015-05-28 service model has them. Checked before an operation's handler runs, so that a handler
// sees no illegal member, whether it reads it or not. Pure.
#pragma once

#include "ca/base/error.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace hatchery::api {

/// A path label, query parameter or header input by its name.
/// @errors InvalidRequest  "expected …, found …"; `where` = `name`
Result<> check_member(std::string_view name, std::string_view text);

/// Every known member of a body of `operation`, at any depth; unknown ones are ignored, as AWS
/// does.
/// @errors InvalidRequest  `where` = JSON pointer
Result<> check_body(std::string_view operation, const nlohmann::json& body);

}  // namespace hatchery::api
