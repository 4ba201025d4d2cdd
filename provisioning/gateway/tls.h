// The server's side of mutual TLS over a non-blocking socket. Any client certificate passes: the
// handshake proves that the device holds the key, who it is gets decided afterwards
// (flows::admit), where a slow look-up may wait and a refusal has a reason. No Asio here: a call
// that cannot go on says what to wait for.
#pragma once

#include "ca/certificate.h"
#include "ca/key.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;

namespace hatchery::gateway {

/// AWS's ALPN name of MQTT with a client certificate.
inline constexpr std::string_view kMqttProtocol = "x-amzn-mqtt-ca";

/// One SSL_CTX for all connections: TLS 1.2 and 1.3, no tickets, no session cache. Thread-safe.
class TlsContext {
  public:
    /// @param chain_pem  server certificate, then its CAs
    /// @errors InvalidRequest  unreadable chain, or the key is another certificate's
    static Result<TlsContext> make(std::string_view chain_pem, const ca::PrivateKey& key);
    ssl_ctx_st* handle() const { return handle_.get(); }

  private:
    explicit TlsContext(std::shared_ptr<ssl_ctx_st> handle) : handle_(std::move(handle)) {}
    std::shared_ptr<ssl_ctx_st> handle_;
};

enum class TlsStatus {
    Done,       ///< `count` bytes were read or written, or the handshake is complete
    WantRead,   ///< wait until the socket is readable, then call again
    WantWrite,  ///< wait until it is writable
    Closed,     ///< the peer has ended the connection
    Failed,     ///< `reason` says why; the connection is of no further use
};
struct TlsResult {
    TlsStatus status = TlsStatus::Done;
    std::size_t count = 0;
    std::string reason;
};

/// One connection. One thread at a time.
class TlsConnection {
  public:
    /// Does not own `socket`, which must be non-blocking and outlive the calls.
    /// @errors Internal  no memory
    static Result<TlsConnection> accept(const TlsContext& context, int socket);

    TlsResult handshake();
    TlsResult read(std::span<std::uint8_t> into);
    /// May take fewer bytes than given; after WantWrite the same bytes come first again.
    TlsResult write(ByteView bytes);
    /// Sends close_notify if the socket takes it; waits for nothing.
    void shutdown();

    /// What the device presented. @pre the handshake is complete
    struct Peer {
        ca::Certificate certificate;
        std::vector<ca::Certificate> chain;  ///< what came with it; unreadable ones are left out
    };
    /// What the device asked for, once the handshake is complete; empty if nothing.
    std::string server_name() const;
    std::string protocol() const;  ///< ALPN, as we chose it
    /// @errors CertificateInvalid  the certificate is of a form that we do not read
    Result<Peer> peer() const;
    /// Makes what OpenSSL keeps of the peer's certificates small: 3.6 KB less a connection, 6 more
    /// for each of its chain. @pre what `peer` gave is gone, which shares them
    void forget_peer();

  private:
    struct Free {
        void operator()(ssl_st* ssl) const;
    };
    explicit TlsConnection(ssl_st* ssl) : ssl_(ssl) {}
    TlsResult outcome(int result, std::size_t count);
    std::unique_ptr<ssl_st, Free> ssl_;
    bool is_failed_ = false;
};

}  // namespace hatchery::gateway
