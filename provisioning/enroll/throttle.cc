#include "provisioning/enroll/throttle.h"

namespace hatchery::enroll {

Result<> Throttle::count(const std::string& who, Time now) {
    const auto is_over = [now](const Window& window) {
        return now < window.begins || now - window.begins >= kWindow;
    };
    const std::lock_guard lock(mutex_);
    if (windows_.size() >= capacity_ && !windows_.contains(who)) {
        std::erase_if(windows_, [&](const auto& one) { return is_over(one.second); });
        // More identities in a minute than there is room: let them pass rather than mix them up.
        if (windows_.size() >= capacity_) windows_.clear();
    }
    Window& window = windows_[who];
    if (is_over(window)) window = {now, 0};
    if (++window.attempts <= limit_) return {};
    const auto left = window.begins + kWindow - now;
    return fail(Code::Throttled,
                "expected at most " + std::to_string(limit_) +
                    " requests a minute for one device, try again in " +
                    std::to_string(left.count()) + " s");
}

}  // namespace hatchery::enroll
