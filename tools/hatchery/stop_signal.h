// SIGTERM, SIGINT and SIGHUP as an event to wait for.
#pragma once

#include "ca/base/error.h"

#include <string_view>

namespace hatchery::command {

/// Blocks those signals in every thread, so that they wait for `wait` and interrupt nobody. Who
/// starts a child gives it an empty mask (broker, hooks). SIGPIPE is ignored from then on.
class StopSignal {
  public:
    /// Call before there are threads: they inherit the mask.
    /// @errors Unavailable  the system does not let us
    static Result<StopSignal> install();
    /// Waits for the first of them, then gives all back to the kernel: a second one kills. To be
    /// called once, by the thread that called `install`. @return its name
    std::string_view wait() const;

  private:
    StopSignal() = default;
};

}  // namespace hatchery::command
