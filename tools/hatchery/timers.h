// What the server does by itself while it runs.
#pragma once

#include "provisioning/flows/service.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace hatchery::command {

/// Does `work` at once and again and again, on a thread of its own, until destroyed.
class Timer {
  public:
    /// How long to wait until the next time.
    using Work = std::function<std::chrono::milliseconds()>;

    explicit Timer(Work work);
    ~Timer() = default;  // the thread is asked to stop, wakes, and is waited for
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

  private:
    void run(const std::stop_token& stop);

    const Work work_;
    std::mutex mutex_;  // only for waiting; nothing is shared
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: it uses the others
};

/// Sweeps away what has expired, every minute.
std::chrono::milliseconds keep_house(flows::Service& service);
/// Does what is due of the jobs (jobs/schedule.h), five times a second.
std::chrono::milliseconds keep_jobs_going(flows::Service& service);

}  // namespace hatchery::command
