// Carries what commits left in the outbox (registry/outgoing.h) to the broker, whichever process
// committed it.
#pragma once

#include "provisioning/flows/service.h"

#include <memory>

namespace asio {
class io_context;
}  // namespace asio

namespace hatchery::gateway {

class FlowThreads;  // flow_threads.h

class Courier {
  public:
    /// Looks into the outbox about every 200 ms, publishes in order, and forgets what the broker
    /// has acknowledged. Runs on `io` (one thread) and reads the store on `threads`; both, and
    /// `service` with its `messages`, outlive the object.
    static std::unique_ptr<Courier> make(asio::io_context& io,
                                         FlowThreads& threads,
                                         flows::Service& service,
                                         flows::Messages& messages);
    virtual ~Courier() = default;
    /// Ends; what is left stays in the outbox. Thread-safe.
    virtual void stop() = 0;
};

}  // namespace hatchery::gateway
