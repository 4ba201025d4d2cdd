#include "provisioning/enroll/status_server.h"

#include "provisioning/enroll/log.h"
#include "provisioning/enroll/status.h"
#include "provisioning/flows/revocation.h"

#include <spdlog/logger.h>

#include <condition_variable>
#include <thread>

namespace hatchery::enroll {
namespace {

constexpr std::size_t kMaxStatusBody = 16U << 10U;
constexpr std::chrono::milliseconds kLookEvery{250};
constexpr std::chrono::seconds kScheduleEvery{60};

/// Publishes what is due. One thread.
class Publisher {
  public:
    Publisher(flows::Service& service, std::chrono::seconds lifetime)
        : service_(service), patterns_(flows::crl_patterns(service.profiles)) {
        schedule_.lifetime = lifetime;
    }

    /// Cheap when nothing has happened: one look at the ledger's head.
    void look(Time now) {
        auto head = service_.store.read(
            [](store::Reader& reader) { return registry::ledger_head(reader); });
        if (!head) return complain(head.error());
        if (head->sequence == seen_ && now < next_) return;
        if (!publish(service_.issuer, now)) return;
        for (const ca::Issuer* issuer : service_.earlier_issuers) {
            if (!publish(*issuer, now)) return;
        }
        seen_ = head->sequence;
        next_ = now + kScheduleEvery;
    }

  private:
    bool publish(const ca::Issuer& issuer, Time now) {
        auto made = flows::publish_crls(service_.store, issuer, patterns_, schedule_, now);
        if (!made) {
            complain(made.error());
            return false;
        }
        if (*made > 0) {
            log()->info(
                "crls_published issuer={} lists={}", issuer.certificate().id().hex(), *made);
        }
        return true;
    }
    void complain(const Error& error) {
        // Once a spell: the disk may be full for hours.
        if (last_complaint_ != error.message) {
            log()->error("crl_publishing_failed reason={}", log_value(error.message));
        }
        last_complaint_ = error.message;
    }

    flows::Service& service_;
    std::vector<std::string> patterns_;
    flows::CrlSchedule schedule_;
    std::int64_t seen_ = -1;
    Time next_{};
    std::string last_complaint_;
};

class HttpStatusServer : public StatusServer {
  public:
    HttpStatusServer(flows::Service& service, StatusOptions& options)
        : answerer_(service, std::move(options.others)),
          publisher_(service, options.crl_lifetime) {}

    Result<> listen(const StatusOptions& options) {
        publisher_.look(clock_now());
        http::Options http;
        http.host = options.host;
        http.port = options.port;
        http.threads = options.threads;
        http.max_body_bytes = kMaxStatusBody;
        auto started = http::Listener::start(
            std::move(http),
            [this](const http::Request& request) { return answerer_.answer(request, clock_now()); },
            [](int status) {
                http::Response response;
                response.status = status;
                return response;
            });
        if (!started) return std::move(started).error();
        listener_ = std::move(*started);
        thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
        return {};
    }
    int port() const override { return listener_->port(); }

  private:
    void run(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            publisher_.look(clock_now());
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, stop, kLookEvery, [] { return false; });
        }
    }

    StatusAnswerer answerer_;
    Publisher publisher_;
    std::mutex mutex_;  // only for waiting
    std::condition_variable_any wake_;
    std::unique_ptr<http::Listener> listener_;
    std::jthread thread_;  // last: it uses the others
};

}  // namespace

Result<std::unique_ptr<StatusServer>> StatusServer::start(flows::Service& service,
                                                          StatusOptions options) {
    auto server = std::make_unique<HttpStatusServer>(service, options);
    if (auto listening = server->listen(options); !listening) return std::move(listening).error();
    log()->info("status_listening host={} port={}", log_value(options.host), server->port());
    return std::unique_ptr<StatusServer>(std::move(server));
}

}  // namespace hatchery::enroll
