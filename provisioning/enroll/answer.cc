#include "provisioning/enroll/answer.h"

#include "ca/csr.h"
#include "ca/digest.h"
#include "provisioning/enroll/files.h"
#include "provisioning/enroll/jobs.h"
#include "provisioning/enroll/log.h"
#include "provisioning/enroll/publish.h"
#include "provisioning/registry/ledger.h"

#include <nlohmann/json.hpp>
#include <spdlog/logger.h>

#include <chrono>
#include <exception>

namespace hatchery::enroll {
namespace {

using nlohmann::json;

constexpr std::string_view kJsonPath = "/v1/certificates";

using Order = Answerer::Order;

std::string dump(const json& body) {
    return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

http::Response to_response(const Error& error, const std::string& request_id) {
    const bool is_internal = error.code == Code::Internal;
    http::Response response;
    response.status = status_of(error.code);
    response.body = dump({{"code", registry::refusal_word(error)},
                          {"message", is_internal ? "Internal failure" : error.message},
                          {"where", is_internal ? "" : error.where},
                          {"requestId", request_id}});
    if (error.code == Code::Throttled) {
        response.headers.push_back({"Retry-After", std::to_string(Throttle::kWindow.count())});
    }
    return response;
}

/// PEM as the inside of a JSON string: the end of a line is all that must be escaped in it.
std::string pem_json(std::string_view pem) {
    std::string text;
    text.reserve(pem.size() + pem.size() / 32);
    for (std::size_t end = 0; (end = pem.find('\n')) != std::string_view::npos;) {
        text.append(pem.substr(0, end)).append("\\n");
        pem.remove_prefix(end + 1);
    }
    return text.append(pem);
}

/// Written by hand: with the library's tree and its escaping, JSON took 8 % of a whole request. No
/// value holds anything to escape but the ends of lines.
http::Response to_json(const Issued& issued, const std::string& chain_json) {
    const ca::Certificate& certificate = issued.certificate;
    http::Response response;
    response.status = issued.is_new ? 201 : 200;
    std::string& body = response.body;
    body.reserve(chain_json.size() + 2048);
    body.append(R"({"certificateChain":")").append(chain_json);
    body.append(R"(","certificateId":")").append(certificate.id().hex());
    body.append(R"(","certificatePem":")").append(pem_json(certificate.pem()));
    body.append(R"(","notAfter":")").append(to_iso8601(certificate.fields().not_after));
    body.append(R"(","serialNumber":")").append(certificate.serial_hex()).append("\"}");
    return response;
}

http::Response to_pem(const Issued& issued, const std::string& chain_pem) {
    http::Response response;
    response.status = 200;  // always: simple clients of the plain form look for nothing else
    response.content_type = "application/x-pem-file";
    response.body = issued.certificate.pem() + chain_pem;
    return response;
}

Result<std::string> text_member(const json& body, const char* name, std::string_view absent) {
    const auto member = body.find(name);
    if (member == body.end() || member->is_null()) {
        if (!absent.empty()) return std::string(absent);
        return fail(
            Code::InvalidRequest, "expected a string, found nothing", std::string("/") + name);
    }
    if (member->is_string()) return member->get<std::string>();
    return fail(Code::InvalidRequest, "expected a string", std::string("/") + name);
}

Result<Order> read_json_order(std::string_view text) {
    // Two members are wanted; nothing below the second level is kept.
    const json body = json::parse(
        text, [](int depth, json::parse_event_t, const json&) { return depth <= 2; }, false);
    if (!body.is_object())
        return fail(Code::InvalidRequest, "expected a JSON object as the request body");
    auto csr = text_member(body, "certificateSigningRequest", "");
    if (!csr) return std::move(csr).error();
    auto profile = text_member(body, "profile", kDefaultProfile);
    if (!profile) return std::move(profile).error();
    return Order{std::move(*csr), std::move(*profile)};
}

}  // namespace

int status_of(Code code) {
    switch (code) {
        case Code::InvalidRequest:
        case Code::CertificateInvalid:
        case Code::RegistrationCodeInvalid:
        case Code::MalformedPolicy:
            return 400;
        case Code::Unauthenticated:
            return 401;
        case Code::Forbidden:
            return 403;
        case Code::NotFound:
            return 404;
        case Code::NotImplemented:
            return 405;
        case Code::AlreadyExists:
        case Code::Conflict:
        case Code::DeleteConflict:
        case Code::VersionsLimitExceeded:
        case Code::VersionConflict:
        case Code::CertificateState:
        case Code::CertificateConflict:
            return 409;
        case Code::LimitExceeded:
        case Code::Throttled:
            return 429;
        case Code::Unavailable:
            return 503;
        case Code::Internal:
            break;
    }
    return 500;
}

/// What the log line says, filled as far as the request came.
struct Answerer::Trace {
    std::string id;
    std::string station = "-";  // or the device's certificate
    std::string profile = "-";
    std::string certificate = "-";
    std::string why;
    bool is_internal = false;

    http::Response refuse(const Error& error) {
        why = std::string(to_string(error.code)) + ": " + to_string(error);
        is_internal = error.code == Code::Internal;
        return to_response(error, id);
    }
};

Answerer::Answerer(flows::Service& service)
    : desk_(service),
      est_(desk_),
      files_(service.links),
      chain_json_(pem_json(desk_.chain_pem())) {}

http::Response Answerer::respond(const http::Request& request, Time now, Trace& trace) {
    if (is_est(request.target)) return respond_est(request, now, trace);
    const bool asks_jobs = is_jobs(request.target);
    if (asks_jobs || is_publish(request.target)) {
        DeviceAnswer answer = asks_jobs ? answer_jobs(desk_.service(), request, now)
                                        : answer_publish(desk_.service(), request, trace.id, now);
        trace.certificate = answer.certificate;
        trace.why = std::move(answer.why);
        trace.is_internal = answer.is_internal;
        return std::move(answer.response);
    }
    if (is_file(request.target)) {
        auto response = files_.answer(request, now);
        return response ? std::move(*response) : trace.refuse(response.error());
    }
    auto caller = desk_.identify(request.client_certificate, now);
    if (!caller) return trace.refuse(caller.error());
    trace.station = caller->name;
    if (request.method != "POST") {
        return trace.refuse(fail(Code::NotImplemented, "expected POST, found " + request.method));
    }
    const bool is_json = request.target == kJsonPath;
    auto order = is_json ? read_json_order(request.body) : Result<Order>(Order{request.body});
    if (!order) return trace.refuse(order.error());
    auto issued =
        caller->station ? issue(*caller, *order, now, trace) : renew(*caller, *order, now);
    if (!issued) return trace.refuse(issued.error());
    trace.certificate = issued->certificate.id().hex();
    return is_json ? to_json(*issued, chain_json_) : to_pem(*issued, desk_.chain_pem());
}

Result<Issued> Answerer::issue(const Caller& station, const Order& order, Time now, Trace& trace) {
    trace.profile = order.profile;
    auto profile = desk_.profile_for(station, order.profile);
    if (!profile) return std::move(profile).error();
    auto csr = ca::Csr::parse(bytes_of(order.csr));
    if (!csr) return std::move(csr).error();
    return desk_.issue(station, **profile, *csr, now);
}

Result<Issued> Answerer::renew(const Caller& device, const Order& order, Time now) {
    auto csr = ca::Csr::parse(bytes_of(order.csr));
    if (!csr) return std::move(csr).error();
    return desk_.renew(device, *csr, now);
}

http::Response Answerer::respond_est(const http::Request& request, Time now, Trace& trace) {
    EstAnswer answer = est_.answer(request, now);
    trace.station = answer.caller;
    trace.profile = answer.profile;
    trace.certificate = answer.certificate;
    if (!answer.response) return trace.refuse(answer.response.error());
    return std::move(*answer.response);
}

http::Response Answerer::answer(const http::Request& request, Time now) {
    const auto start = std::chrono::steady_clock::now();
    Trace trace;
    trace.id = ca::random_uuid();
    http::Response response;
    try {
        response = respond(request, now, trace);
    } catch (const std::exception& e) {
        response = trace.refuse(fail(Code::Internal, std::string("uncaught: ") + e.what()));
    } catch (...) {
        response = trace.refuse(fail(Code::Internal, "uncaught exception of an unknown type"));
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    const std::string why = trace.why.empty() ? "" : " why=" + log_value(trace.why);
    log()->log(trace.is_internal ? spdlog::level::err : spdlog::level::info,
               "request id={} peer={} station={} profile={} certificate={} status={} ms={:.2f}{}",
               trace.id,
               log_value(request.remote_address),
               log_value(trace.station),
               log_value(trace.profile),
               trace.certificate,
               response.status,
               took.count(),
               why);
    return response;
}

http::Response Answerer::refuse(int status) {
    std::string message = "bad request";
    if (status == 411) message = "expected a Content-Length header";
    if (status == 413) message = "expected a request body of at most 128 KiB";
    const std::string id = ca::random_uuid();
    log()->info("request id={} station=- status={} ms=0.00", id, status);
    http::Response response = to_response(fail(Code::InvalidRequest, std::move(message)), id);
    response.status = status;
    return response;
}

}  // namespace hatchery::enroll
