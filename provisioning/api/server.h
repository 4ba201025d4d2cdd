// The control plane: AWS IoT's REST API (iot 2015-05-28) with SigV4, over cpp-httplib.
// Read first: routes.cc (method + path pattern -> operation), sigv4.h, wire_error.h (Error -> AWS
// exception).
#pragma once

#include "ca/seal.h"
#include "provisioning/flows/service.h"

#include <memory>
#include <string>

namespace hatchery::api {

struct Options {
    std::string host = "127.0.0.1";
    int port = 8180;                        ///< 0 = any free port
    std::string tls_certificate_chain_pem;  ///< empty = plain HTTP, refused unless host is loopback
    std::optional<ca::PrivateKey> tls_key;
    bool allow_plain_http = false;  ///< on any address: behind a proxy that ends TLS, say
    int threads = 16;
};

class Server {
  public:
    /// Binds and starts serving in the background. @errors Unavailable  the port is taken
    static Result<std::unique_ptr<Server>> start(flows::Service& service,
                                                 const ca::WrapKey& wrap,
                                                 Options options);
    /// Answers what is in progress, then stops.
    virtual ~Server() = default;
    virtual int port() const = 0;
};

}  // namespace hatchery::api
