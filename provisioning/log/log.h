// The one way to log: a named logger a box, one line an event, `event key=value ...`.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace hatchery {

/// The logger registered as `name`; made from the default one (same sinks, same level) where nobody
/// registered one. Thread-safe.
std::shared_ptr<spdlog::logger> logger(const std::string& name);

/// `text`, chosen by a device, a client or a hook, as a log value: as it is when it is a plain
/// word, else in double quotes with control characters, quotes and backslashes escaped; cut after
/// 512 bytes. It can neither forge a line nor fill the disk.
std::string log_value(std::string_view text);

}  // namespace hatchery
