// A Plan as JSON, for `hatchery template render`, `diff` and `test`. Heavy: for those files only.
#pragma once

#include "templates/template.h"

#include <nlohmann/json.hpp>

#include <string>

namespace hatchery::command {

/// {"certificate", "thing", "policies": {LOGICAL-NAME: …}, "deviceConfiguration"}: members that the
/// template does not have are not there; names as the control plane's API spells them.
nlohmann::ordered_json plan_json(const templates::Plan& plan);
/// The same for a person: indented, a value a line.
std::string plan_text(const nlohmann::ordered_json& plan);
/// Indented, with a line break at the end; bytes that are no UTF-8 replaced.
std::string json_text(const nlohmann::ordered_json& value);

}  // namespace hatchery::command
