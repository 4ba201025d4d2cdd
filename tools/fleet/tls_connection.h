// A TLS connection with the device's certificate; every call has a deadline.
#pragma once

#include "ca/certificate.h"
#include "ca/key.h"
#include "tools/fleet/options.h"

#include <memory>

struct ssl_ctx_st;
struct ssl_st;

namespace hatchery::fleet {

using Deadline = std::chrono::steady_clock::time_point;

/// A certificate with its chain, leaf first, and its key.
struct Identity {
    std::vector<ca::Certificate> chain;
    ca::PrivateKey key;
};
/// @errors InvalidRequest  no certificate, or not its key
Result<Identity> make_identity(std::string_view chain_pem, ca::PrivateKey key);
/// The two files of a station or a claim certificate.
/// @errors InvalidRequest  unreadable, no certificate, an encrypted key
Result<Identity> read_identity(const std::string& certificate_file, const std::string& key_file);
/// @errors InvalidRequest
Result<std::string> read_file(const std::string& path);

/// Trust and settings of all connections. Thread-safe once made.
class TlsContext {
  public:
    /// @errors InvalidRequest  the CA file can't be read
    static Result<TlsContext> make(const std::string& ca_file);
    ssl_ctx_st* get() const { return context_.get(); }

  private:
    std::shared_ptr<ssl_ctx_st> context_;
};

class TlsConnection {
  public:
    /// TCP, then TLS 1.2 or 1.3 with SNI and a check of the server's name.
    /// @errors Unavailable  no connection, or no trust in the server; the message says which
    static Result<TlsConnection> open(const TlsContext& context,
                                      const Identity& identity,
                                      const std::string& host,
                                      int port,
                                      Deadline deadline);
    TlsConnection(TlsConnection&&) noexcept;
    TlsConnection& operator=(TlsConnection&&) = delete;
    ~TlsConnection();

    /// @errors Forbidden  the server closed the connection; Unavailable  deadline, or lost
    Result<> write(ByteView bytes, Deadline deadline);
    /// Some bytes, at least one. @errors as write()
    Result<Bytes> read(Deadline deadline);

  private:
    TlsConnection(int socket, std::shared_ptr<ssl_st> ssl)
        : socket_(socket), ssl_(std::move(ssl)) {}
    Result<> step(int outcome, Deadline deadline);

    int socket_;
    std::shared_ptr<ssl_st> ssl_;
};

}  // namespace hatchery::fleet
