// Writes the log of one commit in few large writes. SQLite writes every frame of its write-ahead
// log by two system calls, 24 bytes of header and a page, each of which costs the file system about
// as much as the other: for a commit of 300 frames 1.2 to 1.8 ms, joined 0.3 to 0.6. This box's
// own.
#pragma once

#include <memory>
#include <string>

struct sqlite3_vfs;

namespace hatchery::store {

/// A SQLite VFS (sqlite.org/vfs.html) over another, registered while it lives. All but the log are
/// the other's files. What is written to the log waits in memory until it is synced, read or
/// measured, the next write does not follow on it, or there is too much of it; SQLite tells other
/// connections of a commit only after the sync (synchronous=FULL, which `Connection` sets). It is
/// kept until the file below has all of it: a full disk fails the sync, and loses nothing that was
/// written before.
class JoinedLog {
  public:
    /// @param below  by name; empty = the system's
    explicit JoinedLog(const std::string& below);
    /// After its last connection has closed.
    ~JoinedLog();
    JoinedLog(const JoinedLog&) = delete;
    JoinedLog& operator=(const JoinedLog&) = delete;

    /// For sqlite3_open_v2. That of `below` if SQLite does not know it, whose error then tells.
    const std::string& name() const { return name_; }

    struct Vfs;

  private:
    std::string name_;
    std::unique_ptr<Vfs> vfs_;
};

}  // namespace hatchery::store
