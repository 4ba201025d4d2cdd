// The line of those who wait for a free worker or connection of a hook. This box's own.
#pragma once

#include "ca/base/error.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>

namespace hatchery::hooks {

/// Serves in the order of asking; bounded. Guarded by its owner's mutex, which also guards what
/// there is to take.
class Line {
  public:
    using Moment = std::chrono::steady_clock::time_point;
    enum class Outcome { Taken, TooLate, NeverFirst };

    explicit Line(int most) : most_(static_cast<std::size_t>(most)) {}

    /// Calls `take` whenever it is this caller's turn, until it returns true or `deadline` passes.
    /// @param retry_at  when `take` may succeed without a call of `wake_first`
    /// @errors Unavailable  the line is full
    template <class Take, class RetryAt>
    Result<Outcome> wait(std::unique_lock<std::mutex>& lock,
                         Moment deadline,
                         Take take,
                         RetryAt retry_at) {
        if (waiting_.empty() && take()) return Outcome::Taken;
        if (waiting_.size() >= most_) {
            return fail(Code::Unavailable,
                        "the hook is busy: " + std::to_string(waiting_.size()) + " requests wait");
        }
        std::condition_variable turn;
        const auto self = waiting_.insert(waiting_.end(), &turn);
        while (true) {
            const bool is_first = waiting_.front() == &turn;
            const bool has_taken = is_first && take();
            if (has_taken || std::chrono::steady_clock::now() >= deadline) {
                waiting_.erase(self);
                wake_first();
                if (has_taken) return Outcome::Taken;
                return is_first ? Outcome::TooLate : Outcome::NeverFirst;
            }
            turn.wait_until(lock, is_first ? std::min(deadline, retry_at()) : deadline);
        }
    }
    void wake_first() {
        if (!waiting_.empty()) waiting_.front()->notify_one();
    }

  private:
    std::size_t most_;
    std::list<std::condition_variable*> waiting_;
};

}  // namespace hatchery::hooks
