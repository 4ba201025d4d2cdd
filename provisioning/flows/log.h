// The flows' named logger and the quoting of what devices chose themselves.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace hatchery::flows {

/// The logger "flows"; made on first use as a copy of the default one.
std::shared_ptr<spdlog::logger> log();

/// `text` in double quotes as a log value: control characters, quotes and backslashes escaped, cut
/// after 512 bytes. A device that puts a newline into its client id must not be able to forge a
/// line.
std::string log_value(std::string_view text);

}  // namespace hatchery::flows
