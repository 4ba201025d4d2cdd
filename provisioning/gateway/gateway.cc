#include "provisioning/gateway/gateway.h"

#include "ca/base/clock.h"
#include "provisioning/gateway/connect_watch.h"
#include "provisioning/gateway/connection.h"
#include "provisioning/gateway/courier.h"
#include "provisioning/gateway/flow_threads.h"
#include "provisioning/gateway/io.h"
#include "provisioning/gateway/log.h"
#include "provisioning/gateway/publisher.h"
#include "provisioning/gateway/tls.h"
#include "provisioning/gateway/wills.h"
#include "provisioning/rule_actions/engine.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <fcntl.h>
#include <spdlog/logger.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <future>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <vector>

namespace hatchery::gateway {
namespace {

using asio::ip::tcp;

constexpr std::size_t kScratchBytes = 16 * 1024;       // one TLS record
constexpr std::chrono::milliseconds kTick{250};        // deadlines, and identity within a second
constexpr std::chrono::milliseconds kAcceptPause{50};  // out of descriptors: let some close
constexpr std::uint64_t kThrottledALine = 1000;        // of the log
constexpr std::chrono::minutes kCounters{1};           // between two lines of the log
constexpr std::chrono::seconds kTending{1};            // of wills that wait and of what was seen
constexpr std::chrono::seconds kRepublishTimeout{10};
constexpr std::chrono::seconds kStopTimeout{30};  // hooks end within 5 s, lingering within 5 s

/// Of an accepted connection; an IPv4 address as such, though the socket may be IPv6.
std::string address_of(const sockaddr_storage& peer) {
    tcp::endpoint endpoint;
    std::memcpy(endpoint.data(), &peer, std::min(endpoint.capacity(), sizeof peer));
    const asio::ip::address address = endpoint.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
    }
    return address.to_string();
}

std::string counters_text(const Counters& counters) {
    const std::pair<std::string_view, std::uint64_t> all[] = {
        {"unauthenticated_timeouts", counters.unauthenticated_timeouts},
        {"accept_pauses", counters.accept_pauses},
        {"throttled", counters.throttled},
        {"packets_too_large", counters.packets_too_large},
        {"topics_over_limits", counters.topics_over_limits},
        {"subscriptions_over_limits", counters.subscriptions_over_limits},
        {"inflight_pauses", counters.inflight_pauses},
        {"slow_readers", counters.slow_readers}};
    std::string text;
    for (const auto& [name, value] : all) {
        text += (text.empty() ? "" : " ") + std::string(name) + "=" + std::to_string(value);
    }
    return text;
}

/// How often each address came in the current second. Thread-safe.
class AddressThrottle {
  public:
    explicit AddressThrottle(int most) : most_(most) {}
    bool admits(const std::string& address, std::chrono::steady_clock::time_point now) {
        if (most_ <= 0) return true;
        const std::lock_guard lock(mutex_);
        if (now - began_ >= std::chrono::seconds(1) || counts_.size() >= kMaxAddresses) {
            counts_.clear();
            began_ = now;
        }
        return ++counts_[address] <= most_;
    }

  private:
    static constexpr std::size_t kMaxAddresses = 65'536;
    const int most_;
    std::mutex mutex_;  // guards what follows
    std::chrono::steady_clock::time_point began_;
    std::unordered_map<std::string, int> counts_;
};

/// One event loop, one thread, and the connections that live there: whichever loop has the time
/// takes the next one. Only `stop` and `join` may be called from another thread.
class Worker {
  public:
    Worker(const Environment& environment, AddressThrottle& throttle, store::Store& store)
        : environment_(environment),
          throttle_(throttle),
          store_(store),
          scratch_(kScratchBytes),
          ticks_(io_) {}

    /// Takes connections of a listening socket, which stays the caller's and others' too. Before
    /// `start`.
    Result<> listen(tcp::acceptor& listening, bool needs_alpn) {
        asio::error_code error;
        tcp::acceptor& acceptor = acceptors_.emplace_back(io_);
        acceptor.assign(listening.local_endpoint().protocol(),
                        ::fcntl(listening.native_handle(), F_DUPFD_CLOEXEC, 0),
                        error);
        if (!error) acceptor.native_non_blocking(true, error);
        if (error) return fail(Code::Unavailable, "cannot listen: " + error.message());
        asio::co_spawn(
            io_,
            [this, &acceptor, needs_alpn] { return accept(acceptor, needs_alpn); },
            asio::detached);
        return {};
    }

    void start() {
        asio::co_spawn(
            io_, [this] { return tick(); }, asio::detached);
        thread_ = std::thread([this] { run(); });
    }

    /// Asks every connection to end; `join` waits for it.
    void stop() {
        asio::post(io_, [this] {
            is_stopping_ = true;
            ticks_.cancel();
            asio::error_code ignored;
            for (auto& acceptor : acceptors_)
                acceptor.close(ignored);
            // ending one takes it out of the map
            std::vector<std::shared_ptr<Connection>> all;
            for (const auto& [key, connection] : connections_)
                all.push_back(connection);
            for (const auto& connection : all)
                connection->stop();
        });
        guard_.reset();
    }

    void join() {
        if (!thread_.joinable()) return;  // never started
        {
            std::unique_lock lock(mutex_);
            if (!ended_.wait_for(lock, kStopTimeout, [this] { return has_ended_; })) {
                log().error("stop_forced reason=\"connections did not end in time\"");
                io_.stop();
            }
        }
        thread_.join();
        connections_.clear();
    }

  private:
    void run() {
        for (;;) {
            try {
                io_.run();
                break;
            } catch (const std::exception& exception) {
                log().error("exception reason={}", log_value(exception.what()));
            }
        }
        const std::lock_guard lock(mutex_);
        has_ended_ = true;
        ended_.notify_all();
    }

    asio::awaitable<void> accept(tcp::acceptor& acceptor, bool needs_alpn) {
        while (!is_stopping_) {
            co_await wait_for_room();
            asio::error_code ignored;  // the next call meets the same error
            co_await acceptor.async_wait(tcp::acceptor::wait_read,
                                         asio::redirect_error(asio::use_awaitable, ignored));
            if (is_stopping_) break;
            sockaddr_storage peer{};
            socklen_t size = sizeof peer;
            const int socket = ::accept4(acceptor.native_handle(),
                                         reinterpret_cast<sockaddr*>(&peer),
                                         &size,
                                         SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (socket >= 0) {
                take(socket, address_of(peer), needs_alpn);
            } else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
                log().warn("accept_failed reason={}",
                           log_value(std::system_category().message(errno)));
                co_await pause();
            }
        }
    }

    /// Those who are connected keep their memory: who comes waits in the kernel's queue.
    asio::awaitable<void> wait_for_room() {
        const auto is_full = [this] {
            return environment_.counters.unauthenticated >=
                   environment_.options.max_unauthenticated;
        };
        if (!is_full()) co_return;
        ++environment_.counters.accept_pauses;
        log().warn("accept_paused unauthenticated={}",
                   environment_.counters.unauthenticated.load());
        while (is_full() && !is_stopping_)
            co_await pause();
    }

    asio::awaitable<void> pause() {
        asio::error_code ignored;
        asio::steady_timer timer(io_, kAcceptPause);
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }

    void take(int socket, std::string source_ip, bool needs_alpn) {
        auto& throttled = environment_.counters.throttled;
        if (!throttle_.admits(source_ip, std::chrono::steady_clock::now())) {
            ::close(socket);
            const std::uint64_t so_far = ++throttled;
            if (so_far % kThrottledALine == 1) {
                log().warn("throttled peer={} so_far={}", source_ip, so_far);
            }
            return;
        }
        auto connection =
            Connection::start(environment_,
                              Loop{io_, scratch_, handshakes_, needs_alpn},
                              socket,
                              std::move(source_ip),
                              [this](Connection& ended) { connections_.erase(&ended); });
        if (!connection) {
            log().error("connection_failed reason={}", log_value(to_string(connection.error())));
            return;
        }
        Connection* key = connection->get();
        connections_.emplace(key, std::move(*connection));
    }

    asio::awaitable<void> tick() {
        while (!is_stopping_) {
            asio::error_code ignored;
            ticks_.expires_after(kTick);
            co_await ticks_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            if (is_stopping_) break;
            const std::uint64_t generation = store_.identity_generation();
            const auto now = std::chrono::steady_clock::now();
            // a connection that ends leaves the map from its own coroutine, never inside tick
            for (const auto& [key, connection] : connections_)
                connection->tick(now, generation);
        }
    }

    const Environment& environment_;
    AddressThrottle& throttle_;
    store::Store& store_;
    Bytes scratch_;
    asio::io_context io_{1};
    std::list<tcp::acceptor> acceptors_;
    asio::executor_work_guard<asio::io_context::executor_type> guard_{io_.get_executor()};
    Turns handshakes_{io_.get_executor()};
    asio::steady_timer ticks_;
    std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
    bool is_stopping_ = false;
    std::thread thread_;
    std::mutex mutex_;  // guards has_ended_
    std::condition_variable ended_;
    bool has_ended_ = false;
};

/// Republish actions, over the way of the service's own messages.
class MessageRepublisher final : public rule_actions::Republisher {
  public:
    explicit MessageRepublisher(flows::Messages& messages) : messages_(messages) {}
    Result<> republish(std::string topic, ByteView payload) override {
        auto answer = std::make_shared<std::promise<Result<>>>();
        auto answered = answer->get_future();
        messages_.publish({std::move(topic), std::string(text_of(payload))},
                          [answer](Result<> sent) { answer->set_value(std::move(sent)); });
        if (answered.wait_for(kRepublishTimeout) == std::future_status::ready) {
            return answered.get();
        }
        return fail(Code::Unavailable, "no acknowledgement of the broker within 10 seconds");
    }

  private:
    flows::Messages& messages_;
};

class GatewayImpl final : public Gateway {
  public:
    GatewayImpl(flows::Service& service, Options options, TlsContext tls, UpstreamAddress upstream)
        : options_(std::move(options)),
          tls_(std::move(tls)),
          flow_threads_(options_.flow_threads),
          events_io_{1},
          events_(Publisher::make(events_io_, upstream)),
          republisher_(*events_),
          lifecycle_(*events_, watch_),
          wills_(options_.rules),
          environment_{service,
                       options_,
                       tls_,
                       std::move(upstream),
                       flow_threads_,
                       remembered_,
                       *events_,
                       lifecycle_,
                       wills_,
                       counters_},
          throttle_(options_.max_connects_a_second) {
        for (int i = 0; i < std::max(1, options_.io_threads); ++i) {
            workers_.push_back(std::make_unique<Worker>(environment_, throttle_, service.store));
        }
    }

    ~GatewayImpl() override { stop(); }

    Result<> listen() {
        auto port = listen_on(options_.port, false);
        if (!port) return std::move(port).error();
        port_ = *port;
        if (!options_.alpn_port) return {};
        auto alpn_port = listen_on(*options_.alpn_port, true);
        if (!alpn_port) return std::move(alpn_port).error();
        alpn_port_ = *alpn_port;
        return {};
    }

    void run() {
        for (const auto& worker : workers_)
            worker->start();
        courier_ =
            Courier::make(events_io_, flow_threads_, environment_.service, environment_.events);
        asio::co_spawn(
            events_io_, [this] { return log_counters_now_and_then(); }, asio::detached);
        asio::co_spawn(
            events_io_, [this] { return tend_now_and_then(); }, asio::detached);
        listener_ = std::thread([this] { events_io_.run(); });
        if (options_.rules != nullptr) options_.rules->set_republisher(&republisher_);
        log().info("listening host={} port={} alpn_port={} upstream={}",
                   log_value(options_.host),
                   port_,
                   alpn_port_,
                   log_value(options_.upstream));
    }

    int port() const override { return port_; }
    int alpn_port() const override { return alpn_port_; }
    const Counters& counters() const override { return counters_; }
    flows::Messages& messages() override { return *events_; }

  private:
    /// @return the port
    Result<int> listen_on(int port, bool needs_alpn) {
        asio::error_code error;
        tcp::acceptor acceptor(events_io_);  // until the workers have it
        const std::string where = options_.host + ":" + std::to_string(port);
        tcp::resolver resolver(events_io_);
        const auto found = resolver.resolve(options_.host,
                                            std::to_string(port),
                                            tcp::resolver::passive | tcp::resolver::numeric_service,
                                            error);
        if (error || found.empty()) {
            return fail(Code::Unavailable, "cannot listen on " + where + ": " + error.message());
        }
        const tcp::endpoint endpoint = found.begin()->endpoint();
        acceptor.open(endpoint.protocol(), error);
        if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor.bind(endpoint, error);
        if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
        const int chosen = error ? 0 : acceptor.local_endpoint(error).port();
        if (error) {
            return fail(Code::Unavailable, "cannot listen on " + where + ": " + error.message());
        }
        for (const auto& worker : workers_) {
            if (auto listens = worker->listen(acceptor, needs_alpn); !listens) {
                return std::move(listens).error();
            }
        }
        return chosen;
    }

    void log_counters() {
        const std::string text = counters_text(counters_);
        if (text != std::exchange(logged_counters_, text)) log().info("counters {}", text);
    }

    asio::awaitable<void> log_counters_now_and_then() {
        while (!is_stopping_) {
            asio::error_code ignored;
            counters_timer_.expires_after(kCounters);
            co_await counters_timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            log_counters();
        }
    }

    /// One commit for whatever was seen since the last one.
    void keep_conflicts() {
        auto conflicts = watch_.take(clock_now());
        if (conflicts.empty()) return;
        environment_.service.store.write_async(
            [conflicts = std::move(conflicts)](store::Tx& tx) -> Result<> {
                for (const auto& conflict : conflicts) {
                    auto noted = registry::note_connect_conflict(tx, conflict);
                    if (!noted) return noted;
                }
                return {};
            },
            [](const Result<>& written) {
                if (written) return;
                log().warn("connect_conflicts_lost reason={}",
                           log_value(to_string(written.error())));
            });
    }

    asio::awaitable<void> tend_now_and_then() {
        while (!is_stopping_) {
            asio::error_code ignored;
            tending_timer_.expires_after(kTending);
            co_await tending_timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            keep_conflicts();
            wills_.give_due(std::chrono::steady_clock::now());
        }
    }

    void stop() {
        asio::post(events_io_, [this] {
            is_stopping_ = true;
            counters_timer_.cancel();
            tending_timer_.cancel();
        });
        for (const auto& worker : workers_)
            worker->stop();
        for (const auto& worker : workers_)
            worker->join();
        // Of a loop that was ended by force, something may still be with the store.
        const auto all_answered =
            environment_.service.store.write([](store::Tx& /*tx*/) -> Result<> { return {}; });
        static_cast<void>(all_answered);
        if (options_.rules != nullptr) options_.rules->set_republisher(nullptr);
        if (courier_) courier_->stop();
        events_->stop();  // after the last flow has said what it had to say
        if (listener_.joinable()) listener_.join();
        flow_threads_.join();
    }

    Options options_;
    TlsContext tls_;
    FlowThreads flow_threads_;
    flows::IdentityCache remembered_;
    asio::io_context events_io_;  // the events', and what is done now and then
    bool is_stopping_ = false;    // its thread's
    std::unique_ptr<Publisher> events_;
    MessageRepublisher republisher_;
    ConnectWatch watch_;
    Lifecycle lifecycle_;
    Wills wills_;
    std::unique_ptr<Courier> courier_;
    Counters counters_;
    Environment environment_;
    AddressThrottle throttle_;
    asio::steady_timer counters_timer_{events_io_};
    asio::steady_timer tending_timer_{events_io_};
    std::string logged_counters_ = counters_text(counters_);
    int port_ = 0;
    int alpn_port_ = 0;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::thread listener_;
};

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::start(flows::Service& service, Options options) {
    auto upstream = parse_upstream(options.upstream);
    if (!upstream) return std::move(upstream).error();
    auto tls = TlsContext::make(options.tls_certificate_chain_pem, options.tls_key);
    if (!tls) return std::move(tls).error();
    // OpenSSL writes with write(2): a device that is gone must be an error, not a signal.
    std::signal(SIGPIPE, SIG_IGN);
    auto gateway = std::make_unique<GatewayImpl>(
        service, std::move(options), std::move(*tls), std::move(*upstream));
    if (auto listening = gateway->listen(); !listening) return std::move(listening).error();
    gateway->run();
    return std::unique_ptr<Gateway>(std::move(gateway));
}

}  // namespace hatchery::gateway
