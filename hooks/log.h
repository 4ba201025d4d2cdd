// The box's logger and what makes foreign text fit to be a log value.
#pragma once

#include <spdlog/fwd.h>

#include <memory>
#include <string>
#include <string_view>

namespace hatchery::hooks {

/// The logger "hooks", made from the default one where nobody did.
std::shared_ptr<spdlog::logger> logger();
/// In quotes, with control characters, quotes and backslashes escaped, cut after 1 KiB: text of
/// devices and workers can't forge a log line.
std::string log_value(std::string_view text);

}  // namespace hatchery::hooks
