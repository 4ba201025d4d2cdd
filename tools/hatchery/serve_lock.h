// One server a data directory: the lock that says so, and the ports of whoever holds it.
#pragma once

#include "tools/hatchery/endpoints.h"
#include "tools/hatchery/files.h"

#include <optional>

namespace hatchery::command {

/// Held from before the store is opened until the process ends; the kernel gives it back even after
/// a kill -9, so a stale file never keeps a server from starting.
class ServeLock {
  public:
    /// Makes run/ if it is missing. @errors Unavailable  another server runs on this directory
    static Result<ServeLock> take(const Layout& layout);

  private:
    explicit ServeLock(Descriptor file) : file_(std::move(file)) {}
    Descriptor file_;
};

/// The ports of the server that runs on this directory, or nothing if none does.
/// @errors Unavailable  it is starting: its ports are not known yet
Result<std::optional<Ports>> running_ports(const Layout& layout);

}  // namespace hatchery::command
