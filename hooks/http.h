// The kind "http": a POST in the form of AWS Lambda's Invoke.
#pragma once

#include "hooks/hook.h"

namespace hatchery::hooks {

/// @errors InvalidRequest  a URL that is none, unreadable CAs or secrets; `where` = the key
Result<std::unique_ptr<Hook>> make_http(const HookConfig& config);

}  // namespace hatchery::hooks
