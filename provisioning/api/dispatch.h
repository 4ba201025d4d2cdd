// One control-plane request from bytes to bytes, without sockets: target -> route -> signature ->
// role -> handler -> wire form, and one log line.
#pragma once

#include "ca/base/clock.h"
#include "provisioning/api/key_ring.h"
#include "provisioning/flows/service.h"
#include "provisioning/http/listener.h"

namespace hatchery::api {

struct WireError;

class Dispatcher {
  public:
    /// All must outlive the dispatcher.
    Dispatcher(flows::Service& service, const ca::WrapKey& wrap)
        : service_(service), keys_(service.store, wrap) {}

    /// Never throws; every outcome is an answer. Thread-safe.
    http::Response answer(const http::Request& request, Time now);
    /// The same form for what never became a request (http::Refusal).
    static http::Response refuse(int status);

  private:
    struct Trace;
    WireError respond(const http::Request& request, Time now, Trace& trace);

    flows::Service& service_;
    KeyRing keys_;
};

}  // namespace hatchery::api
