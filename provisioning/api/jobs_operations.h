// The handlers of jobs, named as AWS names them.
#pragma once

#include "provisioning/api/call.h"

namespace hatchery::api {

namespace job_control {  // jobs_operations.cc
Result<std::string> create_job(const Call& call);
Result<std::string> describe_job(const Call& call);
Result<std::string> get_job_document(const Call& call);
Result<std::string> update_job(const Call& call);
Result<std::string> cancel_job(const Call& call);
Result<std::string> delete_job(const Call& call);
Result<std::string> list_jobs(const Call& call);
Result<std::string> associate_targets_with_job(const Call& call);
Result<std::string> describe_job_execution(const Call& call);
Result<std::string> cancel_job_execution(const Call& call);
Result<std::string> delete_job_execution(const Call& call);
Result<std::string> list_job_executions_for_job(const Call& call);
Result<std::string> list_job_executions_for_thing(const Call& call);
}  // namespace job_control

namespace job_data {  // jobs_data_operations.cc: the service iot-jobs-data
Result<std::string> get_pending_job_executions(const Call& call);
Result<std::string> describe_job_execution(const Call& call);
Result<std::string> start_next_pending_job_execution(const Call& call);
Result<std::string> update_job_execution(const Call& call);
}  // namespace job_data

}  // namespace hatchery::api
