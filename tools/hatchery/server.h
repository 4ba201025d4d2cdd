// Everything that `hatchery serve` runs, put together.
#pragma once

#include "tools/hatchery/endpoints.h"

#include <memory>

namespace hatchery::command {

/// A running server. Building it opens what lies below before what stands on it; destroying it
/// closes the fronts first, then what they use, the store last, so that every accepted write is
/// finished.
class Server {
  public:
    /// Every front accepts when this returns.
    /// @param config  the directory's, as the command line changed it
    /// @errors Unauthenticated  wrong passphrase; Unavailable  a port is taken, the broker does not
    /// start, a hook or a profile is wrong
    static Result<std::unique_ptr<Server>> start(const DataDirectory& data,
                                                 const Config& config,
                                                 const Secret& passphrase);
    virtual ~Server() = default;
    /// The ports that the fronts really listen on.
    virtual Ports ports() const = 0;
};

/// `name` itself if it has a slash, else the first executable of that name in PATH, /usr/sbin or
/// /usr/local/sbin (where Debian puts daemons, out of most users' PATH).
/// @errors Unavailable  there is none
Result<std::filesystem::path> find_executable(const std::string& name);

}  // namespace hatchery::command
