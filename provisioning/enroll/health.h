// Can this server do its work? Each part is tried, not believed: a row written and synced, a text
// signed. For GET /health (load balancers, `hatchery status`).
#pragma once

#include "ca/base/clock.h"
#include "provisioning/flows/service.h"

#include <mutex>
#include <string>
#include <vector>

namespace hatchery::enroll {

class Health {
  public:
    /// `service` must outlive it.
    explicit Health(flows::Service& service) : service_(service) {}

    struct Part {
        std::string name;  ///< "store", "signingKey", "issuingCa", "revocationLists", "hsm:TOKEN"
        std::string problem;  ///< empty: it works
        std::string detail;   ///< of what works: "2 sessions, opened again 1 times"; or empty
    };
    /// Tried at most once a second, whoever asks how often. Thread-safe.
    std::vector<Part> look(Time now);

  private:
    std::vector<Part> try_all(Time now);

    flows::Service& service_;
    std::mutex mutex_;  // guards what is below
    Time looked_{};
    std::vector<Part> last_;
};

}  // namespace hatchery::enroll
