#include "provisioning/http/listener.h"

#include "provisioning/http/connection.h"
#include "provisioning/http/tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <thread>
#include <vector>

namespace hatchery::http {
namespace {

using Clock = Connection::Clock;

constexpr std::size_t kMaxHeadBytes = 64U << 10U;  // request line and headers
constexpr std::chrono::seconds kHandshakeTimeout{10};
constexpr int kMaxRequests = 100'000;      // on one connection
constexpr std::size_t kPart = 64U << 10U;  // of a body that is read while it is sent
constexpr int kBacklog = 1024;  // the library's own is 5: a burst of clients would wait 1 s

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

bool is_routed(std::string_view method) {
    static constexpr std::array<std::string_view, 7> methods{
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    return std::ranges::find(methods, method) != methods.end();
}

constexpr const char* kRefused = "refused";  // httplib::Request::params: the status that refuses it

/// The request's Content-Length; 0 when there is none, nothing when it is no number.
std::optional<std::uint64_t> content_length(const httplib::Request& request) {
    const std::size_t count = request.get_header_value_count("Content-Length");
    if (count == 0) return 0;
    const std::string text = request.get_header_value("Content-Length");
    std::uint64_t length = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), length);
    if (count > 1 || read.ec != std::errc() || read.ptr != text.data() + text.size()) {
        return std::nullopt;
    }
    return length;
}

Request to_request(const httplib::Request& from) {
    Request request;
    request.method = from.method;
    request.target = from.target;
    request.headers.reserve(from.headers.size());
    for (const auto& [name, value] : from.headers) {
        // The library adds these itself.
        if (name == "REMOTE_ADDR" || name == "REMOTE_PORT" || name == "LOCAL_ADDR" ||
            name == "LOCAL_PORT") {
            continue;
        }
        request.headers.push_back({lower(name), value});
    }
    request.body = from.body;
    request.remote_address = from.remote_addr;
    if (from.ssl != nullptr) {
        request.client_certificate = Connection::of(from.ssl).peer();
        request.server_name = server_name(from.ssl);
    }
    return request;
}

void write_answer(Response from, httplib::Response& to) {
    to.status = from.status;
    for (auto& header : from.headers)
        to.headers.emplace(header.name, std::move(header.value));
    if (!from.source) {
        to.set_content(std::move(from.body), from.content_type);
        return;
    }
    to.set_content_provider(
        from.source->size,
        from.content_type,
        [source = std::move(*from.source), part = std::vector<char>(kPart)](
            std::size_t offset, std::size_t left, httplib::DataSink& sink) mutable {
            const std::size_t size = std::min(left, part.size());
            return source.read(offset, {part.data(), size}) && sink.write(part.data(), size);
        });
}

/// cpp-httplib's request parser and response writer, with our own accept-to-close in place of its.
class HttpServer : public httplib::Server {
  public:
    HttpServer(http::Options options,
               std::shared_ptr<SSL_CTX> tls,
               http::Handler handler,
               Refusal refusal)
        : options_(std::move(options)),
          tls_(std::move(tls)),
          handler_(std::move(handler)),
          refusal_(std::move(refusal)) {
        // Before the library looks for a route, by a regular expression and with a body to read.
        set_pre_routing_handler(
            [this](const httplib::Request& request, httplib::Response& response) {
                if (!is_routed(request.method)) return HandlerResponse::Unhandled;  // 404
                respond(request, response);
                return HandlerResponse::Handled;
            });
        set_error_handler([this](const httplib::Request&, httplib::Response& response) {
            if (response.body.empty()) write_answer(refusal_(response.status), response);
        });
        set_tcp_nodelay(true);
        // Without the library's SO_REUSEPORT: a second server would share the port unnoticed.
        set_socket_options([](socket_t socket) {
            const int on = 1;
            ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        });
        const auto threads = static_cast<std::size_t>(std::max(1, options_.threads));
        // The library takes and deletes the queue.
        new_task_queue = [threads] {
            return std::make_unique<httplib::ThreadPool>(threads).release();
        };
    }

    void raise_backlog() { ::listen(svr_sock_, kBacklog); }

  private:
    void respond(const httplib::Request& request, httplib::Response& response) {
        // Set by take_body; the library's own parameters are cleared.
        const auto refused = request.params.find(kRefused);
        if (refused == request.params.end()) {
            write_answer(handler_(to_request(request)), response);
        } else {
            int status = 400;
            std::from_chars(
                refused->second.data(), refused->second.data() + refused->second.size(), status);
            write_answer(refusal_(status), response);
        }
    }

    bool process_and_close_socket(socket_t socket) override {
        ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
        {
            Connection connection(socket, tls_.get());
            if (serve(connection) == End::Refused) {
                connection.linger();
            } else {
                connection.say_goodbye();
            }
        }
        ::close(socket);
        return true;
    }

    enum class End { Clean, Refused };  // refused: the peer may still be sending

    End serve(Connection& connection) {
        if (!connection.handshake(Clock::now() + kHandshakeTimeout)) return End::Clean;
        const auto is_stopping = [this] { return svr_sock_ == INVALID_SOCKET; };
        for (int left = kMaxRequests; left > 0; --left) {
            const auto idle_until = Clock::now() + options_.keep_alive_timeout;
            if (!connection.wait_for_request(idle_until, is_stopping)) return End::Clean;
            connection.begin_request(kMaxHeadBytes, Clock::now() + options_.request_timeout);
            const Served served = serve_one(connection, left == 1);
            if (served == Served::Refused) return End::Refused;
            if (served == Served::Last) return End::Clean;
        }
        return End::Clean;
    }

    enum class Served { MayGoOn, Last, Refused };

    Served serve_one(Connection& connection, bool is_last) {
        bool is_closing = false;
        bool is_whole = false;  // stays false when the head could not be parsed
        const bool written =
            process_request(connection, is_last, is_closing, [&](httplib::Request& request) {
                const int refused = take_body(connection, request);
                is_whole = refused == 0;
                request.ssl = connection.ssl();
                // Ours is `target`; the library's ranges and parameters are not used either.
                request.ranges.clear();
                request.params.clear();
                if (refused != 0) {
                    request.params.emplace(kRefused, std::to_string(refused));
                    request.headers.erase("Connection");
                    request.headers.emplace("Connection", "close");
                }
            });
        const bool sent = connection.flush();
        if (!is_whole) return Served::Refused;
        return written && sent && !is_closing ? Served::MayGoOn : Served::Last;
    }

    /// Reads the body into `request`, all of it, so that the library need not.
    /// @return 0, or the status that refuses the request
    int take_body(Connection& connection, httplib::Request& request) const {
        // RFC 9112 6.3: a request without either header has no body. Chunked bodies are unbounded
        // by design and no client of these APIs sends them.
        int refused = 0;
        const auto length = content_length(request);
        if (request.has_header("Transfer-Encoding")) {
            refused = 411;
        } else if (!length) {
            refused = 400;
        } else if (*length > options_.max_body_bytes) {
            refused = 413;
        }
        if (refused == 0 && request.has_header("Expect")) {
            static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
            connection.write(go_on.data(), go_on.size());
            connection.flush();
        }
        request.headers.erase("Expect");
        if (refused == 0 &&
            !connection.read_body(request.body, static_cast<std::size_t>(*length))) {
            refused = 400;
        }
        connection.end_input();
        return refused;
    }

    http::Options options_;
    std::shared_ptr<SSL_CTX> tls_;
    http::Handler handler_;
    Refusal refusal_;
};

class RunningListener : public Listener {
  public:
    RunningListener(std::unique_ptr<HttpServer> server, int port)
        : server_(std::move(server)), port_(port), thread_([this] {
              server_->listen_after_bind();
              has_ended_ = true;
          }) {}
    ~RunningListener() override {
        // stop() does nothing before the loop runs.
        while (!server_->is_running() && !has_ended_) {
            std::this_thread::yield();
        }
        server_->stop();
        thread_.join();
    }
    int port() const override { return port_; }

  private:
    std::unique_ptr<HttpServer> server_;
    int port_;
    std::atomic<bool> has_ended_ = false;
    std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Listener>> Listener::start(Options options,
                                                  Handler handler,
                                                  Refusal refusal) {
    std::shared_ptr<SSL_CTX> tls;
    if (options.tls) {
        auto context = make_tls_context(*options.tls);
        if (!context) return std::move(context).error();
        tls = std::move(*context);
    }
    const std::string host = options.host;
    const int wanted = options.port;
    auto server = std::make_unique<HttpServer>(
        std::move(options), std::move(tls), std::move(handler), std::move(refusal));
    int port = wanted;
    if (wanted == 0) {
        port = server->bind_to_any_port(host);
    } else if (!server->bind_to_port(host, wanted)) {
        port = -1;
    }
    if (port <= 0) {
        return fail(Code::Unavailable,
                    "cannot listen on " + host + ":" + std::to_string(wanted) +
                        ": the port is taken or the address is not this machine's");
    }
    server->raise_backlog();
    return std::unique_ptr<Listener>(std::make_unique<RunningListener>(std::move(server), port));
}

bool is_loopback(std::string_view host) {
    if (host == "localhost" || host == "::1") return true;
    in_addr address{};
    return inet_pton(AF_INET, std::string(host).c_str(), &address) == 1 &&
           (ntohl(address.s_addr) >> 24U) == 127U;
}

}  // namespace hatchery::http
