// The operations of iot-jobs-data (2017-09-29): members of a request in, members of the answer out.
// The fronts know who asks, and what an error looks like.
#pragma once

#include "provisioning/jobs/device.h"

#include <nlohmann/json_fwd.hpp>

namespace hatchery::jobs {

/// GetPendingJobExecutions. @errors NotFound  the thing
Result<nlohmann::json> get_pending_job_executions(const Context&, std::string_view thing);

/// DescribeJobExecution. @errors InvalidRequest  jobId; else those of `describe`
Result<nlohmann::json> describe_job_execution(const Context&,
                                              std::string_view thing,
                                              const Describe&,
                                              Time now);

/// StartNextPendingJobExecution: statusDetails, stepTimeoutInMinutes.
/// @errors InvalidRequest  a member; else those of `start_next`
Result<nlohmann::json> start_next_pending_job_execution(const Context&,
                                                        std::string_view thing,
                                                        const nlohmann::json& request,
                                                        Time now);

/// UpdateJobExecution: status, statusDetails, expectedVersion …
/// @errors InvalidRequest  a member; else those of `update`
Result<nlohmann::json> update_job_execution(const Context&,
                                            std::string_view thing,
                                            std::string job_id,
                                            const nlohmann::json& request,
                                            Time now);

}  // namespace hatchery::jobs
