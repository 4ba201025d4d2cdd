#include "provisioning/enroll/server.h"

#include "provisioning/enroll/answer.h"
#include "provisioning/enroll/log.h"

#include <spdlog/logger.h>

namespace hatchery::enroll {
namespace {

constexpr std::size_t kMaxBodyBytes = 128U << 10U;  // a device's message: AWS IoT's quota

class HttpsServer : public Server {
  public:
    explicit HttpsServer(flows::Service& service) : answerer_(service) {}

    Result<> listen(http::Options options) {
        auto started = http::Listener::start(
            std::move(options),
            [this](const http::Request& request) { return answerer_.answer(request, clock_now()); },
            &Answerer::refuse);
        if (!started) return std::move(started).error();
        listener_ = std::move(*started);
        return {};
    }
    int port() const override { return listener_->port(); }

  private:
    Answerer answerer_;
    std::unique_ptr<http::Listener> listener_;  // last: stops before the answerer goes
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(flows::Service& service, Options options) {
    http::Options http;
    http.host = options.host;
    http.port = options.port;
    http.threads = options.threads;
    http.max_body_bytes = kMaxBodyBytes;
    http.tls = http::Tls{std::move(options.tls_certificate_chain_pem),
                         std::move(options.tls_key),
                         http::ClientCertificate::Ask};
    auto server = std::make_unique<HttpsServer>(service);
    if (auto listening = server->listen(std::move(http)); !listening) {
        return std::move(listening).error();
    }
    log()->info("listening host={} port={}", log_value(options.host), server->port());
    return std::unique_ptr<Server>(std::move(server));
}

}  // namespace hatchery::enroll
