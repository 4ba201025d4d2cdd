// Messages of the service itself ($aws/events/..., HTTPS publishes), to the broker over a
// connection of our own.
#pragma once

#include "provisioning/flows/messages.h"
#include "provisioning/gateway/upstream.h"

#include <memory>
#include <vector>

namespace asio {
class io_context;
}

namespace hatchery::gateway {

/// Publishes in order, connecting when there is something to say; up to 128 QoS 1 messages are on
/// their way at once. When the connection fails, those without acknowledgement are sent again over
/// the next one, except that those whose outcome somebody waits for fail with it. Up to 65,536
/// or 64 MiB wait; the newest is refused and logged beyond that.
class Publisher : public flows::Messages {
  public:
    /// Runs on `io`, which must outlive the object and be run by one thread.
    static std::unique_ptr<Publisher> make(asio::io_context& io, UpstreamAddress upstream);
    /// Several of which nobody waits for the outcome.
    void publish_all(std::vector<flows::Event> events) {
        for (auto& event : events)
            publish(std::move(event), {});
    }
    /// Sends what waits if the broker takes it, then ends. Thread-safe.
    virtual void stop() = 0;
};

}  // namespace hatchery::gateway
