#include "hooks/http.h"

#include "ca/digest.h"
#include "hooks/command.h"
#include "hooks/line.h"

#include <httplib.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>

namespace hatchery::hooks {

namespace {

constexpr int kNormalConnections = 8;
constexpr std::size_t kMaxHttpAnswer = 65536;
constexpr std::size_t kMaxSecretBytes = 4096;

/// Where a hook is asked, and how it knows that we ask.
struct Endpoint {
    std::string origin;  ///< "https://host:port"
    std::string path;    ///< with the query, "/" at least
    std::string ca_file;
    std::string bearer;
    Bytes hmac_key;
};

/// One exchange, shared by who asks and the thread that does it: either may be done with it first.
struct Exchange {
    std::string body;
    httplib::Headers headers;
    std::chrono::steady_clock::time_point deadline;
    std::mutex mutex;
    std::condition_variable done;
    std::optional<Result<HookDecision>> outcome;
};

Result<HookDecision> read_response(const httplib::Response& response, const std::string& body) {
    if (response.status != 200) {
        return fail(Code::Unavailable,
                    "expected the status 200, found " + std::to_string(response.status));
    }
    // AWS API Reference, Lambda Invoke: the function failed, the body says how.
    const bool is_failure = response.has_header("X-Amz-Function-Error");
    auto decision = parse_decision(body);
    if (!is_failure || !decision) return decision;
    return fail(Code::Unavailable, "the function failed: X-Amz-Function-Error");
}

/// A kept connection with a thread of its own: what blocks in it (a name server, a slow peer)
/// never blocks a device for longer than its deadline.
class Connection {
  public:
    explicit Connection(const Endpoint& endpoint) : endpoint_(endpoint) {
        thread_ = std::thread([this] { run(); });
    }
    ~Connection() {
        {
            const std::lock_guard lock(mutex_);
            is_ending_ = true;
            if (client_) client_->stop();
        }
        wake_.notify_one();
        thread_.join();
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Is it free? Then it has taken `exchange`.
    bool take(const std::shared_ptr<Exchange>& exchange) {
        {
            const std::lock_guard lock(mutex_);
            if (current_) return false;
            current_ = exchange;
        }
        wake_.notify_one();
        return true;
    }
    /// Cuts the connection if it still works on `exchange`.
    void give_up(const std::shared_ptr<Exchange>& exchange) {
        const std::lock_guard lock(mutex_);
        if (current_ == exchange && client_) client_->stop();
    }
    /// Called without any lock when the connection is free again.
    std::function<void()> on_free;

  private:
    void run() {
        std::unique_lock lock(mutex_);
        while (true) {
            wake_.wait(lock, [this] { return is_ending_ || current_; });
            if (is_ending_) return;
            const auto exchange = current_;
            make_client();
            lock.unlock();
            auto outcome = perform(*exchange);
            lock.lock();
            if (!outcome) client_.reset();  // the next exchange connects anew
            current_.reset();
            lock.unlock();
            on_free();
            {
                const std::lock_guard guard(exchange->mutex);
                exchange->outcome = std::move(outcome);
            }
            exchange->done.notify_one();
            lock.lock();
        }
    }

    void make_client() {
        if (client_) return;
        client_ = std::make_unique<httplib::Client>(endpoint_.origin);
        client_->set_keep_alive(true);
        client_->set_tcp_nodelay(true);
        client_->set_follow_location(false);
        client_->enable_server_certificate_verification(true);
        if (!endpoint_.ca_file.empty()) client_->set_ca_cert_path(endpoint_.ca_file.c_str());
    }

    Result<HookDecision> perform(const Exchange& exchange) {
        const auto left = std::chrono::floor<std::chrono::microseconds>(
            exchange.deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return fail(Code::Unavailable, "no answer in time");
        // A little more than what is left, so that what ends by it has ended after the deadline.
        const auto limit = left + std::chrono::milliseconds(2);
        const auto seconds = static_cast<time_t>(limit.count() / 1'000'000);
        const auto rest = static_cast<time_t>(limit.count() % 1'000'000);
        client_->set_connection_timeout(seconds, rest);
        client_->set_read_timeout(seconds, rest);
        client_->set_write_timeout(seconds, rest);
        std::string body;
        httplib::Request request;
        request.method = "POST";
        request.path = endpoint_.path;
        request.headers = exchange.headers;
        request.body = exchange.body;
        bool is_too_long = false;
        request.content_receiver =
            [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
                is_too_long = body.size() + size > kMaxHttpAnswer;
                if (!is_too_long) body.append(data, size);
                return !is_too_long && std::chrono::steady_clock::now() < exchange.deadline;
            };
        try {
            const auto result = client_->send(request);
            if (is_too_long) {
                return fail(Code::InvalidRequest, "expected an answer of at most 65536 bytes");
            }
            if (!result) {
                if (std::chrono::steady_clock::now() >= exchange.deadline) {
                    return fail(Code::Unavailable, "no answer in time");
                }
                return fail(Code::Unavailable, "no answer: " + httplib::to_string(result.error()));
            }
            return read_response(*result, body);
        } catch (const std::exception& error) {
            return fail(Code::Unavailable, std::string("no answer: ") + error.what());
        }
    }

    const Endpoint& endpoint_;
    std::mutex mutex_;  // guards what follows; client_ is used without it by thread_ alone
    std::condition_variable wake_;
    std::shared_ptr<Exchange> current_;
    bool is_ending_ = false;
    std::unique_ptr<httplib::Client> client_;
    std::thread thread_;
};

class Http : public Hook {
  public:
    Http(Endpoint endpoint, int connections, int queue)
        : endpoint_(std::move(endpoint)), line_(queue) {
        for (int i = 0; i < connections; ++i) {
            connections_.push_back(std::make_unique<Connection>(endpoint_));
            connections_.back()->on_free = [this] {
                const std::lock_guard lock(mutex_);
                line_.wake_first();
            };
        }
    }

    Result<HookDecision> decide(const HookEvent& event,
                                std::chrono::milliseconds timeout) override {
        const auto exchange = std::make_shared<Exchange>();
        exchange->deadline = std::chrono::steady_clock::now() + timeout;
        exchange->body = to_json(event);
        exchange->headers = headers(exchange->body);
        auto connection = hand_over(exchange);
        if (!connection) return std::move(connection).error();
        std::unique_lock lock(exchange->mutex);
        exchange->done.wait_until(
            lock, exchange->deadline, [&] { return exchange->outcome.has_value(); });
        if (exchange->outcome) return std::move(*exchange->outcome);
        lock.unlock();
        (*connection)->give_up(exchange);
        return fail(Code::Unavailable, "no answer in time");
    }

  private:
    Result<Connection*> hand_over(const std::shared_ptr<Exchange>& exchange) {
        std::unique_lock lock(mutex_);
        Connection* taken = nullptr;
        const auto take_free = [&] {
            for (const auto& connection : connections_) {
                if (!connection->take(exchange)) continue;
                taken = connection.get();
                return true;
            }
            return false;
        };
        const auto deadline = exchange->deadline;
        auto outcome = line_.wait(lock, deadline, take_free, [&] { return deadline; });
        if (!outcome) return std::move(outcome).error();
        if (taken == nullptr) return fail(Code::Unavailable, "no connection was free in time");
        return taken;
    }

    httplib::Headers headers(const std::string& body) const {
        httplib::Headers headers{{"Content-Type", "application/json"},
                                 {"X-Amz-Invocation-Type", "RequestResponse"},
                                 {"X-Hatchery-Request-Id", ca::random_uuid()}};
        if (!endpoint_.bearer.empty()) {
            headers.emplace("Authorization", "Bearer " + endpoint_.bearer);
        }
        if (!endpoint_.hmac_key.empty()) {
            const auto now = std::to_string(clock_now().time_since_epoch().count());
            const std::string text = now + "." + body;
            headers.emplace("X-Hatchery-Timestamp", now);
            headers.emplace(
                "X-Hatchery-Signature",
                "sha256=" + to_hex(ca::hmac_sha256(endpoint_.hmac_key, bytes_of(text))));
        }
        return headers;
    }

    Endpoint endpoint_;
    std::mutex mutex_;
    Line line_;
    std::vector<std::unique_ptr<Connection>> connections_;  // last: their threads use the rest
};

/// The first line of a file that holds a secret.
Result<std::string> read_secret(const std::string& path, const char* key) {
    std::ifstream file(path);
    std::string line;
    if (!file || !std::getline(file, line)) {
        return fail(Code::InvalidRequest, "can't read a line of " + path, key);
    }
    while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
        line.pop_back();
    if (line.empty() || line.size() > kMaxSecretBytes) {
        return fail(Code::InvalidRequest,
                    path + ": expected a secret of 1 to 4096 characters on the first line",
                    key);
    }
    return line;
}

Result<Endpoint> endpoint_of(const HookConfig& config) {
    Endpoint endpoint;
    const auto scheme = config.url.find("://");
    const bool is_http = config.url.starts_with("http://") || config.url.starts_with("https://");
    const bool has_host =
        is_http && config.url.size() > scheme + 3 && config.url[scheme + 3] != '/';
    const bool is_plain = std::all_of(
        config.url.begin(), config.url.end(), [](char c) { return c > ' ' && c < 0x7F; });
    if (!has_host || !is_plain) {
        return fail(Code::InvalidRequest,
                    "expected http://HOST/… or https://HOST/…, found \"" + config.url + "\"",
                    "url");
    }
    const auto slash = config.url.find('/', scheme + 3);
    endpoint.origin = config.url.substr(0, slash);
    endpoint.path = slash == std::string::npos ? "/" : config.url.substr(slash);
    endpoint.ca_file = config.ca_file;
    if (!config.ca_file.empty() && !std::ifstream(config.ca_file)) {
        return fail(Code::InvalidRequest, "can't read " + config.ca_file, "ca_file");
    }
    if (!config.bearer_file.empty()) {
        auto secret = read_secret(config.bearer_file, "bearer_file");
        if (!secret) return std::move(secret).error();
        endpoint.bearer = std::move(*secret);
    }
    if (!config.hmac_file.empty()) {
        auto secret = read_secret(config.hmac_file, "hmac_file");
        if (!secret) return std::move(secret).error();
        endpoint.hmac_key = to_bytes(bytes_of(*secret));
    }
    return endpoint;
}

}  // namespace

Result<std::unique_ptr<Hook>> make_http(const HookConfig& config) {
    auto endpoint = endpoint_of(config);
    if (!endpoint) return std::move(endpoint).error();
    if (auto checked = check_workers(config); !checked) return std::move(checked).error();
    return std::unique_ptr<Hook>(std::make_unique<Http>(
        std::move(*endpoint), workers_of(config, kNormalConnections), config.queue));
}

}  // namespace hatchery::hooks
