// `hatchery thing apply`: things as a YAML or JSON file wants them, and what that changes.
#pragma once

#include "ca/base/clock.h"
#include "provisioning/registry/account.h"
#include "provisioning/registry/things.h"
#include "provisioning/store/store.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::command {

/// One entry; what is unset is left as it is.
struct WantedThing {
    std::string name;
    std::optional<std::string> thing_type, billing_group;
    std::optional<std::map<std::string, std::string>> attributes;
    std::optional<std::vector<std::string>> thing_groups;
};

/// @param source  the file's name, for messages
/// @errors InvalidRequest  not the form that `thing apply --help` shows; `where` =
/// "source:line:column"
Result<std::vector<WantedThing>> parse_thing_file(std::string_view text, std::string_view source);

/// One thing that changes, and how: "+ thing meter-1", "~ thing meter-1: type …".
using ThingPlan = std::vector<std::string>;
Result<ThingPlan> plan_things(store::Reader& reader, const std::vector<WantedThing>& wanted);
std::string to_text(const ThingPlan& plan);

/// Makes it so, all in one commit. Changes nothing where nothing is to change.
/// @errors NotFound  a type or group; InvalidRequest  a value that the registry refuses
Result<> apply_things(store::Store& store,
                      const registry::Account& account,
                      const std::vector<WantedThing>& wanted,
                      Time now);

}  // namespace hatchery::command
