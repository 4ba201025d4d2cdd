// Where the log goes and how a line looks. The boxes log through spdlog loggers of their own names.
#pragma once

#include "tools/hatchery/config.h"

#include <chrono>
#include <string>
#include <string_view>

namespace hatchery::command {

/// One event, before it is a line.
struct LogEvent {
    std::chrono::system_clock::time_point time;
    std::string_view level;
    std::string_view logger;
    std::string_view message;
};
/// One line with its newline. Text: time, level, logger, message; JSON: an object with those four.
/// Whatever the message holds, it stays one line.
std::string log_line(const LogEvent& event, LogFormat format);

/// Sends every logger, those that exist and those to come, to stderr in this form and level.
void set_up_logging(const Config::Log& log);

}  // namespace hatchery::command
