// Certificates that stations got lately, so that a station which repeats a request (a lost answer,
// a retry loop) gets the same certificate again instead of one more.
#pragma once

#include "ca/base/clock.h"
#include "ca/base/error.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace hatchery::enroll {

/// An issued certificate in the forms that answers need.
struct Issued {
    std::string certificate_id;
    std::string certificate_pem;  ///< the leaf alone
    std::string chain_pem;        ///< the CA certificates above it, without the root
    std::string serial_number;    ///< hexadecimal
    std::string not_after;        ///< ISO 8601
};

/// Bounded: the oldest entries go first. Thread-safe; equal requests at the same time wait for the
/// first one, others never wait for each other.
class RecentCertificates {
  public:
    /// @param lifetime  how long a certificate answers repeats; afterwards the same request is a
    /// new one
    RecentCertificates(std::size_t capacity, std::chrono::seconds lifetime)
        : capacity_(capacity), lifetime_(lifetime) {}

    struct Outcome {
        Issued issued;
        bool is_new = false;
    };
    /// The certificate known by `key`, else what `issue` makes; a failure is not remembered.
    Result<Outcome> find_or_issue(const std::string& key,
                                  Time now,
                                  const std::function<Result<Issued>()>& issue);

  private:
    struct Slot {
        std::mutex mutex;  // held while issuing; guards both below
        std::optional<Issued> issued;
        Time issued_at;
    };
    std::shared_ptr<Slot> slot_of(const std::string& key);

    std::size_t capacity_;
    std::chrono::seconds lifetime_;
    std::mutex mutex_;  // guards slots_ and order_
    std::map<std::string, std::shared_ptr<Slot>> slots_;
    std::deque<std::string> order_;
};

}  // namespace hatchery::enroll
