// The data plane of jobs over HTTPS (iot-jobs-data 2017-09-29), signed by an access key. Devices
// ask the same with their certificate: provisioning/enroll.
#include "provisioning/api/jobs_operations.h"
#include "provisioning/flows/jobs_context.h"
#include "provisioning/jobs/data_plane.h"

#include <nlohmann/json.hpp>

namespace hatchery::api::job_data {
namespace {

Result<std::string> to_answer(Result<nlohmann::json> members) {
    if (!members) return std::move(members).error();
    return to_body(*members);
}

}  // namespace

Result<std::string> get_pending_job_executions(const Call& call) {
    return to_answer(
        jobs::get_pending_job_executions(flows::jobs_context(call.service), call.labels[0]));
}

Result<std::string> describe_job_execution(const Call& call) {
    jobs::Describe asked;
    asked.job_id = call.labels[1];
    auto number = query_integer(call, "executionNumber");
    if (!number) return std::move(number).error();
    asked.number = *number;
    auto document = query_flag(call, "includeJobDocument", true);
    if (!document) return std::move(document).error();
    asked.include_document = *document;
    return to_answer(jobs::describe_job_execution(
        flows::jobs_context(call.service), call.labels[0], asked, call.now));
}

Result<std::string> start_next_pending_job_execution(const Call& call) {
    return to_answer(jobs::start_next_pending_job_execution(
        flows::jobs_context(call.service), call.labels[0], call.input.node(), call.now));
}

Result<std::string> update_job_execution(const Call& call) {
    return to_answer(jobs::update_job_execution(flows::jobs_context(call.service),
                                                call.labels[0],
                                                call.labels[1],
                                                call.input.node(),
                                                call.now));
}

}  // namespace hatchery::api::job_data
