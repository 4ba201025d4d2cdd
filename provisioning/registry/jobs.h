// Jobs and their executions, one for each thing, as rows: what they mean (which status may follow
// which, rates, thresholds) is the business of provisioning/jobs. Functions that touch many rows do
// a bounded number a call, so that a job of any size never keeps other writers waiting.
#pragma once

#include "ca/base/clock.h"
#include "provisioning/registry/account.h"
#include "provisioning/registry/page.h"
#include "provisioning/store/store.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace hatchery::registry {

enum class JobStatus { InProgress, Canceled, Completed, DeletionInProgress, Scheduled };
std::string_view to_string(JobStatus status);  ///< AWS's spelling, "IN_PROGRESS"
/// @errors InvalidRequest
Result<JobStatus> parse_job_status(std::string_view text);

/// Waiting: there, but not rolled out yet; nobody outside sees such an execution.
enum class ExecutionStatus {
    Queued,
    InProgress,
    Succeeded,
    Failed,
    TimedOut,
    Rejected,
    Removed,
    Canceled,
    Waiting
};
std::string_view to_string(ExecutionStatus status);  ///< AWS's spelling, "TIMED_OUT"
/// @errors InvalidRequest
Result<ExecutionStatus> parse_execution_status(std::string_view text);
/// Can nothing follow?
constexpr bool is_terminal(ExecutionStatus status) {
    return status != ExecutionStatus::Queued && status != ExecutionStatus::InProgress &&
           status != ExecutionStatus::Waiting;
}

/// What is left to do for a job in the background, a bit each.
enum Chore : int {
    kPopulate = 1,
    kCancelWaiting = 2,
    kCancelQueued = 4,
    kCancelStarted = 8,
    kDelete = 16
};

struct Job {
    std::int64_t key = 0;
    std::string id;
    JobStatus status = JobStatus::InProgress;
    bool is_continuous = false;
    bool is_rotation = false;  ///< its devices may exchange their certificates (flows/rotation.h)
    std::string document;
    std::string settings = "{}";       ///< JSON object: members of CreateJob, as they were given
    std::vector<std::string> targets;  ///< ARNs
    Time created, updated;
    std::optional<Time> completed;
    std::optional<std::string> reason_code, comment;
    bool is_force_canceled = false;
    int chores = 0;
    std::optional<Time> starts, ends;
    Time rollout_minute;            ///< of the last rollout
    std::int64_t rollout_used = 0;  ///< executions rolled out in it
};

/// 1-64 [a-zA-Z0-9_-]. @errors InvalidRequest
Result<> check_job_id(std::string_view id);
/// @errors AlreadyExists  (`resource` = ARN)
Result<std::int64_t> add_job(store::Tx&, const Account&, const Job&);
Result<Job> find_job(store::Reader&, std::string_view id);
Result<Job> find_job(store::Reader&, std::int64_t key);
struct JobFilter {
    std::optional<JobStatus> status;
    std::optional<bool> is_continuous;
    std::optional<std::string> thing_group;  ///< among its targets
};
/// Newest first. @errors NotFound  the group
Result<Page<Job>> list_jobs(store::Reader&, const PageRequest&, const JobFilter&);
/// Writes what may change: status, settings, targets, times, reason, chores, rollout.
Result<> save_job(store::Tx&, const Job&);
/// Every job of `status`, oldest first; for the few that are busy.
Result<std::vector<Job>> jobs_of_status(store::Reader&, JobStatus status);
Result<std::vector<std::int64_t>> jobs_with_chores(store::Reader&);

/// Makes a group, with all below it, a target; its members get executions by populate_job.
/// @errors NotFound
Result<> add_job_group(store::Tx&, std::int64_t job, std::string_view group);
/// Gives a thing an execution, unless it has one that was not REMOVED. @errors NotFound  the thing
Result<> add_job_thing(
    store::Tx&, std::int64_t job, std::string_view thing, ExecutionStatus status, Time now);
/// The same for the next `limit` members of the job's groups; false when all have got theirs.
Result<bool> populate_job(
    store::Tx&, std::int64_t job, ExecutionStatus status, int limit, Time now);
/// Turns up to `limit` Waiting executions into Queued; how many.
Result<std::int64_t> roll_out(store::Tx&, std::int64_t job, std::int64_t limit, Time now);
/// Cancels up to `limit` executions: those not rolled out, those not started too, or all that are
/// not terminal (kCancelWaiting, kCancelQueued, kCancelStarted); how many.
Result<std::int64_t> cancel_executions(
    store::Tx&, std::int64_t job, Chore which, int limit, Time now);
/// Deletes up to `limit` executions; how many.
Result<std::int64_t> delete_executions(store::Tx&, std::int64_t job, int limit);
/// Deletes a job without executions, and its tags.
Result<> delete_job(store::Tx&, const Job&);

/// How many things are in which status (superseded executions do not count).
using ExecutionCounts = std::array<std::int64_t, 9>;
Result<ExecutionCounts> count_executions(store::Reader&, std::int64_t job);
/// Is an execution of the job not terminal yet?
Result<bool> has_open_executions(store::Reader&, std::int64_t job);

struct JobExecution {
    std::int64_t key = 0, job = 0, thing = 0;
    std::string job_id, thing_name;
    std::int64_t number = 1;
    ExecutionStatus status = ExecutionStatus::Queued;
    std::int64_t version = 1;
    std::optional<std::string> details;  ///< statusDetails: a JSON object of strings
    Time queued;
    std::optional<Time> started;
    Time updated;
    std::optional<Time> progress_due, step_due;  ///< when it times out
    std::int64_t attempts = 0;                   ///< how often it was tried before
    bool is_direct = false;                      ///< the thing is itself a target
    bool is_superseded = false;                  ///< tried again since
    bool is_force_canceled = false;
};
/// The execution of `number`, or the newest. @errors NotFound
Result<JobExecution> find_execution(store::Reader&,
                                    std::string_view thing,
                                    std::string_view job_id,
                                    std::optional<std::int64_t> number);
/// What a thing has to do: in progress first, then by queued time. Executions of a job that is
/// being canceled are not begun any more. @errors NotFound  the thing
Result<std::vector<JobExecution>> pending_executions(store::Reader&, std::string_view thing);
Result<Page<JobExecution>> executions_of_job(store::Reader&,
                                             std::int64_t job,
                                             std::optional<ExecutionStatus> status,
                                             const PageRequest&);
/// Newest first. @errors NotFound  the thing
Result<Page<JobExecution>> executions_of_thing(store::Reader&,
                                               std::string_view thing,
                                               std::optional<ExecutionStatus> status,
                                               std::optional<std::string> job_id,
                                               const PageRequest&);
/// Writes status, version, details and times.
Result<> save_execution(store::Tx&, const JobExecution&);
/// The next attempt of `failed`, QUEUED, with the next number; `failed` is superseded.
Result<> retry_execution(store::Tx&, const JobExecution& failed, Time now);
Result<> delete_execution(store::Tx&, std::int64_t key);
/// Executions whose time was over at `now`, at most `limit`.
Result<std::vector<JobExecution>> overdue_executions(store::Reader&, Time now, int limit);
/// The newest execution of a rotation job that `thing` has to do, if there is one.
Result<std::optional<JobExecution>> open_rotation(store::Reader&, std::int64_t thing);

/// Things whose memberships changed while a CONTINUOUS job watched: gives the newcomers an
/// execution (Waiting if the job has a rollout rate), and takes QUEUED ones from those who left
/// (REMOVED). At most `limit` things; how many.
Result<std::int64_t> follow_memberships(store::Tx&, int limit, Time now);
Result<bool> has_membership_changes(store::Reader&);

/// A thing that is to be told of changes of what it has to do.
struct JobNotice {
    std::int64_t thing = 0;
    std::string thing_name;  ///< empty: it is gone
    bool is_list_changed = false;
    std::int64_t told_next = 0;  ///< key of the execution that it was last told to do next; 0: none
};
Result<std::vector<JobNotice>> job_notices(store::Reader&, int limit);
/// The notice was given; `next` = key of the execution that is next now, or 0.
Result<> forget_notice(store::Tx&, const JobNotice&, std::int64_t next);

/// The name of the thing group whose UUID is `id`. @errors NotFound
Result<std::string> group_name_of_id(store::Reader&, std::string_view id);

/// A thing with an ACTIVE certificate that ends soon; one for each such certificate.
struct ExpiringThing {
    std::int64_t certificate = 0;  ///< its key: where the next call goes on
    std::string thing;
};
/// Those whose certificate ends before `end`, by certificate, at most `limit`.
Result<std::vector<ExpiringThing>> expiring_things(store::Reader&,
                                                   Time end,
                                                   std::int64_t after,
                                                   int limit);

}  // namespace hatchery::registry
