// The timer of jobs while the server runs.
#pragma once

#include "provisioning/flows/service.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace hatchery::command {

/// Does what is due of the jobs of `service` by itself (jobs/schedule.h) five times a second, on a
/// thread of its own, until destroyed. `service` must outlive it.
class JobClock {
  public:
    explicit JobClock(flows::Service& service);
    ~JobClock() = default;  // the thread is asked to stop, wakes, and is waited for
    JobClock(const JobClock&) = delete;
    JobClock& operator=(const JobClock&) = delete;

  private:
    void run(const std::stop_token& stop);
    Result<bool> tick();

    flows::Service& service_;
    std::mutex mutex_;  // only for waiting; nothing is shared
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: it uses the others
};

}  // namespace hatchery::command
