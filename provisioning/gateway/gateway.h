// The device gateway: MQTT 3.1.1 and 5 over mutual TLS. It ends TLS, decides identity
// (flows::admit), enforces IoT policies packet by packet, answers $aws/... provisioning topics
// itself, and passes everything else to an upstream broker over one upstream connection a device.
// Sessions, QoS, retained messages and wills are the broker's. Read first: session.h (I/O-free:
// bytes in, actions out), then connection.cc (sockets), tls.cc, broker.cc (child mosquitto).
#pragma once

#include "ca/key.h"
#include "provisioning/flows/messages.h"
#include "provisioning/flows/service.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace hatchery::rule_actions {
class Engine;
}

namespace hatchery::gateway {

struct Options {
    std::string host = "0.0.0.0";
    int port = 8883;  ///< 0 = any free port
    std::string tls_certificate_chain_pem;
    ca::PrivateKey tls_key;
    /// "unix:PATH" or "HOST:PORT" of the upstream MQTT broker.
    std::string upstream;
    bool close_after_provisioning =
        false;  ///< first_connect = "close": AWS's behaviour to the letter
    int io_threads = 2;
    int flow_threads = 64;           ///< at work: store, signing; who waits for a hook comes on top
    std::optional<int> alpn_port{};  ///< a second port, for devices that name x-amzn-mqtt-ca (443)
    std::size_t max_packet_bytes = 256 * 1024;
    std::chrono::seconds connect_timeout{10};  ///< for its part of TLS handshake and CONNECT
    // Of one connection; the defaults are AWS's quotas.
    std::size_t max_subscriptions = 50;
    std::size_t max_filters_a_packet = 8;
    std::size_t max_topic_bytes = 256;
    std::size_t max_topic_levels = 8;
    std::size_t max_inflight = 100;  ///< QoS 1 publishes that the broker has not acknowledged
    std::size_t max_buffered_bytes = 256 * 1024;  ///< then the other side is not read any more
    std::chrono::seconds stall_timeout{30};       ///< a peer that takes nothing for so long is gone
    // Of all connections.
    std::size_t max_unauthenticated =
        20'000;                             ///< connections before CONNECT; then none is accepted
    int max_connects_a_second = 0;          ///< of one address; beyond, closed at once. 0: any
    rule_actions::Engine* rules = nullptr;  ///< topic rules, if any; outlives the gateway
};

/// What met a limit since the start. The log has them: once a minute in which one has changed, and
/// at the end ("counters ...").
struct Counters {
    std::atomic<std::uint64_t> unauthenticated{0};  ///< now: before the answer to their CONNECT
    std::atomic<std::uint64_t> unauthenticated_timeouts{0};  ///< no CONNECT in time
    std::atomic<std::uint64_t> accept_pauses{0};             ///< max_unauthenticated was reached
    std::atomic<std::uint64_t> throttled{0};                 ///< max_connects_a_second was exceeded
    std::atomic<std::uint64_t> packets_too_large{0};
    std::atomic<std::uint64_t> topics_over_limits{0};         ///< too deep or too long
    std::atomic<std::uint64_t> subscriptions_over_limits{0};  ///< of a connection or a packet
    std::atomic<std::uint64_t> inflight_pauses{0};            ///< devices that were not read
    std::atomic<std::uint64_t> slow_readers{0};
};

class Gateway {
  public:
    /// @errors Unavailable  the port is taken
    static Result<std::unique_ptr<Gateway>> start(flows::Service& service, Options options);
    /// Closes the listener, lets running flows finish, closes every connection.
    virtual ~Gateway() = default;
    virtual int port() const = 0;
    /// The port for ALPN, 0 if there is none.
    virtual int alpn_port() const = 0;
    virtual const Counters& counters() const = 0;
    /// The service's own way to the broker; lives as long as the gateway.
    virtual flows::Messages& messages() = 0;
};

/// A mosquitto of our own on a private unix socket, ended with this object; restarted if it dies.
class Broker {
  public:
    /// Starts `executable` with a configuration and socket in `directory` (mode 0700) and waits
    /// until it accepts.
    /// @errors Unavailable  not installed, or it does not come up; the message holds what it
    /// printed
    static Result<std::unique_ptr<Broker>> start(const std::filesystem::path& executable,
                                                 const std::filesystem::path& directory);
    virtual ~Broker() = default;
    virtual std::string upstream() const = 0;  ///< "unix:PATH"
};

}  // namespace hatchery::gateway
