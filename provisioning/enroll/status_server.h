// The status front at work: plain HTTP (status.h), and the timer that publishes revocation lists.
#pragma once

#include "ca/certificate.h"
#include "provisioning/flows/service.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace hatchery::enroll {

struct StatusOptions {
    std::string host = "0.0.0.0";
    int port = 8181;  ///< 0 = any free port
    int threads = 8;
    std::chrono::seconds crl_lifetime = std::chrono::days(7);
    std::vector<ca::Certificate>
        others;  ///< CA certificates served beside the issuing CAs': the root
};

class StatusServer {
  public:
    /// Lists that are due are published before it returns; later ones within half a second of a
    /// revocation, by whichever process, or when a quarter of their life is over.
    /// @errors Unavailable  the port is taken
    static Result<std::unique_ptr<StatusServer>> start(flows::Service& service,
                                                       StatusOptions options);
    virtual ~StatusServer() = default;
    virtual int port() const = 0;
};

}  // namespace hatchery::enroll
