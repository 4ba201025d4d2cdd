// What a device may ask of its jobs, over MQTT (topics.h) or HTTPS (iot-jobs-data 2017-09-29).
#pragma once

#include "provisioning/jobs/jobs.h"

#include <nlohmann/json_fwd.hpp>

namespace hatchery::jobs {

inline constexpr std::string_view kNextJob =
    "$next";  ///< in place of a job id: what is to be done next

struct Pending {
    std::vector<registry::JobExecution> in_progress, queued;
};
/// @errors NotFound  the thing
Result<Pending> pending(const Context&, std::string_view thing);

/// An execution as a device sees it.
struct DeviceExecution {
    registry::JobExecution execution;
    std::optional<std::string> document;  ///< JSON text, links filled in
};
struct Describe {
    std::string job_id;  ///< or kNextJob
    std::optional<std::int64_t> number;
    bool include_document = true;
};
/// Nothing when "$next" is asked for and there is none.
/// @errors NotFound; LimitExceeded  the execution is terminal (TerminalStateReached)
Result<std::optional<DeviceExecution>> describe(const Context&,
                                                std::string_view thing,
                                                const Describe&);

struct Start {
    std::optional<std::string> details;        ///< statusDetails, JSON
    std::optional<std::int64_t> step_minutes;  ///< 1-10080, or -1: no step timer
};
/// The next execution, now IN_PROGRESS; one that is in progress already is given back as it is.
Result<std::optional<DeviceExecution>> start_next(const Context&,
                                                  std::string_view thing,
                                                  const Start&,
                                                  Time now);

struct Update {
    std::string job_id;
    ExecutionStatus status = ExecutionStatus::InProgress;
    std::optional<std::string> details;
    std::optional<std::int64_t> expected_version, number;
    std::optional<std::int64_t> step_minutes;
    bool include_document = false;
};
/// What became of an update. A refusal tells the state that it met, when there is one.
struct Updated {
    std::optional<Error> refused;
    std::optional<registry::JobExecution> execution;
    std::optional<std::string> document;
};
/// @errors (in `refused`) NotFound; VersionConflict; Conflict  terminal; InvalidRequest
Updated update(const Context&, std::string_view thing, const Update&, Time now);

/// {inProgressJobs, queuedJobs}.
nlohmann::json pending_json(const Pending& lists);
/// JSON forms that MQTT and HTTPS share. `with_document`: as JSON value, or as text.
nlohmann::json summary_json(const registry::JobExecution& execution);
nlohmann::json details_json(const registry::JobExecution& execution);
enum class DocumentForm { Value, Text };
nlohmann::json execution_json(const DeviceExecution& found, DocumentForm form, Time now);
nlohmann::json state_json(const registry::JobExecution& execution);
/// Members that Start and Update share, out of a request. @errors InvalidRequest
Result<std::optional<std::string>> read_details(const nlohmann::json& request);
Result<std::optional<std::int64_t>> read_step_minutes(const nlohmann::json& request);
Result<std::optional<std::int64_t>> read_integer(const nlohmann::json& request, const char* name);
Result<bool> read_flag(const nlohmann::json& request, const char* name, bool absent);
Result<Start> read_start(const nlohmann::json& request);
Result<Update> read_update(std::string job_id, const nlohmann::json& request);

}  // namespace hatchery::jobs
