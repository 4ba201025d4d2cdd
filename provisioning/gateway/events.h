// Messages of the service itself ($aws/events/...), published to the broker over a connection of
// our own.
#pragma once

#include "provisioning/flows/admit.h"
#include "provisioning/gateway/upstream.h"

#include <memory>

namespace asio {
class io_context;
}

namespace hatchery::gateway {

/// Publishes in order with QoS 1, connecting when there is something to say; an unacknowledged
/// event is sent again over the next connection. Up to 1,000 wait; the newest is dropped and logged
/// beyond that.
class EventPublisher {
  public:
    /// Runs on `io`, which must outlive the object and be run by one thread.
    static std::unique_ptr<EventPublisher> make(asio::io_context& io, UpstreamAddress upstream);
    virtual ~EventPublisher() = default;
    /// Thread-safe; returns at once.
    virtual void publish(std::vector<flows::Event> events) = 0;
    /// Sends what waits if the broker takes it, then ends. Thread-safe.
    virtual void stop() = 0;
};

}  // namespace hatchery::gateway
