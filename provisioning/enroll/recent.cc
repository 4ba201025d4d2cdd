#include "provisioning/enroll/recent.h"

namespace hatchery::enroll {

std::shared_ptr<RecentCertificates::Slot> RecentCertificates::slot_of(const std::string& key) {
    const std::lock_guard lock(mutex_);
    if (const auto known = slots_.find(key); known != slots_.end()) return known->second;
    if (order_.size() == capacity_) {
        slots_.erase(order_.front());
        order_.pop_front();
    }
    order_.push_back(key);
    return slots_.emplace(key, std::make_shared<Slot>()).first->second;
}

Result<RecentCertificates::Outcome> RecentCertificates::find_or_issue(
    const std::string& key, Time now, const std::function<Result<Issued>()>& issue) {
    const auto slot = slot_of(key);
    const std::lock_guard lock(slot->mutex);
    if (slot->issued && now < slot->issued_at + lifetime_) return Outcome{*slot->issued, false};
    auto issued = issue();
    if (!issued) return std::move(issued).error();
    slot->issued = *issued;
    slot->issued_at = now;
    return Outcome{std::move(*issued), true};
}

}  // namespace hatchery::enroll
