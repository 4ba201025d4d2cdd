// One device: its TLS connection, its upstream connection, and a Session between them. All of a
// connection runs on one event loop's thread; blocking work (admission, provisioning) goes to the
// flow threads and is awaited.
#pragma once

#include "provisioning/flows/identity_cache.h"
#include "provisioning/gateway/gateway.h"
#include "provisioning/gateway/lifecycle.h"
#include "provisioning/gateway/publisher.h"
#include "provisioning/gateway/session.h"
#include "provisioning/gateway/tls.h"
#include "provisioning/gateway/upstream.h"
#include "provisioning/gateway/wills.h"

#include <functional>
#include <memory>
#include <span>
#include <string>

namespace asio {
class io_context;
}  // namespace asio

namespace hatchery::gateway {

class FlowThreads;  // flow_threads.h
class Turns;        // io.h

/// What all connections share; outlives them.
struct Environment {
    flows::Service& service;
    const Options& options;
    const TlsContext& tls;
    UpstreamAddress upstream;
    FlowThreads& flow_threads;
    flows::IdentityCache& remembered;
    Publisher& events;
    Lifecycle& lifecycle;
    Wills& wills;
    Counters& counters;
};

/// An event loop's one thread, as its connections see it.
struct Loop {
    asio::io_context& io;
    std::span<std::uint8_t> scratch;  ///< to read into; used up before anyone else runs
    Turns& handshakes;                ///< whose turn it is to do a step of a handshake
    bool needs_alpn = false;          ///< the connection came in by the port for ALPN
};

class Connection {
  public:
    virtual ~Connection() = default;
    /// Enforces deadlines, and reads the identity again if `generation` is newer than it. To be
    /// called a few times a second on the loop's thread.
    virtual void tick(Session::Instant now, std::uint64_t generation) = 0;
    /// Ends the connection as soon as its running flow is done. On the loop's thread.
    virtual void stop() = 0;

    /// Takes over an accepted TCP socket. On the loop's thread.
    /// @param ended  called once on that thread when the device's side is over
    /// @errors Internal  the socket cannot be used
    static Result<std::shared_ptr<Connection>> start(const Environment& environment,
                                                     Loop loop,
                                                     int socket,
                                                     std::string source_ip,
                                                     std::function<void(Connection&)> ended);
};

}  // namespace hatchery::gateway
