// Jobs (AWS IoT "Jobs"): work that devices are told of, do, and report. This box says what a job's
// records mean: which status may follow which (state.h), what CreateJob's members ask for
// (settings.h), what operators may do (this file), what devices may do (device.h, and topics.h for
// MQTT), what happens by itself with time (schedule.h). It never touches a socket; every function
// works on the store and is durable when it returns. Read first: state.h, then device.h.
#pragma once

#include "provisioning/jobs/settings.h"
#include "provisioning/registry/jobs.h"
#include "provisioning/registry/tags.h"

#include <functional>

namespace hatchery::jobs {

using registry::ExecutionStatus;

/// Makes the text of a presigned link to what a placeholder `${aws:iot:s3-presigned-url:URL}` in a
/// job document names. Empty: none is made and placeholders stay as they are.
/// @errors NotFound  nothing is kept here under that URL
using LinkMaker =
    std::function<Result<std::string>(std::string_view url, std::chrono::seconds lifetime)>;

/// Is something kept here under the URL of a placeholder? Empty: nobody knows.
/// @errors NotFound; InvalidRequest  no file can have that name
using FileCheck = std::function<Result<>(std::string_view url)>;

/// Where the functions of this box work.
struct Context {
    store::Store& store;
    registry::Account account;
    LinkMaker make_link{};
    FileCheck check_file{};
};

struct NewJob {
    std::string id;
    std::string document;              ///< JSON text, at most 32,768 characters
    std::string settings = "{}";       ///< JSON object of CreateJob's configuration members
    std::vector<std::string> targets;  ///< ARNs of things and thing groups
    bool is_continuous = false;
    bool is_rotation = false;
    registry::Tags tags;
};
/// Makes the job and all its executions: the job, its targets and the work that is left are
/// committed first, so that a crash in the middle loses nothing (advance goes on).
/// @errors InvalidRequest  a member, no JSON document, or a placeholder of a file that is not kept;
/// NotFound  a target; AlreadyExists
Result<> create_job(const Context&, const NewJob&, Time now);

/// More targets for a CONTINUOUS job that is in progress.
/// @errors NotFound; InvalidRequest  not CONTINUOUS, or over
Result<> associate_targets(const Context&,
                           std::string_view job_id,
                           const std::vector<std::string>& targets,
                           std::optional<std::string> comment,
                           Time now);

/// Replaces the configuration members that `members` (a JSON object's text) has.
/// @errors NotFound; InvalidRequest  a member, or the job is over
Result<> update_job(const Context&, std::string_view job_id, std::string_view members, Time now);

struct Cancellation {
    std::optional<std::string> reason_code, comment;
    bool force = false;  ///< executions in progress too
};
/// QUEUED executions are canceled, those in progress only with `force`.
/// @errors NotFound; InvalidRequest  the job is over
Result<> cancel_job(const Context&, std::string_view job_id, const Cancellation&, Time now);

/// @errors NotFound; Conflict  in progress, without `force`; LimitExceeded  ten are being deleted
Result<> delete_job(const Context&, std::string_view job_id, bool force, Time now);

struct ExecutionCancellation {
    bool force = false;
    std::optional<std::int64_t> expected_version;
    std::optional<std::string> details;  ///< statusDetails, JSON
};
/// @errors NotFound; Conflict  terminal, or in progress without `force`; VersionConflict
Result<> cancel_execution(const Context&,
                          std::string_view thing,
                          std::string_view job_id,
                          const ExecutionCancellation&,
                          Time now);
/// @errors NotFound; Conflict  not terminal, without `force`
Result<> delete_execution(const Context&,
                          std::string_view thing,
                          std::string_view job_id,
                          std::int64_t number,
                          bool force,
                          Time now);

/// `execution` has ended as `status`: written, tried again if the job says so, and the job
/// COMPLETED if it was its last. For the functions of this box.
Result<> end_execution(store::Tx&,
                       const registry::Job& job,
                       registry::JobExecution execution,
                       ExecutionStatus status,
                       Time now);
/// A SNAPSHOT job with nothing left to do is COMPLETED.
Result<> complete_if_done(store::Tx&, std::int64_t job, Time now);
/// One bounded piece of what is left to do for a job; false when nothing is.
Result<bool> do_chore(const Context&, std::int64_t job, Time now);

/// `document` with fresh links in place of its placeholders.
Result<std::string> with_links(const Context&, const registry::Job& job);

}  // namespace hatchery::jobs
