#include "provisioning/jobs/data_plane.h"

#include <nlohmann/json.hpp>

namespace hatchery::jobs {

namespace {

using DataJson = nlohmann::json;

Result<DataJson> with_execution(Result<std::optional<DeviceExecution>> found, Time now) {
    if (!found) return std::move(found).error();
    DataJson answer = DataJson::object();
    if (*found) answer["execution"] = execution_json(**found, DocumentForm::Text, now);
    return answer;
}

}  // namespace

Result<DataJson> get_pending_job_executions(const Context& context, std::string_view thing) {
    auto lists = pending(context, thing);
    if (!lists) return std::move(lists).error();
    return pending_json(*lists);
}

Result<DataJson> describe_job_execution(const Context& context,
                                        std::string_view thing,
                                        const Describe& asked,
                                        Time now) {
    if (asked.job_id != kNextJob) {
        if (auto good = registry::check_job_id(asked.job_id); !good) return std::move(good).error();
    }
    return with_execution(describe(context, thing, asked), now);
}

Result<DataJson> start_next_pending_job_execution(const Context& context,
                                                  std::string_view thing,
                                                  const DataJson& request,
                                                  Time now) {
    auto start = read_start(request);
    if (!start) return std::move(start).error();
    return with_execution(start_next(context, thing, *start, now), now);
}

Result<DataJson> update_job_execution(const Context& context,
                                      std::string_view thing,
                                      std::string job_id,
                                      const DataJson& request,
                                      Time now) {
    auto wanted = read_update(std::move(job_id), request);
    if (!wanted) return std::move(wanted).error();
    auto with_state = read_flag(request, "includeJobExecutionState", false);
    if (!with_state) return std::move(with_state).error();
    Updated updated = update(context, thing, *wanted, now);
    if (updated.refused) return std::move(*updated.refused);
    DataJson answer = DataJson::object();
    if (*with_state) answer["executionState"] = state_json(*updated.execution);
    if (updated.document) answer["jobDocument"] = *updated.document;
    return answer;
}

}  // namespace hatchery::jobs
