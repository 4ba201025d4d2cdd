// One request of a factory station from bytes to bytes, without sockets: station -> request ->
// profile -> certificate -> wire form, and one log line.
#pragma once

#include "ca/base/clock.h"
#include "provisioning/enroll/recent.h"
#include "provisioning/flows/service.h"
#include "provisioning/http/listener.h"

namespace hatchery::enroll {

class Answerer {
  public:
    /// `service` must outlive the answerer.
    explicit Answerer(flows::Service& service);

    /// POST /v1/certificates: JSON in, JSON out; POST on any other path: PEM or DER in, PEM out.
    /// Never throws; every outcome is an answer. Thread-safe.
    http::Response answer(const http::Request& request, Time now);
    /// The JSON error for what never became a request (http::Refusal).
    static http::Response refuse(int status);

  private:
    struct Trace;
    http::Response respond(const http::Request& request, Time now, Trace& trace);

    flows::Service& service_;
    RecentCertificates recent_;
};

/// HTTP status of an error: 400 wrong request, 401 no certificate, 403 no station or a profile it
/// may not use, 404, 405, 409, 429, 503, 500.
int status_of(Code code);

}  // namespace hatchery::enroll
