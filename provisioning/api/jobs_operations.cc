// The control plane of jobs. What jobs mean is provisioning/jobs' business.
#include "provisioning/api/jobs_operations.h"

#include "provisioning/flows/jobs_context.h"
#include "provisioning/jobs/device.h"
#include "provisioning/jobs/jobs.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::api::job_control {
namespace {

using nlohmann::json;
using registry::ExecutionStatus;
using registry::Job;
using registry::JobExecution;

/// Members of CreateJob that are kept as they came, and given back by DescribeJob.
constexpr const char* kKept[] = {"description",
                                 "presignedUrlConfig",
                                 "jobExecutionsRolloutConfig",
                                 "abortConfig",
                                 "timeoutConfig",
                                 "jobExecutionsRetryConfig",
                                 "schedulingConfig",
                                 "namespaceId",
                                 "documentSource"};

json kept_members(const Call& call) {
    json kept = json::object();
    for (const char* name : kKept) {
        if (call.input.has(name)) kept[name] = call.input.node()[name];
    }
    return kept;
}

/// What a caller must not believe to have had an effect.
Result<> refuse_unknown_members(const Call& call) {
    for (const char* name :
         {"jobTemplateArn", "documentParameters", "destinationPackageVersions"}) {
        if (!call.input.has(name) || call.input.node()[name].empty()) continue;
        return fail(Code::InvalidRequest,
                    "expected no " + std::string(name) +
                        ": there are no job templates or software packages here",
                    "/" + std::string(name));
    }
    return {};
}

Result<std::string> read_document(const Call& call) {
    auto document = call.input.optional_text("document");
    if (!document) return std::move(document).error();
    auto source = call.input.optional_text("documentSource");
    if (!source) return std::move(source).error();
    if (document->has_value() == source->has_value()) {
        return fail(
            Code::InvalidRequest, "expected one of document and documentSource", "/document");
    }
    if (*document) return std::move(**document);
    return flows::read_document_source(call.service, **source);
}

Result<bool> read_selection(const Call& call) {
    auto selection = call.input.optional_text("targetSelection");
    if (!selection) return std::move(selection).error();
    return *selection == "CONTINUOUS";
}

Result<std::vector<std::string>> read_targets(const Call& call) {
    auto targets = call.input.texts("targets");
    if (!targets) return targets;
    if (targets->empty()) {
        return fail(Code::InvalidRequest, "expected one target or more, found none", "/targets");
    }
    return targets;
}

json name_answer(const Call& call, const Job& job) {
    json body = {{"jobArn", call.arn("job", job.id)}, {"jobId", job.id}};
    const json settings = json::parse(job.settings, nullptr, false);
    if (settings.is_object() && settings.contains("description"))
        body["description"] = settings["description"];
    return body;
}

Result<Job> read_job(const Call& call) {
    return call.service.store.read(
        [&](store::Reader& reader) { return registry::find_job(reader, call.labels[0]); });
}

Result<std::string> answer_with_name(const Call& call, Result<> done) {
    if (!done) return std::move(done).error();
    auto job = read_job(call);
    if (!job) return std::move(job).error();
    return to_body(name_answer(call, *job));
}

json process_details(const registry::ExecutionCounts& counts, const Job& job) {
    const auto count = [&](ExecutionStatus status) {
        return counts[static_cast<std::size_t>(status)];
    };
    json details = {{"numberOfCanceledThings", count(ExecutionStatus::Canceled)},
                    {"numberOfSucceededThings", count(ExecutionStatus::Succeeded)},
                    {"numberOfFailedThings", count(ExecutionStatus::Failed)},
                    {"numberOfRejectedThings", count(ExecutionStatus::Rejected)},
                    {"numberOfQueuedThings", count(ExecutionStatus::Queued)},
                    {"numberOfInProgressThings", count(ExecutionStatus::InProgress)},
                    {"numberOfRemovedThings", count(ExecutionStatus::Removed)},
                    {"numberOfTimedOutThings", count(ExecutionStatus::TimedOut)}};
    if (job.chores != 0) details["processingTargets"] = job.targets;
    return details;
}

std::string_view selection_of(const Job& job) {
    return job.is_continuous ? "CONTINUOUS" : "SNAPSHOT";
}

json job_json(const Call& call, const Job& job, const registry::ExecutionCounts& counts) {
    json body = json::parse(job.settings, nullptr, false);
    if (!body.is_object()) body = json::object();
    body.erase("documentSource");  // beside the job, not in it
    body["jobArn"] = call.arn("job", job.id);
    body["jobId"] = job.id;
    body["targetSelection"] = selection_of(job);
    body["status"] = registry::to_string(job.status);
    body["targets"] = job.targets;
    body["createdAt"] = epoch(job.created);
    body["lastUpdatedAt"] = epoch(job.updated);
    body["jobProcessDetails"] = process_details(counts, job);
    if (job.completed) body["completedAt"] = epoch(*job.completed);
    if (job.reason_code) body["reasonCode"] = *job.reason_code;
    if (job.comment) body["comment"] = *job.comment;
    if (job.is_force_canceled) body["forceCanceled"] = true;
    return body;
}

json execution_summary(const JobExecution& execution) {
    json summary = {{"status", registry::to_string(execution.status)},
                    {"queuedAt", epoch(execution.queued)},
                    {"lastUpdatedAt", epoch(execution.updated)},
                    {"executionNumber", execution.number},
                    {"retryAttempt", execution.attempts}};
    if (execution.started) summary["startedAt"] = epoch(*execution.started);
    return summary;
}

Result<std::optional<ExecutionStatus>> status_filter(const Call& call) {
    const auto text = query_text(call, "status");
    if (!text) return std::optional<ExecutionStatus>();
    auto status = registry::parse_execution_status(*text);
    if (!status) return std::move(status).error();
    return std::optional(*status);
}

Result<std::optional<std::string>> group_filter(store::Reader& reader, const Call& call) {
    if (auto name = query_text(call, "thingGroupName")) return name;
    const auto id = query_text(call, "thingGroupId");
    if (!id) return std::optional<std::string>();
    auto name = registry::group_name_of_id(reader, *id);
    if (!name) return std::move(name).error();
    return std::optional(std::move(*name));
}

}  // namespace

Result<std::string> create_job(const Call& call) {
    if (auto good = refuse_unknown_members(call); !good) return std::move(good).error();
    jobs::NewJob wanted;
    wanted.id = call.labels[0];
    auto document = read_document(call);
    if (!document) return std::move(document).error();
    wanted.document = std::move(*document);
    auto targets = read_targets(call);
    if (!targets) return std::move(targets).error();
    wanted.targets = std::move(*targets);
    auto selection = read_selection(call);
    if (!selection) return std::move(selection).error();
    wanted.is_continuous = *selection;
    auto tags = read_tags(call.input);
    if (!tags) return std::move(tags).error();
    wanted.tags = std::move(*tags);
    wanted.settings = kept_members(call).dump();
    return answer_with_name(call,
                            jobs::create_job(flows::jobs_context(call.service), wanted, call.now));
}

Result<std::string> describe_job(const Call& call) {
    Job job;
    auto counts =
        call.service.store.read([&](store::Reader& reader) -> Result<registry::ExecutionCounts> {
            auto found = registry::find_job(reader, call.labels[0]);
            if (!found) return std::move(found).error();
            job = std::move(*found);
            return registry::count_executions(reader, job.key);
        });
    if (!counts) return std::move(counts).error();
    json body = {{"job", job_json(call, job, *counts)}};
    const json settings = json::parse(job.settings, nullptr, false);
    if (settings.contains("documentSource")) body["documentSource"] = settings["documentSource"];
    return to_body(body);
}

Result<std::string> get_job_document(const Call& call) {
    auto job = read_job(call);
    if (!job) return std::move(job).error();
    return to_body({{"document", job->document}});
}

Result<std::string> update_job(const Call& call) {
    json members = kept_members(call);
    for (const char* name : {"schedulingConfig", "namespaceId", "documentSource"})
        members.erase(name);
    return empty_answer(jobs::update_job(
        flows::jobs_context(call.service), call.labels[0], members.dump(), call.now));
}

Result<std::string> cancel_job(const Call& call) {
    jobs::Cancellation cancellation;
    auto force = query_flag(call, "force", false);
    if (!force) return std::move(force).error();
    cancellation.force = *force;
    auto reason = call.input.optional_text("reasonCode");
    if (!reason) return std::move(reason).error();
    const bool is_lower = *reason && std::any_of((*reason)->begin(), (*reason)->end(), [](char c) {
        return c >= 'a' && c <= 'z';
    });
    if (is_lower) {
        return fail(Code::InvalidRequest, "expected a code of [A-Z0-9_]", "/reasonCode");
    }
    cancellation.reason_code = std::move(*reason);
    auto comment = call.input.optional_text("comment");
    if (!comment) return std::move(comment).error();
    cancellation.comment = std::move(*comment);
    return answer_with_name(
        call,
        jobs::cancel_job(
            flows::jobs_context(call.service), call.labels[0], cancellation, call.now));
}

Result<std::string> delete_job(const Call& call) {
    auto force = query_flag(call, "force", false);
    if (!force) return std::move(force).error();
    return empty_answer(
        jobs::delete_job(flows::jobs_context(call.service), call.labels[0], *force, call.now));
}

Result<std::string> list_jobs(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    registry::JobFilter filter;
    if (const auto status = query_text(call, "status")) {
        auto parsed = registry::parse_job_status(*status);
        if (!parsed) return std::move(parsed).error();
        filter.status = *parsed;
    }
    if (const auto selection = query_text(call, "targetSelection"))
        filter.is_continuous = *selection == "CONTINUOUS";
    auto page = call.service.store.read([&](store::Reader& reader) -> Result<registry::Page<Job>> {
        auto group = group_filter(reader, call);
        if (!group) return std::move(group).error();
        filter.thing_group = std::move(*group);
        return registry::list_jobs(reader, *request, filter);
    });
    if (!page) return std::move(page).error();
    json jobs = json::array();
    for (const auto& job : page->items) {
        json one = {{"jobArn", call.arn("job", job.id)},
                    {"jobId", job.id},
                    {"targetSelection", selection_of(job)},
                    {"status", registry::to_string(job.status)},
                    {"createdAt", epoch(job.created)},
                    {"lastUpdatedAt", epoch(job.updated)}};
        if (job.completed) one["completedAt"] = epoch(*job.completed);
        jobs.push_back(std::move(one));
    }
    json body = {{"jobs", std::move(jobs)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

Result<std::string> associate_targets_with_job(const Call& call) {
    auto targets = read_targets(call);
    if (!targets) return std::move(targets).error();
    auto comment = call.input.optional_text("comment");
    if (!comment) return std::move(comment).error();
    return answer_with_name(call,
                            jobs::associate_targets(flows::jobs_context(call.service),
                                                    call.labels[0],
                                                    *targets,
                                                    std::move(*comment),
                                                    call.now));
}

Result<std::string> describe_job_execution(const Call& call) {
    auto number = query_integer(call, "executionNumber");
    if (!number) return std::move(number).error();
    auto execution = call.service.store.read([&](store::Reader& reader) {
        return registry::find_execution(reader, call.labels[0], call.labels[1], *number);
    });
    if (!execution) return std::move(execution).error();
    json body = jobs::execution_json({*execution, {}}, jobs::DocumentForm::Text, call.now);
    body.erase("thingName");
    body["thingArn"] = call.arn("thing", execution->thing_name);
    body["statusDetails"] = {{"detailsMap", jobs::details_json(*execution)}};
    if (execution->is_force_canceled) body["forceCanceled"] = true;
    return to_body({{"execution", std::move(body)}});
}

Result<std::string> cancel_job_execution(const Call& call) {
    jobs::ExecutionCancellation cancellation;
    auto force = query_flag(call, "force", false);
    if (!force) return std::move(force).error();
    cancellation.force = *force;
    auto expected = call.input.optional_integer("expectedVersion");
    if (!expected) return std::move(expected).error();
    cancellation.expected_version = *expected;
    auto details = jobs::read_details(call.input.node());
    if (!details) return std::move(details).error();
    cancellation.details = std::move(*details);
    return empty_answer(jobs::cancel_execution(
        flows::jobs_context(call.service), call.labels[0], call.labels[1], cancellation, call.now));
}

Result<std::string> delete_job_execution(const Call& call) {
    auto force = query_flag(call, "force", false);
    if (!force) return std::move(force).error();
    auto number = version_number(call.labels[2], "executionNumber");
    if (!number) return std::move(number).error();
    return empty_answer(jobs::delete_execution(flows::jobs_context(call.service),
                                               call.labels[0],
                                               call.labels[1],
                                               *number,
                                               *force,
                                               call.now));
}

Result<std::string> list_job_executions_for_job(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto status = status_filter(call);
    if (!status) return std::move(status).error();
    auto page =
        call.service.store.read([&](store::Reader& reader) -> Result<registry::Page<JobExecution>> {
            auto job = registry::find_job(reader, call.labels[0]);
            if (!job) return std::move(job).error();
            return registry::executions_of_job(reader, job->key, *status, *request);
        });
    if (!page) return std::move(page).error();
    json summaries = json::array();
    for (const auto& execution : page->items)
        summaries.push_back({{"thingArn", call.arn("thing", execution.thing_name)},
                             {"jobExecutionSummary", execution_summary(execution)}});
    json body = {{"executionSummaries", std::move(summaries)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

Result<std::string> list_job_executions_for_thing(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto status = status_filter(call);
    if (!status) return std::move(status).error();
    auto page = call.service.store.read([&](store::Reader& reader) {
        return registry::executions_of_thing(
            reader, call.labels[0], *status, query_text(call, "jobId"), *request);
    });
    if (!page) return std::move(page).error();
    json summaries = json::array();
    for (const auto& execution : page->items)
        summaries.push_back(
            {{"jobId", execution.job_id}, {"jobExecutionSummary", execution_summary(execution)}});
    json body = {{"executionSummaries", std::move(summaries)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

}  // namespace hatchery::api::job_control
