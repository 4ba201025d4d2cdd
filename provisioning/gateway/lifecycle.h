// Lifecycle events: who connects, disconnects, subscribes (AWS IoT Developer Guide, "Lifecycle
// events"): $aws/events/presence/... and $aws/events/subscriptions/.... Always on.
#pragma once

#include "ca/base/certificate_id.h"
#include "provisioning/flows/messages.h"
#include "provisioning/gateway/session.h"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hatchery::gateway {

class ConnectWatch;  // connect_watch.h

/// One connection, as its events tell it.
struct Visitor {
    std::string client_id;
    CertificateId certificate;
    std::string thing;  ///< only if it is attached exclusively; else empty
    std::string source_ip;
    std::string session{};      ///< given by Lifecycle::opens
    std::uint64_t version = 0;  ///< likewise: raised with each connection of the client id
};

/// AWS's word for the end of a connection that was open.
std::string_view disconnect_reason(CloseCause cause);

/// Thread-safe.
class Lifecycle {
  public:
    using Instant = std::chrono::steady_clock::time_point;
    /// `messages` and `watch`, which is told of every visitor, outlive the object.
    Lifecycle(flows::Messages& messages, ConnectWatch& watch)
        : messages_(messages), watch_(watch) {}

    /// The broker is about to be asked for the visitor's session, so an older one with its client
    /// id ends. Gives the visitor its session and version.
    void opens(Visitor& visitor, Instant now);
    /// Is there no newer connection with the visitor's client id?
    bool is_latest(const Visitor& visitor) const;
    /// The broker has let it in.
    void connected(const Visitor& visitor);
    /// The end of what was `connected`.
    void disconnected(const Visitor& visitor, CloseCause cause);
    /// The end of what `opens` began, connected or not.
    void left(const Visitor& visitor, Instant now);
    /// A known certificate was refused.
    void refused(const Visitor& visitor);
    void subscribed(const Visitor& visitor, const std::vector<std::string>& topics);
    void unsubscribed(const Visitor& visitor, const std::vector<std::string>& topics);

  private:
    struct Client {
        std::uint64_t next_version = 0;
        std::size_t open = 0;
        Instant last_left;
    };
    void forget_old(Instant now);

    flows::Messages& messages_;
    ConnectWatch& watch_;
    mutable std::mutex mutex_;  // guards what follows
    std::unordered_map<std::string, Client> clients_;
    std::size_t opens_until_sweep_ = 1024;
};

}  // namespace hatchery::gateway
