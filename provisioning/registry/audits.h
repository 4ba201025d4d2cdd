// What audits leave: the account's configuration, tasks with their checks, findings, suppressions,
// schedules, and the conflicts between connections that the gateway saw. Rows only: what a check
// looks for is provisioning/audit's.
#pragma once

#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "provisioning/registry/page.h"
#include "provisioning/store/store.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hatchery::registry {

struct AuditNotification {
    std::string target_arn, role_arn;
    bool enabled = false;
};
struct AuditCheckSetting {
    bool enabled = false;
    std::map<std::string, std::string> configuration;
};
/// UpdateAccountAuditConfiguration's three members.
struct AuditConfiguration {
    std::string role_arn;
    std::optional<AuditNotification> sns;             ///< the only kind of target that AWS knows
    std::map<std::string, AuditCheckSetting> checks;  ///< by check name
};
Result<AuditConfiguration> audit_configuration(store::Reader&);
Result<> set_audit_configuration(store::Tx&, const AuditConfiguration&);
/// Back to nothing. @errors NotFound  nothing was ever set
Result<> delete_audit_configuration(store::Tx&);

enum class AuditTaskStatus { InProgress, Completed, Failed, Canceled };
std::string_view to_string(AuditTaskStatus);  ///< "IN_PROGRESS" …
enum class AuditCheckStatus { InProgress, Waiting, Canceled, Compliant, NonCompliant, Failed };
std::string_view to_string(AuditCheckStatus);  ///< "COMPLETED_COMPLIANT" …

struct AuditCheckRun {
    std::string name;
    AuditCheckStatus status = AuditCheckStatus::Waiting;
    std::int64_t total = 0, non_compliant = 0, suppressed = 0;
    std::string message;  ///< of a failure
};
struct AuditTask {
    std::int64_t key = 0;
    std::string id;
    std::optional<std::string> schedule;  ///< name of the scheduled audit that began it
    Time started;
    AuditTaskStatus status = AuditTaskStatus::InProgress;
    std::vector<AuditCheckRun> checks;  ///< by name
};
enum class AuditRunner { Server, Command };  ///< who runs a task
/// Adds a task whose checks wait.
Result<AuditTask> add_audit_task(store::Tx&,
                                 const std::vector<std::string>& checks,
                                 std::optional<std::string> schedule,
                                 Time now,
                                 AuditRunner runner = AuditRunner::Server);
/// @errors NotFound
Result<AuditTask> find_audit_task(store::Reader&, std::string_view id);
/// Without their checks; newest last.
Result<Page<AuditTask>> list_audit_tasks(store::Reader&,
                                         const PageRequest&,
                                         Time from,
                                         Time to,
                                         std::optional<bool> scheduled,
                                         std::optional<AuditTaskStatus>);
/// The oldest task in progress that the server runs, if any.
Result<std::optional<AuditTask>> next_audit_task(store::Reader&);
Result<> set_audit_task_status(store::Tx&, std::int64_t key, AuditTaskStatus);
Result<> set_audit_check(store::Tx&, std::int64_t task, const AuditCheckRun&);
/// Takes back what a check of the task has found so far.
Result<> forget_audit_findings(store::Tx&, std::int64_t task, std::string_view check);
/// Tasks that began before `end`, with their findings; at most so many at once.
Result<std::int64_t> delete_old_audits(store::Tx&, Time end, int at_most);

struct AuditResource {
    std::string type;        ///< "DEVICE_CERTIFICATE" …
    std::string identifier;  ///< AWS's resourceIdentifier as compact JSON, members in order
    std::map<std::string, std::string> info;
};
struct AuditFinding {
    std::string id;  ///< set when it is read
    std::string task_id, check;
    Time task_started, found;
    std::string severity;
    AuditResource resource;
    std::vector<AuditResource> related;
    std::string reason, reason_code;
    bool suppressed = false;
};
Result<> add_audit_finding(store::Tx&, std::int64_t task, const AuditFinding&);
/// @errors NotFound
Result<AuditFinding> find_audit_finding(store::Reader&, std::string_view id);
struct AuditFindingFilter {
    std::optional<std::string> task_id, check, identifier;
    std::optional<Time> from, to;
    bool with_suppressed = false;
};
Result<Page<AuditFinding>> list_audit_findings(store::Reader&,
                                               const PageRequest&,
                                               const AuditFindingFilter&);

struct AuditSuppression {
    std::string check, identifier;
    std::optional<Time> expires;  ///< nothing: never
    std::string description;
    std::string client_token;
};
/// Idempotent by its client token. @errors AlreadyExists
Result<> add_audit_suppression(store::Tx&, const AuditSuppression&);
/// @errors NotFound
Result<AuditSuppression> find_audit_suppression(store::Reader&,
                                                std::string_view check,
                                                std::string_view identifier);
/// @errors NotFound
Result<> update_audit_suppression(store::Tx&, const AuditSuppression&);
Result<> delete_audit_suppression(store::Tx&, std::string_view check, std::string_view identifier);
Result<std::vector<AuditSuppression>> audit_suppressions(store::Reader&);

enum class AuditFrequency { Daily, Weekly, Biweekly, Monthly };
struct ScheduledAudit {
    std::string name;
    AuditFrequency frequency = AuditFrequency::Daily;
    std::optional<int> day_of_month;  ///< 1-31; 0 = the last
    std::optional<int> day_of_week;   ///< 0 = Sunday
    std::vector<std::string> checks;
    Time created;
    std::optional<Time> last_run;
};
/// Equal to one that is there: nothing. @errors AlreadyExists; LimitExceeded  five are there
Result<> add_scheduled_audit(store::Tx&, const ScheduledAudit&);
/// @errors NotFound
Result<ScheduledAudit> find_scheduled_audit(store::Reader&, std::string_view name);
Result<std::vector<ScheduledAudit>> scheduled_audits(store::Reader&);
/// @errors NotFound
Result<> update_scheduled_audit(store::Tx&, const ScheduledAudit&);
/// @errors NotFound
Result<> delete_scheduled_audit(store::Tx&, std::string_view name);

/// Two connections that should not be at once.
struct ConnectConflict {
    enum class Kind { SharedCertificate, ClientId };
    Kind kind = Kind::SharedCertificate;
    CertificateId certificate;
    std::string client_id;
    Time first, last;
    std::int64_t count = 1;
};
/// Adds to the row of the same kind, certificate and client id.
Result<> note_connect_conflict(store::Tx&, const ConnectConflict&);
/// Those whose `last` is before that.
Result<> forget_connect_conflicts(store::Tx&, Time before);
/// After a position, in their order; `from` is the least `last`.
Result<std::vector<ConnectConflict>> connect_conflicts(store::Reader&,
                                                       ConnectConflict::Kind,
                                                       Time from);

}  // namespace hatchery::registry
