#include "provisioning/enroll/jobs.h"

#include "provisioning/flows/https_device.h"
#include "provisioning/flows/jobs_context.h"
#include "provisioning/http/target.h"
#include "provisioning/jobs/data_plane.h"

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>

namespace hatchery::enroll {
namespace {

using JobsJson = nlohmann::json;

constexpr std::string_view kThingsPath = "/things/";
constexpr int kMaxJobsBodyDepth = 16;

/// A request of the data plane: which operation, on whose jobs.
struct JobsRequest {
    policy::Action action = policy::Action::GetPendingJobExecutions;
    std::string thing, job_id;
    JobsJson body = JobsJson::object();
    jobs::Describe asked;  ///< of DescribeJobExecution
};

Result<JobsJson> read_jobs_body(const std::string& text) {
    if (text.empty()) return JobsJson::object();
    bool is_too_deep = false;
    JobsJson body = JobsJson::parse(
        text,
        [&](int depth, JobsJson::parse_event_t, const JobsJson&) {
            is_too_deep = is_too_deep || depth > kMaxJobsBodyDepth;
            return !is_too_deep;
        },
        false);
    if (body.is_object() && !is_too_deep) return body;
    return fail(Code::InvalidRequest, "expected a JSON object as the request body");
}

Result<jobs::Describe> read_question(const http::Target& target, const std::string& job_id) {
    jobs::Describe asked;
    asked.job_id = job_id;
    if (const auto text = target.parameter("executionNumber")) {
        std::int64_t number = 0;
        const auto* const end = text->data() + text->size();
        const auto read = std::from_chars(text->data(), end, number);
        if (read.ec != std::errc() || read.ptr != end) {
            return fail(Code::InvalidRequest,
                        "expected an integer, found '" + std::string(*text) + "'",
                        "executionNumber");
        }
        asked.number = number;
    }
    const auto wants = target.parameter("includeJobDocument").value_or("true");
    if (wants != "true" && wants != "false") {
        return fail(Code::InvalidRequest,
                    "expected true or false, found '" + std::string(wants) + "'",
                    "includeJobDocument");
    }
    asked.include_document = wants == "true";
    return asked;
}

Result<policy::Action> action_of(const std::string& method, const std::string& job_id) {
    using policy::Action;
    if (method == "GET")
        return job_id.empty() ? Action::GetPendingJobExecutions : Action::DescribeJobExecution;
    if (method == "PUT" && job_id == jobs::kNextJob) return Action::StartNextPendingJobExecution;
    if (method == "POST" && !job_id.empty()) return Action::UpdateJobExecution;
    return fail(Code::NotImplemented, "no operation of iot-jobs-data is " + method + " here");
}

Result<JobsRequest> read_jobs_request(const http::Request& request) {
    auto target = http::parse_target(request.target);
    if (!target) return std::move(target).error();
    const auto& segments = target->segments;
    const bool is_known = (segments.size() == 3 || segments.size() == 4) && segments[2] == "jobs";
    if (!is_known) return fail(Code::NotFound, "expected /things/THING/jobs or …/jobs/JOB-ID");
    JobsRequest asked;
    asked.thing = segments[1];
    if (segments.size() == 4) asked.job_id = segments[3];
    auto action = action_of(request.method, asked.job_id);
    if (!action) return std::move(action).error();
    asked.action = *action;
    auto question = read_question(*target, asked.job_id);
    if (!question) return std::move(question).error();
    asked.asked = std::move(*question);
    auto body = read_jobs_body(request.body);
    if (!body) return std::move(body).error();
    asked.body = std::move(*body);
    return asked;
}

Result<JobsJson> perform_jobs(flows::Service& service, const http::Request& request, Time now) {
    if (!request.client_certificate) {
        return fail(Code::Forbidden, "expected a device's client certificate, found none");
    }
    auto asked = read_jobs_request(request);
    if (!asked) return std::move(asked).error();
    const flows::HttpsDevice device{
        *request.client_certificate, request.remote_address, request.server_name};
    const std::array actions{asked->action};
    auto allowed = flows::authorize_https(service, device, actions, asked->thing, now);
    if (!allowed) return std::move(allowed).error();
    const auto context = flows::jobs_context(service);
    switch (asked->action) {
        case policy::Action::DescribeJobExecution:
            return jobs::describe_job_execution(context, asked->thing, asked->asked, now);
        case policy::Action::StartNextPendingJobExecution:
            return jobs::start_next_pending_job_execution(context, asked->thing, asked->body, now);
        case policy::Action::UpdateJobExecution:
            return jobs::update_job_execution(
                context, asked->thing, asked->job_id, asked->body, now);
        default:
            return jobs::get_pending_job_executions(context, asked->thing);
    }
}

struct JobsErrorForm {
    int status;
    std::string_view exception;
};

JobsErrorForm form_of(Code code) {
    switch (code) {
        case Code::InvalidRequest:
            return {400, "InvalidRequestException"};
        case Code::Forbidden:
        case Code::Unauthenticated:
            return {403, "ForbiddenException"};
        case Code::NotFound:
            return {404, "ResourceNotFoundException"};
        case Code::NotImplemented:
            return {405, "MethodNotAllowedException"};
        case Code::Conflict:
        case Code::VersionConflict:
            return {409, "InvalidStateTransitionException"};
        case Code::LimitExceeded:
            return {410, "TerminalStateException"};
        case Code::Throttled:
            return {429, "ThrottlingException"};
        case Code::Unavailable:
            return {503, "ServiceUnavailableException"};
        default:
            return {500, "InternalFailureException"};
    }
}

/// No more than AWS tells: why a policy denies is for the trace.
std::string told(const Error& error, const JobsErrorForm& form) {
    if (form.status == 403) return "Forbidden";
    return form.status == 500 ? "Internal failure" : to_string(error);
}

}  // namespace

bool is_jobs(std::string_view target) {
    if (!target.starts_with(kThingsPath)) return false;
    target = target.substr(0, target.find('?'));
    const auto slash = target.find('/', kThingsPath.size());
    if (slash == std::string_view::npos) return false;
    const auto rest = target.substr(slash);
    return rest == "/jobs" || rest.starts_with("/jobs/");
}

DeviceAnswer answer_jobs(flows::Service& service, const http::Request& request, Time now) {
    DeviceAnswer answer;
    if (request.client_certificate) answer.certificate = request.client_certificate->id().hex();
    auto members = perform_jobs(service, request, now);
    if (!members) {
        const Error& error = members.error();
        const JobsErrorForm form = form_of(error.code);
        answer.why = std::string(to_string(error.code)) + ": " + to_string(error);
        answer.is_internal = form.status == 500;
        answer.response.status = form.status;
        answer.response.headers.push_back({"x-amzn-ErrorType", std::string(form.exception)});
        members = JobsJson{{"message", told(error, form)}};
    }
    answer.response.body = members->dump(-1, ' ', false, JobsJson::error_handler_t::replace);
    return answer;
}

}  // namespace hatchery::enroll
