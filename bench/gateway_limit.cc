// What any server must do for a connect, and nothing else.
#include "bench/gateway.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>
#include <unordered_map>

namespace hatchery::bench {
namespace {

constexpr int kEvents = 256;
constexpr std::array<std::uint8_t, 4> kConnack{0x20, 2, 0, 0};
constexpr std::uint8_t kDisconnect = 0xe0;

SSL_CTX* make_context(const std::string& directory) {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_3_VERSION, nullptr);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, nullptr);
    SSL_CTX_ctrl(context, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, nullptr);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    const bool is_loaded =
        SSL_CTX_load_verify_file(context, (directory + "/ca.pem").c_str()) == 1 &&
        SSL_CTX_use_certificate_chain_file(context, (directory + "/server.pem").c_str()) == 1 &&
        SSL_CTX_use_PrivateKey_file(
            context, (directory + "/server.key").c_str(), SSL_FILETYPE_PEM) == 1;
    if (!is_loaded) give_up("the limit cannot load its certificates");
    return context;
}

/// Somebody who takes what is published, in a process of its own.
int start_sink() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        give_up("socketpair");
    if (::fork() != 0) {
        ::close(ends[1]);
        return ends[0];
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(ends[0]);
    std::array<char, 65'536> chunk{};
    while (::read(ends[1], chunk.data(), chunk.size()) > 0) {
    }
    ::_exit(0);
}

/// A connection of the loop; MQTT as far as a connect needs it.
class Connection {
  public:
    Connection(SSL_CTX* context, int socket) : socket_(socket), ssl_(SSL_new(context), SSL_free) {
        SSL_set_fd(ssl_.get(), socket);
        SSL_set_accept_state(ssl_.get());
    }
    ~Connection() {
        SSL_shutdown(ssl_.get());
        ::close(socket_);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Reads as far as it goes; false: over.
    bool go_on(std::span<std::uint8_t> into, int sink) {
        while (true) {
            std::size_t count = 0;
            if (SSL_read_ex(ssl_.get(), into.data(), into.size(), &count) != 1) {
                return SSL_get_error(ssl_.get(), 0) == SSL_ERROR_WANT_READ;
            }
            if (std::exchange(is_connected_, true)) {
                if (into[0] == kDisconnect) return false;
                if (::write(sink, into.data(), count) < 0) return false;
                if (into[0] == 0x32) answer_last(into.first(count));
            } else {
                std::size_t written = 0;
                SSL_write_ex(ssl_.get(), kConnack.data(), kConnack.size(), &written);
            }
        }
    }

  private:
    /// PUBACK of the one QoS 1 publish that ends a run: topic, then the packet identifier.
    void answer_last(std::span<const std::uint8_t> packet) {
        const std::size_t header = (packet[1] & 0x80U) != 0 ? 3 : 2;
        const std::size_t id =
            header + 2 + (std::size_t{packet[header]} << 8U | packet[header + 1]);
        const std::array<std::uint8_t, 4> puback{0x40, 2, packet[id], packet[id + 1]};
        std::size_t written = 0;
        SSL_write_ex(ssl_.get(), puback.data(), puback.size(), &written);
    }

    int socket_;
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
    bool is_connected_ = false;
};

void serve(SSL_CTX* context, int listener, int sink) {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event accepting{EPOLLIN | EPOLLEXCLUSIVE, {}};
    accepting.data.fd = listener;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &accepting);
    std::unordered_map<int, std::unique_ptr<Connection>> connections;
    std::vector<std::uint8_t> scratch(16'384);
    std::array<epoll_event, kEvents> events{};
    while (true) {
        const int count = ::epoll_wait(epoll, events.data(), kEvents, -1);
        for (int i = 0; i < count; ++i) {
            const int socket = events[static_cast<std::size_t>(i)].data.fd;
            if (socket != listener) {
                const auto at = connections.find(socket);
                if (!at->second->go_on(scratch, sink)) connections.erase(at);
                continue;
            }
            const int made = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (made < 0) continue;
            const int on = 1;
            ::setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            epoll_event event{EPOLLIN | EPOLLET, {}};
            event.data.fd = made;
            ::epoll_ctl(epoll, EPOLL_CTL_ADD, made, &event);
            auto connection = std::make_unique<Connection>(context, made);
            if (connection->go_on(scratch, sink)) connections.emplace(made, std::move(connection));
        }
    }
}

}  // namespace

void run_limit(const std::string& directory, int threads) {
    std::signal(SIGPIPE, SIG_IGN);
    const int sink = start_sink();
    SSL_CTX* context = make_context(directory);
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener, generic, size) != 0 || ::listen(listener, SOMAXCONN) != 0 ||
        ::getsockname(listener, generic, &size) != 0) {
        give_up("the limit cannot listen");
    }
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i)
        others.emplace_back(serve, context, listener, sink);
    serve(context, listener, sink);
    std::abort();  // serve does not end
}

}  // namespace hatchery::bench
