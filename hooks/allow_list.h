// The kind "allow-list": a parameter has to be on a list. Never leaves the process.
#pragma once

#include "hooks/hook.h"

namespace hatchery::hooks {

/// @errors InvalidRequest  nothing on the list, an empty prefix (it would allow everything), an
/// unreadable file, a list of the database beside one written here; `where` = the key
Result<std::unique_ptr<Hook>> make_allow_list(const HookConfig& config, SerialLists* lists);

}  // namespace hatchery::hooks
