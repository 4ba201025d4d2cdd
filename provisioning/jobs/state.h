// Which status of a job execution may follow which, and what a job makes of a failure. Pure.
// Facts: AWS IoT Developer Guide, "Jobs and job execution states".
#pragma once

#include "provisioning/jobs/jobs.h"

namespace hatchery::jobs {

/// May a device take an execution from `from` to `to`? Every device may say IN_PROGRESS, FAILED,
/// SUCCEEDED or REJECTED of what is QUEUED or IN_PROGRESS, and nothing of what is over.
/// @errors InvalidRequest  not a status that a device may set; Conflict  the state is terminal
Result<> check_device_transition(ExecutionStatus from, ExecutionStatus to);

/// Is an execution that ended as `status`, after `attempts` earlier ones, tried again?
bool is_retried(const Settings& settings, ExecutionStatus status, std::int64_t attempts);

/// The criterion by which a job of these counts is aborted, or nothing.
const AbortRule* abort_rule_met(const Settings& settings, const registry::ExecutionCounts& counts);

/// How many executions may be rolled out in a minute, when so many have been already.
std::int64_t rollout_rate(const Rollout& rollout, std::int64_t notified, std::int64_t succeeded);

}  // namespace hatchery::jobs
