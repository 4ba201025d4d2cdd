// Issuing for many at once: who waits together is recorded in one write and stored in another, so
// that a request sleeps once, and a commit serves all who came while the one before was written.
#pragma once

#include "ca/issuer.h"
#include "provisioning/registry/ledger.h"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace hatchery::flows {

/// prepare -> *ledger -> sign -> store*, the last three for whoever stands in line. Thread-safe.
class IssueLine {
  public:
    /// All must outlive the line.
    IssueLine(store::Store& store, registry::StoreLedger& ledger, const ca::Issuer& issuer);
    /// Finishes what was begun.
    ~IssueLine();
    IssueLine(const IssueLine&) = delete;
    IssueLine& operator=(const IssueLine&) = delete;

    /// Waits until the certificate is signed, and in the ledger, durable.
    /// @errors those of Ledger::record and Issuer::sign
    Result<ca::Certificate> issue(ca::Prepared prepared, std::string_view requester, Time now);

  private:
    struct Order;
    using Group = std::vector<std::shared_ptr<Order>>;
    void run_lane();
    Group sign_all(const Group& group);
    void store_all(Group group);

    store::Store& store_;
    registry::StoreLedger& ledger_;
    const ca::Issuer& issuer_;
    const std::size_t most_at_once_;
    std::mutex mutex_;  // guards what is below
    std::condition_variable wake_;
    std::deque<std::shared_ptr<Order>> waiting_;
    bool is_stopping_ = false;
    std::vector<std::jthread> lanes_;  // last: they use everything above
};

}  // namespace hatchery::flows
