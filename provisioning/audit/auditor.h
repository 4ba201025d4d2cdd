// Audits while the server runs: a thread of its own that runs what waits, begins what is due, and
// tells a webhook.
#pragma once

#include "provisioning/audit/audit.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace hatchery::audit {

struct AuditorOptions {
    std::string webhook{};           ///< http:// or https:// URL that a finished task is POSTed to
    std::chrono::days keep_for{90};  ///< tasks and findings, as AWS keeps them
    Surroundings surroundings{};
};

/// What a webhook is told of a finished task: compact JSON.
std::string notification(const registry::Account& account, const registry::AuditTask& task);
/// POSTs `body`; follows no redirect. @errors InvalidRequest  no http(s) URL
/// @errors Unavailable  no 2xx answer within ten seconds
Result<> post_to_webhook(const std::string& url, const std::string& body);

class Auditor {
  public:
    /// Looks for tasks every second; a task that a stopped server left is begun anew. `store` must
    /// outlive the object.
    Auditor(store::Store& store, registry::Account account, AuditorOptions options);
    ~Auditor() = default;  // the thread is asked to stop; a task in progress goes on next time
    Auditor(const Auditor&) = delete;
    Auditor& operator=(const Auditor&) = delete;

  private:
    void run(const std::stop_token& stop);
    Result<bool> run_next(Time now, const std::stop_token& stop);
    Result<> keep_house(Time now);

    store::Store& store_;
    const registry::Account account_;
    const AuditorOptions options_;
    std::mutex mutex_;  // only for waiting; nothing is shared
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: it uses the others
};

}  // namespace hatchery::audit
