// The kind "library": a plugin in this process (plugin.h).
#pragma once

#include "hooks/hook.h"

namespace hatchery::hooks {

/// @errors InvalidRequest  no path, a file that is no plugin or of another version, a plugin that
/// refuses its configuration; `where` = the key
Result<std::unique_ptr<Hook>> make_library(const HookConfig& config);

}  // namespace hatchery::hooks
