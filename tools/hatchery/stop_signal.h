// SIGTERM, SIGINT and SIGHUP as an event to wait for.
#pragma once

#include "ca/base/error.h"

#include <string_view>

namespace hatchery::command {

/// Handlers that wake `wait`. Handlers rather than a blocked mask: children (broker, hooks) inherit
/// a mask and would then not end on SIGTERM themselves. SIGPIPE is ignored from then on. One a
/// process.
class StopSignal {
  public:
    /// Call before there are threads. @errors Unavailable  no descriptor is left
    static Result<StopSignal> install();
    /// Waits for the first of them, then gives all back to the kernel: a second one kills.
    /// @return its name
    std::string_view wait() const;

  private:
    explicit StopSignal(int fd) : fd_(fd) {}
    int fd_;  ///< read end of a pipe that the handler writes to; open until the process ends
};

}  // namespace hatchery::command
