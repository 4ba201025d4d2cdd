// Moves the write-ahead log into the database file beside the writer, on a thread and a connection
// of its own: the disk is waited for while the next group commits. This box's own.
#pragma once

#include "provisioning/store/connection.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace hatchery::store {

/// One pass at a time. Thread-safe.
class Checkpointer {
  public:
    enum class Readers {
        Leave,   ///< the log goes on behind what was moved, unless that was all of it
        WaitFor  ///< so that the log starts anew; only while nobody writes
    };
    struct Progress {
        bool is_idle = true;
        int moved = 0;  ///< frames of the log that the last pass left in the database file
        std::optional<Error> failure;  ///< an fsync failed: there are no further passes
    };

    explicit Checkpointer(std::unique_ptr<Connection> connection);
    /// Finishes the pass that is under way.
    ~Checkpointer();
    Checkpointer(const Checkpointer&) = delete;
    Checkpointer& operator=(const Checkpointer&) = delete;

    /// Begins a pass, unless one is under way.
    void start(Readers readers = Readers::Leave);
    void wait_until_idle();
    Progress progress() const;

  private:
    void loop();

    std::unique_ptr<Connection> connection_;  // of the thread
    mutable std::mutex mutex_;                // guards all below
    std::condition_variable changed_;
    Progress progress_;
    Readers readers_ = Readers::Leave;  // of the pass that is under way
    bool stopping_ = false;
    std::thread thread_;  // last: it uses everything above
};

}  // namespace hatchery::store
