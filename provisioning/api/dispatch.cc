#include "provisioning/api/dispatch.h"

#include "ca/digest.h"
#include "provisioning/api/log.h"
#include "provisioning/api/member_rules.h"
#include "provisioning/api/report_links.h"
#include "provisioning/api/roles.h"
#include "provisioning/api/routes.h"
#include "provisioning/api/wire_error.h"

#include <spdlog/logger.h>

#include <chrono>
#include <exception>

namespace hatchery::api {
namespace {

Result<> check_role(const AccessKey& key, std::string_view operation, std::string_view account) {
    if (may_call(key.role, operation)) return {};
    return fail(Code::Forbidden,
                "User: arn:aws:iam::" + std::string(account) + ":user/" + key.id + " with role " +
                    key.role + " is not authorized to perform: iot:" + std::string(operation));
}

/// Labels, query parameters and header inputs, before the handler sees them.
Result<> check_outer_members(const Route& route,
                             const std::vector<std::string>& labels,
                             const Target& target,
                             const std::vector<Header>& headers) {
    std::string_view pattern = route.pattern;
    for (const auto& label : labels) {
        pattern.remove_prefix(pattern.find('{') + 1);
        const auto name = pattern.substr(0, pattern.find('}'));
        if (auto good = check_member(name, label); !good) return good;
    }
    for (const auto& [name, value] : target.query) {
        if (auto good = check_member(name, value); !good) return good;
    }
    for (const auto& field : headers) {
        if (!field.name.starts_with("x-amzn-")) continue;
        if (auto good = check_member(field.name, field.value); !good) return good;
    }
    return {};
}

http::Response to_response(WireError answer, const std::string& request_id) {
    http::Response response;
    response.status = answer.status;
    response.body = std::move(answer.body);
    response.headers.push_back({"x-amzn-RequestId", request_id});
    if (!answer.exception.empty()) {
        response.headers.push_back({"x-amzn-ErrorType", std::move(answer.exception)});
    }
    return response;
}

}  // namespace

/// What the log line says, filled as far as the request came.
struct Dispatcher::Trace {
    std::string_view operation = "-";
    std::string key = "-";
    std::string why;  // the error, for the operator
    bool internal = false;

    WireError refuse(const Error& error) {
        why = std::string(to_string(error.code)) + ": " + to_string(error);
        internal = error.code == Code::Internal;
        return to_wire(error, operation);
    }
};

WireError Dispatcher::respond(const http::Request& request, Time now, Trace& trace) {
    auto target = parse_target(request.target);
    if (!target) return trace.refuse(target.error());
    const SignedRequest to_verify{request.method, *target, request.headers, request.body};
    const bool is_jobs_data = claimed_service(to_verify) == "iot-jobs-data";
    Match found =
        match(request.method, target->segments, is_jobs_data ? jobs_data_routes() : routes());
    if (found.route == nullptr && !is_jobs_data)
        found = match(request.method, target->segments, absent_routes());
    if (found.route != nullptr) trace.operation = found.route->operation;

    auto key = verify(to_verify, now, [&](std::string_view id) { return keys_.find(id); });
    if (!key) return trace.refuse(key.error());
    trace.key = (*key)->id;
    if (found.route == nullptr) {
        trace.why = "UnknownOperation: " + request.method + " " + target->path;
        return unknown_operation(request.method, target->path);
    }
    const Route& route = *found.route;
    if (auto allowed = check_role(**key, route.operation, service_.settings.account.id); !allowed) {
        return trace.refuse(allowed.error());
    }
    if (route.handler == nullptr) {
        return trace.refuse(
            fail(Code::NotImplemented,
                 std::string(route.operation) + " is not supported by this server"));
    }
    if (auto good = check_outer_members(route, found.labels, *target, request.headers); !good) {
        return trace.refuse(good.error());
    }
    // A message is bytes, and the only body that need not be JSON.
    auto input = Input::parse(route.operation == "Publish" ? std::string_view() : request.body);
    if (!input) return trace.refuse(input.error());
    if (auto good = check_body(route.operation, input->node()); !good)
        return trace.refuse(good.error());
    const Call call{service_,
                    route.operation,
                    *target,
                    found.labels,
                    request.headers,
                    std::move(*input),
                    (*key)->id,
                    now,
                    request.body};
    auto body = route.handler(call);
    if (!body) return trace.refuse(body.error());
    return {200, {}, std::move(*body)};  // a success has no exception
}

http::Response Dispatcher::answer(const http::Request& request, Time now) {
    if (auto report = answer_report_link(service_, request, now)) return std::move(*report);
    const auto start = std::chrono::steady_clock::now();
    const std::string id = ca::random_uuid();
    Trace trace;
    WireError form;
    try {
        form = respond(request, now, trace);
    } catch (const std::exception& e) {
        form = trace.refuse(fail(Code::Internal, std::string("uncaught: ") + e.what()));
    } catch (...) {
        form = trace.refuse(fail(Code::Internal, "uncaught exception of an unknown type"));
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    const std::string why =
        trace.why.empty() ? "" : " error=" + form.exception + " why=" + log_value(trace.why);
    log()->log(trace.internal ? spdlog::level::err : spdlog::level::info,
               "request id={} op={} key={} status={} ms={:.2f}{}",
               id,
               trace.operation,
               log_value(trace.key),
               form.status,
               took.count(),
               why);
    return to_response(std::move(form), id);
}

http::Response Dispatcher::refuse(int status) {
    const std::string id = ca::random_uuid();
    log()->info("request id={} op=- key=- status={} ms=0.00", id, status);
    return to_response(http_error(status), id);
}

}  // namespace hatchery::api
