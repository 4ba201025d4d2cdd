#include "provisioning/enroll/turns.h"

namespace hatchery::enroll {

std::set<std::string>::iterator Turns::begin(const std::string& key) {
    std::unique_lock lock(mutex_);
    ++waiting_;
    ended_.wait(lock, [&] { return !taken_.contains(key); });
    --waiting_;
    return taken_.insert(key).first;
}

void Turns::end(std::set<std::string>::iterator key) {
    const std::lock_guard lock(mutex_);
    taken_.erase(key);
    if (waiting_ > 0) ended_.notify_all();
}

}  // namespace hatchery::enroll
