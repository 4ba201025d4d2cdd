// The timer that tidies up while the server runs.
#pragma once

#include "provisioning/flows/service.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace hatchery::command {

/// Sweeps `service` at once and then every minute, on a thread of its own, until destroyed.
/// `service` must outlive it.
class Housekeeper {
  public:
    explicit Housekeeper(flows::Service& service);
    ~Housekeeper() = default;  // the thread is asked to stop, wakes, and is waited for
    Housekeeper(const Housekeeper&) = delete;
    Housekeeper& operator=(const Housekeeper&) = delete;

  private:
    void run(const std::stop_token& stop);

    flows::Service& service_;
    std::mutex mutex_;  // only for waiting; nothing is shared
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: it uses the others
};

}  // namespace hatchery::command
