#include "provisioning/jobs/topics.h"

#include "provisioning/jobs/device.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::jobs {

namespace {

using nlohmann::json;

constexpr std::string_view kThings = "$aws/things/";
constexpr std::string_view kJobs = "/jobs/";
constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxTopic = 256;       // AWS IoT's quota; the longest of this API has 217
constexpr std::size_t kMaxClientToken = 64;  // "Jobs device MQTT API": clientToken

/// A topic below $aws/things/THING/jobs/.
struct JobTopic {
    std::string_view thing, rest;
};

std::optional<JobTopic> parse_job_topic(std::string_view topic) {
    if (!topic.starts_with(kThings) || topic.size() > kMaxTopic) return std::nullopt;
    const auto after = topic.substr(kThings.size());
    const auto slash = after.find('/');
    if (slash == std::string_view::npos || slash == 0) return std::nullopt;
    if (!after.substr(slash).starts_with(kJobs)) return std::nullopt;
    const auto rest = after.substr(slash + kJobs.size());
    if (rest.empty()) return std::nullopt;
    return JobTopic{after.substr(0, slash), rest};
}

bool is_the_services(std::string_view rest) {
    return rest == "notify" || rest == "notify-next" || rest.ends_with("/accepted") ||
           rest.ends_with("/rejected");
}

/// What a request came to: the members of the answer, or the error and the state that it met.
struct Outcome {
    json members = json::object();
    std::optional<Error> error;
    std::string_view code;  ///< of the error, when it is not that of its kind
    std::optional<json> state;

    static Outcome refused(Error error, std::string_view code = {}) {
        Outcome outcome;
        outcome.error = std::move(error);
        outcome.code = code;
        return outcome;
    }
};

std::string_view code_of(const Error& error) {
    switch (error.code) {
        case Code::InvalidRequest:
            return "InvalidRequest";
        case Code::NotFound:
            return "ResourceNotFound";
        case Code::Conflict:
            return "InvalidStateTransition";
        case Code::VersionConflict:
            return "VersionMismatch";
        case Code::LimitExceeded:
            return "TerminalStateReached";
        case Code::Throttled:
            return "RequestThrottled";
        default:
            return "InternalError";
    }
}

Outcome answer_pending(const Context& context, std::string_view thing) {
    auto lists = pending(context, thing);
    if (!lists) return Outcome::refused(std::move(lists).error());
    Outcome outcome;
    outcome.members = pending_json(*lists);
    return outcome;
}

Outcome answer_found(Result<std::optional<DeviceExecution>> found, Time now) {
    if (!found) return Outcome::refused(std::move(found).error());
    Outcome outcome;
    if (*found) outcome.members["execution"] = execution_json(**found, DocumentForm::Value, now);
    return outcome;
}

Outcome answer_start(const Context& context,
                     std::string_view thing,
                     const json& request,
                     Time now) {
    auto start = read_start(request);
    if (!start) return Outcome::refused(std::move(start).error());
    return answer_found(start_next(context, thing, *start, now), now);
}

Outcome answer_describe(const Context& context,
                        std::string_view thing,
                        std::string_view job_id,
                        const json& request,
                        Time now) {
    Describe asked;
    asked.job_id = job_id;
    auto number = read_integer(request, "executionNumber");
    if (!number) return Outcome::refused(std::move(number).error());
    asked.number = *number;
    auto document = read_flag(request, "includeJobDocument", true);
    if (!document) return Outcome::refused(std::move(document).error());
    asked.include_document = *document;
    return answer_found(describe(context, thing, asked), now);
}

Outcome answer_update(const Context& context,
                      std::string_view thing,
                      std::string_view job_id,
                      const json& request,
                      Time now) {
    auto wanted = read_update(std::string(job_id), request);
    if (!wanted) return Outcome::refused(std::move(wanted).error());
    auto wants_state = read_flag(request, "includeJobExecutionState", false);
    if (!wants_state) return Outcome::refused(std::move(wants_state).error());
    Updated updated = update(context, thing, *wanted, now);
    Outcome outcome;
    if (updated.refused) {
        const bool has_state =
            updated.execution && (updated.refused->code == Code::Conflict ||
                                  updated.refused->code == Code::VersionConflict);
        if (has_state) outcome.state = state_json(*updated.execution);
        outcome.error = std::move(updated.refused);
        return outcome;
    }
    if (*wants_state) {
        outcome.members["executionState"] = state_json(*updated.execution);
    }
    if (updated.document) {
        json document = json::parse(*updated.document, nullptr, false);
        outcome.members["jobDocument"] =
            document.is_discarded() ? json(*updated.document) : std::move(document);
    }
    return outcome;
}

Outcome perform(const Context& context, const JobTopic& topic, const json& request, Time now) {
    if (topic.rest == "get") return answer_pending(context, topic.thing);
    if (topic.rest == "start-next") return answer_start(context, topic.thing, request, now);
    const auto slash = topic.rest.find('/');
    const auto job_id = topic.rest.substr(0, slash);
    const auto verb =
        slash == std::string_view::npos ? std::string_view() : topic.rest.substr(slash + 1);
    const bool names_job = job_id == kNextJob || registry::check_job_id(job_id);
    if (names_job && verb == "get") {
        return answer_describe(context, topic.thing, job_id, request, now);
    }
    if (names_job && verb == "update") {
        return answer_update(context, topic.thing, job_id, request, now);
    }
    return Outcome::refused(fail(Code::InvalidRequest,
                                 "expected get, start-next, JOB-ID/get, $next/get or "
                                 "JOB-ID/update, found '" +
                                     std::string(topic.rest.substr(0, 100)) + "'"),
                            "InvalidTopic");
}

/// The request as an object; an empty payload is an empty one.
std::optional<json> parse_payload(ByteView payload) {
    if (payload.empty()) return json::object();
    bool is_too_deep = false;
    const auto watch = [&](int depth, json::parse_event_t, json&) {
        is_too_deep = is_too_deep || depth > kMaxDepth;
        return depth <= kMaxDepth;
    };
    json request = json::parse(payload.begin(), payload.end(), watch, false);
    if (request.is_discarded() || !request.is_object() || is_too_deep) return std::nullopt;
    return request;
}

Outcome answer(const Context& context,
               const JobTopic& topic,
               const std::optional<json>& request,
               Time now) {
    if (!request) {
        return Outcome::refused(fail(Code::InvalidRequest, "expected a JSON object as payload"),
                                "InvalidJson");
    }
    const auto token = request->find("clientToken");
    const bool is_good =
        token == request->end() ||
        (token->is_string() && token->get_ref<const std::string&>().size() <= kMaxClientToken);
    if (!is_good) {
        return Outcome::refused(
            fail(Code::InvalidRequest, "expected at most 64 characters", "clientToken"));
    }
    return perform(context, topic, *request, now);
}

}  // namespace

bool is_request(std::string_view topic) {
    const auto parsed = parse_job_topic(topic);
    return parsed && !is_the_services(parsed->rest);
}

Reply answer_request(const Context& context, std::string_view topic, ByteView payload, Time now) {
    const auto parsed = parse_job_topic(topic);
    if (!parsed) return {std::string(topic) + "/rejected", {}};  // the precondition was broken
    const auto request = parse_payload(payload);
    Outcome outcome = answer(context, *parsed, request, now);
    json body = std::move(outcome.members);
    if (outcome.error) {
        const bool is_ours =
            outcome.error->code == Code::Internal || outcome.error->code == Code::Unavailable;
        body = {{"code", outcome.code.empty() ? code_of(*outcome.error) : outcome.code},
                {"message", is_ours ? "Internal failure" : to_string(*outcome.error)}};
        if (outcome.state) body["executionState"] = std::move(*outcome.state);
    }
    body["timestamp"] = now.time_since_epoch().count();
    if (request && request->contains("clientToken"))
        body["clientToken"] = (*request)["clientToken"];
    return {std::string(topic) + (outcome.error ? "/rejected" : "/accepted"),
            body.dump(-1, ' ', false, json::error_handler_t::replace)};
}

}  // namespace hatchery::jobs
