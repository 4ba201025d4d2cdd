#include "provisioning/api/server.h"

#include "provisioning/api/dispatch.h"
#include "provisioning/api/log.h"

#include <spdlog/logger.h>

namespace hatchery::api {
namespace {

class HttpServer : public Server {
  public:
    HttpServer(flows::Service& service, const ca::WrapKey& wrap) : dispatcher_(service, wrap) {}

    Result<> listen(http::Options options) {
        auto started = http::Listener::start(
            std::move(options),
            [this](const http::Request& request) {
                return dispatcher_.answer(request, clock_now());
            },
            &Dispatcher::refuse);
        if (!started) return std::move(started).error();
        listener_ = std::move(*started);
        return {};
    }
    int port() const override { return listener_->port(); }

  private:
    Dispatcher dispatcher_;
    std::unique_ptr<http::Listener> listener_;  // last: stops before the dispatcher goes
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(flows::Service& service,
                                              const ca::WrapKey& wrap,
                                              Options options) {
    http::Options http;
    http.host = options.host;
    http.port = options.port;
    http.threads = options.threads;
    if (options.tls_certificate_chain_pem.empty()) {
        // Requests are signed, not encrypted: keys that the service makes would cross the network.
        if (!options.allow_plain_http && !http::is_loopback(options.host)) {
            return fail(Code::InvalidRequest,
                        "expected a TLS certificate for the control plane on " + options.host +
                            ": plain HTTP is for loopback addresses only");
        }
    } else if (options.tls_key) {
        http.tls = http::Tls{std::move(options.tls_certificate_chain_pem),
                             std::move(*options.tls_key),
                             http::ClientCertificate::Ignore};
    } else {
        return fail(Code::InvalidRequest, "expected the key of the control plane's certificate");
    }
    auto server = std::make_unique<HttpServer>(service, wrap);
    if (auto listening = server->listen(std::move(http)); !listening) {
        return std::move(listening).error();
    }
    log()->info("listening host={} port={}", log_value(options.host), server->port());
    return std::unique_ptr<Server>(std::move(server));
}

}  // namespace hatchery::api
