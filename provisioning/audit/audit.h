// Audits of the account, as AWS IoT Device Defender has them: checks over what the registry holds,
// findings with AWS's reason codes. In: tasks that somebody added (registry/audits.h). Out: their
// findings, and a notification. Knows no HTTP front and no command. Read first: run_task.
#pragma once

#include "provisioning/registry/account.h"
#include "provisioning/registry/audits.h"

#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace hatchery::ca {
class WeakKeys;
}

namespace hatchery::audit {

struct Check {
    std::string_view name;      ///< "DEVICE_CERTIFICATE_EXPIRING_CHECK"
    std::string_view severity;  ///< "CRITICAL", "HIGH", "MEDIUM", "LOW"
    std::string_view about;     ///< resourceType of what it looks at
};

/// What checks know beside the registry.
struct Surroundings {
    std::shared_ptr<const ca::WeakKeys> weak_keys{};  ///< may be none
    bool logs_events = true;  ///< does the server's log tell what devices do, or only what failed?
};
/// By name.
std::span<const Check> all_checks();
const Check* find_check(std::string_view name);
/// @errors InvalidRequest  a name that is no check's
Result<> check_names(const std::vector<std::string>& names);
/// Tells a check's own settings from others: only DEVICE_CERTIFICATE_AGE_CHECK has one,
/// CERT_AGE_THRESHOLD_IN_DAYS, 30 to 3652. @errors InvalidRequest
Result<> check_setting(std::string_view check,
                       const std::map<std::string, std::string>& configuration);

/// Runs a task in progress to its end, or until somebody cancels it. A check that fails says so and
/// the others go on. Begun anew, it first takes back what an interrupted run left.
/// @return the task as it then is
/// @errors Unavailable  `stop` was requested; the task is still in progress
Result<registry::AuditTask> run_task(store::Store& store,
                                     const registry::Account& account,
                                     const registry::AuditTask& task,
                                     Time now,
                                     const std::stop_token& stop = {},
                                     const Surroundings& surroundings = {});

/// When `audit` was last due, at or before `now`: midnight UTC of its day.
Time last_due(const registry::ScheduledAudit& audit, Time now);
/// Adds a task for every schedule that is due. @return how many
Result<int> start_due(store::Store& store, Time now);

}  // namespace hatchery::audit
