// Wills as topic rules see them. The broker publishes a will, which the gateway never sees: here it
// is known when (MQTT 5, 3.1.2.5 and 3.1.3.2.2). This box's own.
#pragma once

#include "provisioning/gateway/session.h"
#include "provisioning/rule_actions/engine.h"

#include <mutex>
#include <string>
#include <unordered_map>

namespace hatchery::gateway {

/// Thread-safe. Memory: an entry a client id whose will waits for its delay, at most 65,536.
class Wills {
  public:
    using Instant = Session::Instant;
    /// @param rules  outlives the object; null: nobody looks
    explicit Wills(rule_actions::Engine* rules) : rules_(rules) {}

    /// The broker has let a device in: a will of its session that waits is none any more, or is due
    /// if the session ends with this connect.
    void opened(const mqtt::Connect& connect);
    /// The end of what was `opened`, for `cause`.
    /// @param certificate  principal() of the rules
    void ended(const mqtt::Connect& connect,
               const std::string& certificate,
               CloseCause cause,
               Instant now);
    /// Gives rules the wills whose delay is over. To be called about once a second.
    void give_due(Instant now);

  private:
    struct Waiting {
        mqtt::Will will;
        std::string certificate;
        Instant due;
    };
    void keep(const std::string& client_id, Waiting waiting);
    void give(const mqtt::Will& will, const std::string& client_id, const std::string& certificate);

    rule_actions::Engine* rules_;
    std::mutex mutex_;  // guards what follows
    std::unordered_map<std::string, Waiting> waiting_;
};

}  // namespace hatchery::gateway
