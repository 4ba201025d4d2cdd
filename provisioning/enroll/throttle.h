// How often one identity may ask for one device: a retry loop is answered a few times a minute, and
// costs a look into a map after that. Others are not slowed down.
#pragma once

#include "ca/base/clock.h"
#include "ca/base/error.h"

#include <mutex>
#include <string>
#include <unordered_map>

namespace hatchery::enroll {

/// Thread-safe; holds `capacity` entries at most.
class Throttle {
  public:
    static constexpr std::chrono::seconds kWindow{60};

    Throttle(int limit, std::size_t capacity) : limit_(limit), capacity_(capacity) {}

    /// Counts one attempt of `who`. @errors Throttled  more than the limit within kWindow
    Result<> count(const std::string& who, Time now);

  private:
    struct Window {
        Time begins;
        int attempts = 0;
    };

    int limit_;
    std::size_t capacity_;
    std::mutex mutex_;  // guards windows_
    std::unordered_map<std::string, Window> windows_;
};

}  // namespace hatchery::enroll
