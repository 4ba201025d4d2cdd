#include "provisioning/enroll/answer.h"

#include "ca/csr.h"
#include "ca/digest.h"
#include "provisioning/enroll/log.h"
#include "provisioning/flows/issue.h"
#include "provisioning/registry/access.h"

#include <nlohmann/json.hpp>
#include <spdlog/logger.h>

#include <algorithm>
#include <chrono>
#include <exception>

namespace hatchery::enroll {
namespace {

using nlohmann::json;

constexpr std::size_t kRememberedCertificates = 4096;
constexpr std::chrono::minutes kRememberedFor{15};
constexpr std::string_view kJsonPath = "/v1/certificates";
constexpr std::string_view kDefaultProfile = "device";

struct Order {
    std::string csr;  // PEM or DER
    std::string profile = std::string(kDefaultProfile);
};

std::string dump(const json& body) {
    return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

http::Response to_response(const Error& error, const std::string& request_id) {
    const bool is_internal = error.code == Code::Internal;
    http::Response response;
    response.status = status_of(error.code);
    response.body = dump({{"code", to_string(error.code)},
                          {"message", is_internal ? "Internal failure" : error.message},
                          {"where", is_internal ? "" : error.where},
                          {"requestId", request_id}});
    return response;
}

http::Response to_json(const RecentCertificates::Outcome& outcome) {
    const Issued& issued = outcome.issued;
    http::Response response;
    response.status = outcome.is_new ? 201 : 200;
    response.body = dump({{"certificateId", issued.certificate_id},
                          {"certificatePem", issued.certificate_pem},
                          {"certificateChain", issued.chain_pem},
                          {"serialNumber", issued.serial_number},
                          {"notAfter", issued.not_after}});
    return response;
}

http::Response to_pem(const RecentCertificates::Outcome& outcome) {
    http::Response response;
    response.status = 200;  // always: simple clients of the plain form look for nothing else
    response.content_type = "application/x-pem-file";
    response.body = outcome.issued.certificate_pem + outcome.issued.chain_pem;
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

/// The station behind the client certificate: known, enabled, and its certificate still good.
Result<registry::Station> authenticate(flows::Service& service,
                                       const std::optional<ca::Certificate>& certificate,
                                       Time now) {
    if (!certificate) {
        return fail(Code::Unauthenticated, "expected a station's client certificate, found none");
    }
    auto station = service.store.read(
        [&](store::Reader& reader) { return registry::find_station(reader, certificate->id()); });
    if (!station && station.error().code == Code::NotFound) {
        return fail(Code::Forbidden,
                    "expected a station's client certificate, found certificate " +
                        certificate->id().hex());
    }
    if (!station) return station;
    if (!station->enabled) {
        return fail(Code::Forbidden, "station '" + station->name + "' is disabled");
    }
    auto issued = ca::check_issued_by(*certificate, service.issuer.certificate(), now);
    if (!issued) {
        return fail(Code::Forbidden,
                    "the certificate of station '" + station->name +
                        "' is not good: " + issued.error().message);
    }
    return station;
}

Result<const ca::Profile*> allowed_profile(const flows::Service& service,
                                           const registry::Station& station,
                                           const std::string& name) {
    if (std::find(station.profiles.begin(), station.profiles.end(), name) ==
        station.profiles.end()) {
        return fail(Code::Forbidden,
                    "station '" + station.name + "' may not use profile '" + name + "'",
                    "/profile");
    }
    const auto profile = service.profiles.find(name);
    if (profile != service.profiles.end()) return &profile->second;
    return fail(Code::NotFound, "profile '" + name + "' does not exist", "/profile");
}

Result<Issued> issue(flows::Service& service,
                     const ca::Csr& csr,
                     const ca::Profile& profile,
                     const registry::Station& station,
                     Time now) {
    auto certificate = flows::issue(service.store,
                                    service.ledger,
                                    service.issuer,
                                    csr,
                                    profile,
                                    "station:" + station.name,
                                    now);
    if (!certificate) return std::move(certificate).error();
    Issued issued;
    issued.certificate_id = certificate->id().hex();
    issued.certificate_pem = certificate->pem();
    issued.chain_pem = service.issuer.chain_pem(*certificate).substr(issued.certificate_pem.size());
    issued.serial_number = certificate->serial_hex();
    issued.not_after = to_iso8601(certificate->fields().not_after);
    return issued;
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
    std::string station = "-";
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
    : service_(service), recent_(kRememberedCertificates, kRememberedFor) {}

http::Response Answerer::respond(const http::Request& request, Time now, Trace& trace) {
    auto station = authenticate(service_, request.client_certificate, now);
    if (!station) return trace.refuse(station.error());
    trace.station = station->name;
    if (request.method != "POST") {
        return trace.refuse(fail(Code::NotImplemented, "expected POST, found " + request.method));
    }
    const bool is_json = request.target == kJsonPath;
    auto order = is_json ? read_json_order(request.body) : Result<Order>(Order{request.body});
    if (!order) return trace.refuse(order.error());
    trace.profile = order->profile;
    auto profile = allowed_profile(service_, *station, order->profile);
    if (!profile) return trace.refuse(profile.error());
    auto csr = ca::Csr::parse(bytes_of(order->csr));
    if (!csr) return trace.refuse(csr.error());
    // Over the DER: the same request as PEM with other line ends is the same request.
    const std::string key =
        station->name + "\n" + order->profile + "\n" + to_hex(ca::sha256(csr->fields().der));
    auto outcome = recent_.find_or_issue(
        key, now, [&] { return issue(service_, *csr, **profile, *station, now); });
    if (!outcome) return trace.refuse(outcome.error());
    trace.certificate = outcome->issued.certificate_id;
    return is_json ? to_json(*outcome) : to_pem(*outcome);
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
    if (status == 413) message = "expected a request body of at most 64 KiB";
    const std::string id = ca::random_uuid();
    log()->info("request id={} station=- status={} ms=0.00", id, status);
    http::Response response = to_response(fail(Code::InvalidRequest, std::move(message)), id);
    response.status = status;
    return response;
}

}  // namespace hatchery::enroll
