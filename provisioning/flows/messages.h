// What the service itself says over the broker, and the way there.
#pragma once

#include "ca/base/error.h"

#include <functional>
#include <string>

namespace hatchery::flows {

/// A message that the service itself publishes.
struct Event {
    std::string topic;
    std::string payload;
    bool retain = false;
    int qos = 1;  ///< 0 or 1
};

/// The way to the broker. Thread-safe.
class Messages {
  public:
    /// Called once, on a thread of the way's own; must be short.
    using Done = std::function<void(Result<>)>;
    virtual ~Messages() = default;
    /// Returns at once; messages of one thread arrive in order.
    /// @param done  QoS 1: the broker has acknowledged it; QoS 0: it is written. May be empty.
    /// @errors Unavailable (by `done`)  too many wait, or the service stops; InvalidRequest  the
    /// broker ends the connection over this message
    virtual void publish(Event event, Done done) = 0;
};

}  // namespace hatchery::flows
