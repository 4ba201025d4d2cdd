// The threads for work that may block. Private to this box.
#pragma once

#include "hooks/hook.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace hatchery::gateway {

/// A pool of threads that start when they are needed. A thread that waits for a hook does not
/// count: another one does its work meanwhile, so devices of a hook that hangs hold up nobody
/// else. How many may wait is bounded by the hooks themselves (their workers and queues).
/// Thread-safe.
class FlowThreads : private hooks::WaitObserver {
  public:
    /// @param most  how many work at once, those that wait for a hook aside
    explicit FlowThreads(int most);
    ~FlowThreads() override;
    FlowThreads(const FlowThreads&) = delete;
    FlowThreads& operator=(const FlowThreads&) = delete;

    /// Calls `work()` once on one of the threads, in the order of posting. It must not throw, and
    /// may be move-only.
    template <class F>
    void post(F work) {
        add(std::make_unique<TaskOf<F>>(std::move(work)));
    }
    /// Waits for all that was posted. Nothing may be posted from then on.
    void join();

  private:
    struct Task {
        Task() = default;
        virtual ~Task() = default;
        Task(const Task&) = delete;
        Task& operator=(const Task&) = delete;
        virtual void run() = 0;
    };
    template <class F>
    struct TaskOf final : Task {
        explicit TaskOf(F given) : work(std::move(given)) {}
        void run() override { work(); }
        F work;
    };

    void waiting() override;
    void going_on() override;
    void add(std::unique_ptr<Task> task);
    void start_if_needed();
    std::size_t working() const { return threads_.size() - waiting_; }
    void run();
    void work(std::unique_lock<std::mutex>& lock);

    const std::size_t most_;
    std::mutex mutex_;  // guards all that follows
    std::condition_variable posted_;
    std::condition_variable ended_;
    std::deque<std::unique_ptr<Task>> tasks_;
    std::map<std::thread::id, std::thread> threads_;
    std::vector<std::thread> done_;  ///< threads that are over, or nearly
    std::size_t idle_ = 0;
    std::size_t waiting_ = 0;  ///< for a hook
    bool is_ending_ = false;
};

}  // namespace hatchery::gateway
