#include "provisioning/jobs/device.h"

#include "provisioning/jobs/state.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::jobs {

namespace {

using nlohmann::json;
using registry::JobExecution;

constexpr std::int64_t kNoStepTimer = -1;
constexpr std::int64_t kMostStepMinutes = 10080;
// DetailsKey and DetailsValue, iot-jobs-data 2017-09-29.
constexpr std::size_t kMostDetails = 10;
constexpr std::size_t kMaxDetailsKey = 128;
constexpr std::size_t kMaxDetailsValue = 1024;

std::int64_t epoch_of(Time time) {
    return time.time_since_epoch().count();
}

bool is_details_key(std::string_view key) {
    return !key.empty() && key.size() <= kMaxDetailsKey && std::ranges::all_of(key, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == ':' || c == '_' || c == '-';
    });
}

bool is_details_value(std::string_view value) {
    return !value.empty() && value.size() <= kMaxDetailsValue &&
           std::ranges::all_of(
               value, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '\x7F'; });
}

/// Outside of the transaction: links are made here.
Result<std::optional<DeviceExecution>> fill_in(const Context& context,
                                               DeviceExecution found,
                                               const std::optional<registry::Job>& job) {
    if (job) {
        auto document = with_links(context, *job);
        if (!document) return std::move(document).error();
        found.document = std::move(*document);
    }
    return std::optional(std::move(found));
}

void set_step_timer(JobExecution& execution, const std::optional<std::int64_t>& minutes, Time now) {
    if (!minutes) return;
    execution.step_due.reset();
    if (*minutes != kNoStepTimer) execution.step_due = now + std::chrono::minutes(*minutes);
}

void start(JobExecution& execution, const registry::Job& job, Time now) {
    if (execution.status == ExecutionStatus::InProgress) return;
    execution.status = ExecutionStatus::InProgress;
    execution.started = now;
    const auto timeout = stored_settings(job.settings).in_progress_timeout;
    if (timeout) execution.progress_due = now + *timeout;
}

Result<> apply_update(store::Tx& tx,
                      const registry::Job& job,
                      JobExecution& execution,
                      const Update& wanted,
                      Time now) {
    if (wanted.expected_version && *wanted.expected_version != execution.version) {
        return fail(Code::VersionConflict,
                    "expected version " + std::to_string(*wanted.expected_version) + ", found " +
                        std::to_string(execution.version),
                    "expectedVersion");
    }
    if (auto may = check_device_transition(execution.status, wanted.status); !may) return may;
    if (wanted.details) execution.details = wanted.details;
    if (wanted.status == ExecutionStatus::InProgress) {
        start(execution, job, now);
        set_step_timer(execution, wanted.step_minutes, now);
        ++execution.version;
        execution.updated = now;
        return registry::save_execution(tx, execution);
    }
    if (!execution.started) execution.started = now;
    auto ended = end_execution(tx, job, execution, wanted.status, now);
    execution.status = wanted.status;
    ++execution.version;
    execution.updated = now;
    return ended;
}

}  // namespace

Result<Pending> pending(const Context& context, std::string_view thing) {
    auto found = context.store.read(
        [&](store::Reader& reader) { return registry::pending_executions(reader, thing); });
    if (!found) return std::move(found).error();
    Pending lists;
    for (auto& execution : *found) {
        const bool runs = execution.status == ExecutionStatus::InProgress;
        (runs ? lists.in_progress : lists.queued).push_back(std::move(execution));
    }
    return lists;
}

Result<std::optional<DeviceExecution>> describe(const Context& context,
                                                std::string_view thing,
                                                const Describe& asked) {
    using Found = std::optional<DeviceExecution>;
    std::optional<registry::Job> job;
    auto found = context.store.read([&](store::Reader& reader) -> Result<Found> {
        std::optional<JobExecution> execution;
        if (asked.job_id == kNextJob) {
            auto all = registry::pending_executions(reader, thing);
            if (!all) return std::move(all).error();
            if (all->empty()) return Found();
            execution = std::move(all->front());
        } else {
            auto one = registry::find_execution(reader, thing, asked.job_id, asked.number);
            if (!one) return std::move(one).error();
            execution = std::move(*one);
        }
        if (registry::is_terminal(execution->status)) {
            return fail(Code::LimitExceeded,
                        "the execution is " + std::string(registry::to_string(execution->status)));
        }
        if (asked.include_document) {
            auto its_job = registry::find_job(reader, execution->job);
            if (!its_job) return std::move(its_job).error();
            job = std::move(*its_job);
        }
        return Found(DeviceExecution{std::move(*execution), {}});
    });
    if (!found || !*found) return found;
    return fill_in(context, std::move(**found), job);
}

Result<std::optional<DeviceExecution>> start_next(const Context& context,
                                                  std::string_view thing,
                                                  const Start& wanted,
                                                  Time now) {
    using Found = std::optional<DeviceExecution>;
    std::optional<registry::Job> job;
    auto found = context.store.write([&](store::Tx& tx) -> Result<Found> {
        auto all = registry::pending_executions(tx, thing);
        if (!all) return std::move(all).error();
        if (all->empty()) return Found();
        JobExecution& execution = all->front();
        auto its_job = registry::find_job(tx, execution.job);
        if (!its_job) return std::move(its_job).error();
        if (execution.status == ExecutionStatus::Queued) {
            start(execution, *its_job, now);
            if (wanted.details) execution.details = wanted.details;
            set_step_timer(execution, wanted.step_minutes, now);
            ++execution.version;
            execution.updated = now;
            if (auto saved = registry::save_execution(tx, execution); !saved)
                return std::move(saved).error();
        }
        job = std::move(*its_job);
        return Found(DeviceExecution{std::move(execution), {}});
    });
    if (!found || !*found) return found;
    return fill_in(context, std::move(**found), job);
}

Updated update(const Context& context, std::string_view thing, const Update& wanted, Time now) {
    Updated outcome;
    std::optional<registry::Job> its_job;
    auto done = context.store.write([&](store::Tx& tx) -> Result<> {
        outcome.execution.reset();  // this closure may run twice
        Result<JobExecution> execution = fail(Code::NotFound, "there is nothing to do");
        if (wanted.job_id == kNextJob) {
            auto all = registry::pending_executions(tx, thing);
            if (!all) return std::move(all).error();
            if (!all->empty()) execution = std::move(all->front());
        } else {
            execution = registry::find_execution(tx, thing, wanted.job_id, wanted.number);
        }
        if (!execution) return std::move(execution).error();
        outcome.execution = *execution;
        auto job = registry::find_job(tx, execution->job);
        if (!job) return std::move(job).error();
        auto applied = apply_update(tx, *job, *execution, wanted, now);
        if (!applied) return applied;
        outcome.execution = std::move(*execution);
        its_job = std::move(*job);
        return {};
    });
    if (!done) {
        outcome.refused = std::move(done).error();
        return outcome;
    }
    if (!wanted.include_document) return outcome;
    auto document = with_links(context, *its_job);
    if (document) {
        outcome.document = std::move(*document);
    } else {
        outcome.refused = std::move(document).error();
    }
    return outcome;
}

json summary_json(const JobExecution& execution) {
    json summary = {{"jobId", execution.job_id},
                    {"queuedAt", epoch_of(execution.queued)},
                    {"lastUpdatedAt", epoch_of(execution.updated)},
                    {"versionNumber", execution.version},
                    {"executionNumber", execution.number}};
    if (execution.started) summary["startedAt"] = epoch_of(*execution.started);
    return summary;
}

json pending_json(const Pending& lists) {
    json running = json::array(), queued = json::array();
    for (const auto& execution : lists.in_progress)
        running.push_back(summary_json(execution));
    for (const auto& execution : lists.queued)
        queued.push_back(summary_json(execution));
    return {{"inProgressJobs", std::move(running)}, {"queuedJobs", std::move(queued)}};
}

json details_json(const JobExecution& execution) {
    const json details = json::parse(execution.details.value_or("{}"), nullptr, false);
    return details.is_object() ? details : json::object();
}

json execution_json(const DeviceExecution& found, DocumentForm form, Time now) {
    const JobExecution& execution = found.execution;
    json out = summary_json(execution);
    out["thingName"] = execution.thing_name;
    out["status"] = registry::to_string(execution.status);
    if (execution.details) out["statusDetails"] = details_json(execution);
    std::optional<Time> due = execution.progress_due;
    if (execution.step_due && (!due || *execution.step_due < *due)) due = execution.step_due;
    if (due) {
        out["approximateSecondsBeforeTimedOut"] =
            std::max<std::int64_t>(0, epoch_of(*due) - epoch_of(now));
    }
    if (!found.document) return out;
    const json value = json::parse(*found.document, nullptr, false);
    const bool is_value = form == DocumentForm::Value && !value.is_discarded();
    out["jobDocument"] = is_value ? value : json(*found.document);
    return out;
}

json state_json(const JobExecution& execution) {
    return {{"status", registry::to_string(execution.status)},
            {"statusDetails", details_json(execution)},
            {"versionNumber", execution.version}};
}

Result<std::optional<std::string>> read_details(const json& request) {
    const auto found = request.find("statusDetails");
    if (found == request.end() || found->is_null()) return std::optional<std::string>();
    bool is_good = found->is_object() && found->size() <= kMostDetails;
    if (is_good) {
        for (const auto& [key, value] : found->items()) {
            is_good = is_good && is_details_key(key) && value.is_string() &&
                      is_details_value(value.get_ref<const std::string&>());
        }
    }
    if (!is_good) {
        return fail(Code::InvalidRequest,
                    "expected at most 10 strings of 1 to 1024 characters without control "
                    "characters, named by 1 to 128 of [a-zA-Z0-9:_-]",
                    "statusDetails");
    }
    return std::optional(found->dump(-1, ' ', false, json::error_handler_t::replace));
}

Result<std::optional<std::int64_t>> read_integer(const json& request, const char* name) {
    const auto found = request.find(name);
    if (found == request.end() || found->is_null()) return std::optional<std::int64_t>();
    if (found->is_number_integer()) return std::optional(found->get<std::int64_t>());
    return fail(Code::InvalidRequest, "expected an integer", name);
}

Result<std::optional<std::int64_t>> read_step_minutes(const json& request) {
    auto minutes = read_integer(request, "stepTimeoutInMinutes");
    if (!minutes || !*minutes) return minutes;
    if (**minutes == kNoStepTimer || (**minutes >= 1 && **minutes <= kMostStepMinutes))
        return minutes;
    return fail(Code::InvalidRequest,
                "expected 1 to 10080, or -1, found " + std::to_string(**minutes),
                "stepTimeoutInMinutes");
}

Result<bool> read_flag(const json& request, const char* name, bool absent) {
    const auto found = request.find(name);
    if (found == request.end() || found->is_null()) return absent;
    if (found->is_boolean()) return found->get<bool>();
    return fail(Code::InvalidRequest, "expected a boolean", name);
}

Result<Start> read_start(const json& request) {
    Start start;
    auto details = read_details(request);
    if (!details) return std::move(details).error();
    start.details = std::move(*details);
    auto step = read_step_minutes(request);
    if (!step) return std::move(step).error();
    start.step_minutes = *step;
    return start;
}

Result<Update> read_update(std::string job_id, const json& request) {
    Update update;
    update.job_id = std::move(job_id);
    const auto status = request.find("status");
    if (status == request.end() || !status->is_string()) {
        return fail(Code::InvalidRequest, "expected a string, found none", "status");
    }
    auto parsed = registry::parse_execution_status(status->get_ref<const std::string&>());
    if (!parsed) return std::move(parsed).error();
    update.status = *parsed;
    // Whoever asks for a status that no device may set is told so whatever the execution's state
    // is.
    if (auto may = check_device_transition(ExecutionStatus::InProgress, *parsed); !may)
        return std::move(may).error();
    auto details = read_details(request);
    if (!details) return std::move(details).error();
    update.details = std::move(*details);
    auto expected = read_integer(request, "expectedVersion");
    if (!expected) return std::move(expected).error();
    update.expected_version = *expected;
    auto number = read_integer(request, "executionNumber");
    if (!number) return std::move(number).error();
    update.number = *number;
    auto step = read_step_minutes(request);
    if (!step) return std::move(step).error();
    update.step_minutes = *step;
    auto document = read_flag(request, "includeJobDocument", false);
    if (!document) return std::move(document).error();
    update.include_document = *document;
    return update;
}

}  // namespace hatchery::jobs
