// The gateway's log: one line an event, `event key=value ...`. What a device sent is quoted and cut
// short, so that it can neither forge a line nor fill the disk.
#pragma once

#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace hatchery::gateway {

/// The logger "gateway"; made on first use with the default logger's sinks. Thread-safe.
spdlog::logger& log();

/// `value` as it is if it is a plain word, else in double quotes with control characters, quotes
/// and backslashes escaped; at most about 300 characters.
std::string log_value(std::string_view value);

}  // namespace hatchery::gateway
