// One request of a factory station from bytes to bytes, without sockets: station -> request ->
// profile -> certificate -> wire form, and one log line.
#pragma once

#include "ca/base/clock.h"
#include "provisioning/enroll/desk.h"
#include "provisioning/enroll/est.h"
#include "provisioning/enroll/files.h"
#include "provisioning/http/listener.h"

namespace hatchery::enroll {

class Answerer {
  public:
    /// `service` must outlive the answerer.
    explicit Answerer(flows::Service& service);

    /// POST /v1/certificates: JSON in, JSON out; /.well-known/est/…: EST (est.h); POST /topics/…:
    /// a device's message (publish.h); GET /files/…: a kept file, by link (files.h); POST on any
    /// other path: PEM or DER in, PEM out. A station gets a device's certificate, a device its next
    /// one. Never throws; every outcome is an answer. Thread-safe.
    http::Response answer(const http::Request& request, Time now);
    /// The JSON error for what never became a request (http::Refusal).
    static http::Response refuse(int status);

    /// What a JSON or plain request asks for.
    struct Order {
        std::string csr;  ///< PEM or DER
        std::string profile = std::string(kDefaultProfile);
    };

  private:
    struct Trace;
    http::Response respond(const http::Request& request, Time now, Trace& trace);
    http::Response respond_est(const http::Request& request, Time now, Trace& trace);
    Result<Issued> issue(const Caller& station, const Order& order, Time now, Trace& trace);
    Result<Issued> renew(const Caller& device, const Order& order, Time now);

    Desk desk_;
    Est est_;
    FileAnswers files_;
    const std::string chain_json_;  ///< the desk's chain as the inside of a JSON string
};

/// HTTP status of an error: 400 wrong request, 401 no certificate, 403 no station or a profile it
/// may not use, 404, 405, 409, 429, 503, 500.
int status_of(Code code);

}  // namespace hatchery::enroll
