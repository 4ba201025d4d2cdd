// HTTP/1.1 for the fronts api and enroll: sockets, TLS, limits and timeouts over cpp-httplib's
// parser. In: a Handler. Out: raw requests (the target as received, the body whole). Knows no
// operation, no AWS. Read first: connection.h (one connection's deadlines and bounds), then
// listener.cc.
#pragma once

#include "ca/certificate.h"
#include "ca/key.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::http {

/// One header field; `name` in lower case.
struct Header {
    std::string name;
    std::string value;
};

/// A whole request.
struct Request {
    std::string method;
    std::string target;  ///< raw, as received; at most 8,192 bytes
    std::vector<Header> headers;
    std::string body;
    std::string remote_address;
    std::optional<ca::Certificate> client_certificate;  ///< its key was proved in the handshake
    std::string server_name{};                          ///< SNI of the handshake; empty: none
};

/// A body that is read while it is sent: what is too large to be held.
struct BodySource {
    std::uint64_t size = 0;  ///< not 0
    /// Fills `out` with what begins at `offset`; false: the connection ends there.
    std::function<bool(std::uint64_t offset, std::span<char> out)> read;
};

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::vector<Header> headers;
    std::string body;
    /// In place of `body`. It lives until all is sent or the connection ends; the peer has half a
    /// minute for each part of it.
    std::optional<BodySource> source{};
};

/// Called on a worker thread, many at once.
using Handler = std::function<Response(const Request&)>;
/// The answer to what never becomes a Request, by status: 400 malformed, 411 no Content-Length, 413
/// body too large, 414 target too long, 404 a method that HTTP does not route.
using Refusal = std::function<Response(int status)>;

enum class ClientCertificate { Ignore, Ask };

struct Tls {
    std::string certificate_chain_pem;  ///< server certificate first
    ca::PrivateKey key;
    /// Ask: any certificate passes the handshake (who it is, is decided with the request), and none
    /// is allowed too.
    ClientCertificate client_certificate = ClientCertificate::Ignore;
};

struct Options {
    std::string host = "127.0.0.1";
    int port = 0;      ///< 0 = any free port
    int threads = 16;  ///< one connection occupies one while it is open
    std::size_t max_body_bytes = 1U << 20U;
    std::chrono::seconds request_timeout{30};    ///< from its first byte to its last
    std::chrono::seconds keep_alive_timeout{5};  ///< an idle connection gives its thread back
    std::optional<Tls> tls;                      ///< absent = plain HTTP
};

/// Serves in the background until destroyed.
class Listener {
  public:
    /// @errors Unavailable  the port cannot be bound; InvalidRequest  TLS key or certificate
    static Result<std::unique_ptr<Listener>> start(Options options,
                                                   Handler handler,
                                                   Refusal refusal);
    /// Answers the requests in progress, drops idle connections, joins its threads.
    virtual ~Listener() = default;
    virtual int port() const = 0;

    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

  protected:
    Listener() = default;
};

/// Does `host` name this machine alone (127.0.0.0/8, ::1, localhost)?
bool is_loopback(std::string_view host);

}  // namespace hatchery::http
