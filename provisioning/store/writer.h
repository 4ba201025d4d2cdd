// The one writer: a thread, a queue, and the group commit.
#pragma once

#include "provisioning/store/checkpointer.h"
#include "provisioning/store/connection.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace hatchery::store {

/// Runs closures in groups, each group one transaction. Thread-safe.
class Writer {
  public:
    using Work = Store::Work;
    using Done = std::function<void(Result<>)>;

    /// @param generation  raised to the database's identity generation after each commit that
    /// touched it
    Writer(std::unique_ptr<Connection> connection,
           std::unique_ptr<Connection> for_checkpoints,
           const Store::Options& options,
           std::atomic<std::uint64_t>& generation);
    /// Finishes what was submitted.
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// `done` runs on the writer's thread after the commit; here and now if the queue is full.
    void submit(Work work, Done done, Store::Patience patience = {});
    Result<> submit_and_wait(Work work, Store::Patience patience);

  private:
    struct Job {
        Work work;
        Done done;
        Result<> outcome;
    };

    void loop();
    bool wait_for_work();
    bool take(Job& job);
    std::vector<Job> take_all();

    /// What a closure left of the transaction: all that was there, with a failed closure's changes
    /// in it, or nothing.
    enum class Left { Whole, Spoiled, Lost };

    void commit_group();
    void commit_again(std::vector<Job> group);
    void commit_one_by_one(std::vector<Job> jobs, std::size_t lost);
    bool begin(std::vector<Job>& group);
    Left run_one(Job& job, bool& touched);
    bool run_undoable(Job& job, bool& touched);
    Result<> bump_generation();
    void finish(std::vector<Job>& group, bool touched);
    void refuse(std::vector<Job>& group, const Error& error);
    void keep_log_short();
    static void answer(Job& job);

    std::unique_ptr<Connection> connection_;
    Checkpointer checkpointer_;
    const Store::Options options_;
    std::atomic<std::uint64_t>& generation_;
    // Set once, by the writer's thread: after it nothing is written until the store is reopened.
    std::optional<Error> broken_;
    std::uint64_t next_generation_ = 0;  // of the open transaction
    std::deque<Job> taken_;              // of the queue, by the writer's thread

    std::mutex mutex_;  // guards queue_, begin_at_ and stopping_
    std::condition_variable wake_;
    std::deque<Job> queue_;
    /// When the first in queue_ runs out of patience.
    std::chrono::steady_clock::time_point begin_at_;
    bool stopping_ = false;
    std::thread thread_;  // last: it uses everything above
};

}  // namespace hatchery::store
