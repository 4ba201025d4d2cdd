// The kind "command": a pool of long-lived worker processes.
#pragma once

#include "hooks/hook.h"

namespace hatchery::hooks {

/// Workers start when they are first needed.
/// @errors InvalidRequest  no command, a program that is not there, workers outside 1..64; `where`
/// = the key
Result<std::unique_ptr<Hook>> make_command(const HookConfig& config);

}  // namespace hatchery::hooks
