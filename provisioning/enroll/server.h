// HTTPS by client certificate. For factory stations: POST /v1/certificates (JSON), POST / (PEM in,
// PEM out), EST. For devices: POST /topics/TOPIC.
#pragma once

#include "provisioning/flows/service.h"

#include <memory>
#include <string>

namespace hatchery::enroll {

struct Options {
    std::string host = "0.0.0.0";
    int port = 8443;  ///< 0 = any free port
    std::string tls_certificate_chain_pem;
    ca::PrivateKey tls_key;
    int threads = 32;
};

class Server {
  public:
    /// @errors Unavailable  the port is taken
    static Result<std::unique_ptr<Server>> start(flows::Service& service, Options options);
    virtual ~Server() = default;
    virtual int port() const = 0;
};

}  // namespace hatchery::enroll
