// Takes a worker's stderr to the log, so that a worker that writes much never blocks on it.
#pragma once

#include "hooks/worker.h"

namespace hatchery::hooks {

/// Logs `fd` (non-blocking) line by line until its end, or until `stop` (an eventfd) is readable
/// and nothing is left. A line is cut after 1 KiB; of more than 100 lines a second the rest is
/// counted, not logged.
void drain_stderr(int fd, int stop, const std::string& hook, pid_t pid);

}  // namespace hatchery::hooks
