#include "provisioning/flows/issue_line.h"

#include "provisioning/flows/issue.h"

#include <algorithm>
#include <optional>

namespace hatchery::flows {

namespace {

constexpr std::size_t kMostAtOnce = 64;
/// A key in a device answers after milliseconds, many at once: as many as the fronts have threads.
constexpr unsigned kLanesOfADevice = 32;

/// Each waits for the store's fsync twice a group: more lanes than cores, so that others sign
/// meanwhile, and few, so that the groups are large.
unsigned lanes_for(const ca::Issuer& issuer) {
    if (!issuer.key().is_in_memory()) return kLanesOfADevice;
    return 2 * std::max(1U, std::thread::hardware_concurrency()) + 1;
}

}  // namespace

/// On its requester's stack, who sleeps until it is answered.
struct IssueLine::Order {
    ca::Prepared prepared;
    std::string requester;
    Time now;
    std::optional<ca::Certificate> certificate;
    std::mutex mutex;  // guards outcome
    std::condition_variable answered;
    std::optional<Result<ca::Certificate>> outcome;
};

IssueLine::IssueLine(store::Store& store, registry::StoreLedger& ledger, const ca::Issuer& issuer)
    : store_(store),
      ledger_(ledger),
      issuer_(issuer),
      most_at_once_(issuer.key().is_in_memory() ? kMostAtOnce : 1) {
    for (unsigned i = 0; i < lanes_for(issuer); ++i)
        lanes_.emplace_back([this] { run_lane(); });
}

IssueLine::~IssueLine() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    wake_.notify_all();
}

Result<ca::Certificate> IssueLine::issue(ca::Prepared prepared,
                                         std::string_view requester,
                                         Time now) {
    Order order{std::move(prepared), std::string(requester), now, {}, {}, {}, {}};
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(&order);
    }
    wake_.notify_one();
    std::unique_lock lock(order.mutex);
    order.answered.wait(lock, [&] { return order.outcome.has_value(); });
    return std::move(*order.outcome);
}

void IssueLine::run_lane() {
    for (;;) {
        std::vector<Order*> group;
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return is_stopping_ || !waiting_.empty(); });
            if (waiting_.empty()) return;
            const auto end = waiting_.begin() +
                             static_cast<std::ptrdiff_t>(std::min(waiting_.size(), most_at_once_));
            group.assign(waiting_.begin(), end);
            waiting_.erase(waiting_.begin(), end);
        }
        serve(group);
    }
}

void IssueLine::serve(const std::vector<Order*>& group) {
    std::vector<ca::Ledger::Entry> entries;
    entries.reserve(group.size());
    for (Order* order : group)
        entries.push_back({std::move(order->prepared), order->requester});
    auto recorded = ledger_.record_all(std::move(entries), group.front()->now);
    std::vector<Order*> is_signed;
    for (std::size_t i = 0; i < group.size(); ++i) {
        Order& order = *group[i];
        if (!recorded[i]) {
            answer(order, std::move(recorded[i]).error());
            continue;
        }
        auto certificate =
            sign_recorded(ledger_, issuer_, std::move(*recorded[i]), order.requester, order.now);
        if (certificate) {
            order.certificate = std::move(*certificate);
            is_signed.push_back(&order);
        } else {
            answer(order, std::move(certificate));
        }
    }
    if (is_signed.empty()) return;
    const auto stored = store_all(is_signed);
    for (Order* order : is_signed) {
        // Given up meanwhile, say: each for itself then, as the others did nothing wrong.
        auto own = stored || stored.error().code == Code::Unavailable
                       ? stored
                       : ledger_.complete(*order->certificate, order->now);
        answer(*order,
               own ? Result<ca::Certificate>(std::move(*order->certificate))
                   : Result<ca::Certificate>(std::move(own).error()));
    }
}

Result<> IssueLine::store_all(const std::vector<Order*>& orders) {
    return store_.write([&](store::Tx& tx) -> Result<> {
        for (const Order* order : orders) {
            auto done = registry::StoreLedger::complete_in(tx, *order->certificate, order->now);
            if (!done) return done;
        }
        return {};
    });
}

void IssueLine::answer(Order& order, Result<ca::Certificate> outcome) {
    const std::lock_guard lock(order.mutex);  // held while notifying: the order is on its stack
    order.outcome.emplace(std::move(outcome));
    order.answered.notify_one();
}

}  // namespace hatchery::flows
