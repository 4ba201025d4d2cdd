// Time as values. Functions take `now`; only fronts and commands read the clock.
#pragma once

#include <chrono>
#include <string>

namespace hatchery {

/// UTC, whole seconds.
using Time = std::chrono::sys_seconds;

/// The clock, for fronts and commands only.
inline Time clock_now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}
/// The same in milliseconds, as messages, events and numbers of CRLs have it.
inline std::chrono::sys_time<std::chrono::milliseconds> clock_now_in_milliseconds() {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}
/// "2026-11-22T19:59:35Z".
std::string to_iso8601(Time time);

}  // namespace hatchery
