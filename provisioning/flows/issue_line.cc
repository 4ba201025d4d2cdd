#include "provisioning/flows/issue_line.h"

#include "provisioning/flows/issue.h"

#include <algorithm>
#include <optional>

namespace hatchery::flows {

namespace {

constexpr std::size_t kMostAtOnce = 64;
/// A key in a device answers after milliseconds, many at once: as many as the fronts have threads.
constexpr unsigned kLanesOfADevice = 32;

/// As few as keep the cores busy: those who wait while a lane signs and its group is written are
/// one group, and one commit, for the next lane that is free.
unsigned lanes_for(const ca::Issuer& issuer) {
    if (!issuer.key().is_in_memory()) return kLanesOfADevice;
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    // What else a request takes, in its own thread, is many times a signature of these.
    const auto& fields = issuer.certificate().fields();
    const bool is_quick = fields.curve == "P-256" || fields.key_algorithm == "ED25519";
    return is_quick ? (cores + 3) / 4 : cores + 1;
}

}  // namespace

/// Its requester sleeps until it is answered.
struct IssueLine::Order {
    Order(ca::Prepared made, std::string_view by, Time at)
        : prepared(std::move(made)), requester(by), now(at) {}

    ca::Prepared prepared;
    const std::string requester;
    const Time now;
    std::optional<ca::Certificate> certificate;
    Result<> stored;
    std::mutex mutex;  // guards outcome
    std::condition_variable answered;
    std::optional<Result<ca::Certificate>> outcome;

    void answer(Result<ca::Certificate> with) {
        {
            const std::lock_guard lock(mutex);
            outcome.emplace(std::move(with));
        }
        answered.notify_one();
    }
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
    const auto order = std::make_shared<Order>(std::move(prepared), requester, now);
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(order);
    }
    wake_.notify_one();
    std::unique_lock lock(order->mutex);
    order->answered.wait(lock, [&] { return order->outcome.has_value(); });
    return std::move(*order->outcome);
}

void IssueLine::run_lane() {
    for (;;) {
        Group group;
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return is_stopping_ || !waiting_.empty(); });
            if (waiting_.empty()) return;
            const auto end = waiting_.begin() +
                             static_cast<std::ptrdiff_t>(std::min(waiting_.size(), most_at_once_));
            group.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
            waiting_.erase(waiting_.begin(), end);
        }
        store_all(sign_all(group));
    }
}

/// Records and signs; what cannot be is answered.
IssueLine::Group IssueLine::sign_all(const Group& group) {
    std::vector<ca::Ledger::Entry> entries;
    entries.reserve(group.size());
    for (const auto& order : group)
        entries.push_back({std::move(order->prepared), order->requester});
    auto recorded = ledger_.record_all(std::move(entries), group.front()->now);
    Group is_signed;
    is_signed.reserve(group.size());
    for (std::size_t i = 0; i < group.size(); ++i) {
        Order& order = *group[i];
        if (!recorded[i]) {
            order.answer(std::move(recorded[i]).error());
            continue;
        }
        auto certificate =
            sign_recorded(ledger_, issuer_, std::move(*recorded[i]), order.requester, order.now);
        if (certificate) {
            order.certificate = std::move(*certificate);
            is_signed.push_back(group[i]);
        } else {
            order.answer(std::move(certificate));
        }
    }
    return is_signed;
}

/// Answers once it is durable. Nobody waits for it here: the lane records its next group meanwhile,
/// as a rule in the same commit.
void IssueLine::store_all(Group group) {
    if (group.empty()) return;
    const auto shared = std::make_shared<const Group>(std::move(group));
    const auto complete_each = [shared](store::Tx& tx) -> Result<> {
        for (const auto& order : *shared) {
            order->stored = registry::StoreLedger::complete_in(tx, *order->certificate, order->now);
            // A refusal (given up meanwhile, say) has written nothing that must be undone, and
            // concerns nobody else; a failing store has.
            if (!order->stored && order->stored.error().code == Code::Unavailable) {
                return order->stored;
            }
        }
        return {};
    };
    store_.write_async(complete_each, [shared](const Result<>& written) {
        for (const auto& order : *shared) {
            const Result<>& own = written ? order->stored : written;
            order->answer(own ? Result<ca::Certificate>(std::move(*order->certificate))
                              : Result<ca::Certificate>(own.error()));
        }
    });
}

}  // namespace hatchery::flows
