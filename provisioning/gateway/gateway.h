// The device gateway: MQTT 3.1.1 over mutual TLS. It ends TLS, decides identity (flows::admit),
// enforces IoT policies packet by packet, answers $aws/... provisioning topics itself, and passes
// everything else to an upstream broker over one upstream connection a device. Sessions, QoS,
// retained messages and wills are the broker's. Read first: session.h (I/O-free: bytes in, actions
// out), then connection.cc (sockets), tls.cc, broker.cc (child mosquitto).
#pragma once

#include "ca/key.h"
#include "provisioning/flows/service.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

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
    int flow_threads = 64;  ///< blocking work: store, hooks, signing
    std::size_t max_packet_bytes = 256 * 1024;
    std::chrono::seconds connect_timeout{10};  ///< TLS handshake plus CONNECT
};

class Gateway {
  public:
    /// @errors Unavailable  the port is taken
    static Result<std::unique_ptr<Gateway>> start(flows::Service& service, Options options);
    /// Closes the listener, lets running flows finish, closes every connection.
    virtual ~Gateway() = default;
    virtual int port() const = 0;
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
