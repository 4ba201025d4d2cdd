// The box's named logger and the quoting of what clients chose themselves.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace hatchery::enroll {

/// The logger "enroll"; made on first use as a copy of the default one.
std::shared_ptr<spdlog::logger> log();

/// `text` as a log value: as it is when plain, else in double quotes with control characters and
/// quotes escaped, cut after 500 bytes, so that no client can forge a line.
std::string log_value(std::string_view text);

}  // namespace hatchery::enroll
