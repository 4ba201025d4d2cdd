#include "provisioning/http/connection.h"

#include "provisioning/http/tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace hatchery::http {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStopPoll{100};  // how late an idle connection may notice a stop
constexpr milliseconds kLinger{1000};
constexpr std::size_t kMaxLingerBytes = 4U << 20U;
constexpr int kOwner = 0;  // OpenSSL keeps this index of its ex_data for the application
constexpr std::size_t kMaxUnsentBytes = 64U << 10U;
constexpr std::chrono::seconds kPartTime{30};  // for so many bytes of a long answer

// What receive and send_some say beside a byte count.
constexpr ssize_t kClosed = 0, kFailed = -1, kWantRead = -2, kWantWrite = -3;

ssize_t ssl_outcome(const SSL* ssl, int returned) {
    if (returned > 0) return returned;
    switch (SSL_get_error(ssl, returned)) {
        case SSL_ERROR_WANT_READ:
            return kWantRead;
        case SSL_ERROR_WANT_WRITE:
            return kWantWrite;
        case SSL_ERROR_ZERO_RETURN:
            return kClosed;
        default:
            return kFailed;
    }
}

int clamped(std::size_t size) {
    return static_cast<int>(std::min(size, std::size_t{1} << 20U));
}

using NameOf = int(int socket, sockaddr* address, socklen_t* size);  // getpeername, getsockname

/// Empty and 0 when the socket has no such end any more.
Connection::End end_of(NameOf* name_of, int socket) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (name_of(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
    Connection::End end;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (storage.ss_family == AF_INET) {
        sockaddr_in address{};
        std::memcpy(&address, &storage, sizeof address);
        inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
        end.port = ntohs(address.sin_port);
    } else if (storage.ss_family == AF_INET6) {
        sockaddr_in6 address{};
        std::memcpy(&address, &storage, sizeof address);
        inet_ntop(AF_INET6, &address.sin6_addr, text.data(), text.size());
        end.port = ntohs(address.sin6_port);
    }
    end.ip = text.data();
    return end;
}

}  // namespace

Connection::Connection(int socket, SSL_CTX* context)
    : socket_(socket),
      remote_(end_of(&::getpeername, socket)),
      local_(end_of(&::getsockname, socket)) {
    if (context == nullptr) return;
    ssl_.reset(SSL_new(context));
    const bool is_set_up = ssl_ && SSL_set_fd(ssl_.get(), socket) == 1 &&
                           SSL_set_ex_data(ssl_.get(), kOwner, this) == 1;
    if (!is_set_up) ssl_.reset();
    if (!ssl_) socket_ = -1;  // every later call fails
}

const Connection& Connection::of(const SSL* ssl) {
    return *static_cast<const Connection*>(SSL_get_ex_data(ssl, kOwner));
}

bool Connection::wait(short events, Clock::time_point deadline) const {
    for (;;) {
        const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) return false;
        pollfd entry{socket_, events, 0};
        const int ready =
            ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 3'600'000)));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
}

bool Connection::handshake(Clock::time_point deadline) {
    if (socket_ < 0) return false;
    if (!ssl_) return true;
    for (;;) {
        ERR_clear_error();
        const ssize_t done = ssl_outcome(ssl_.get(), SSL_accept(ssl_.get()));
        if (done > 0) {
            peer_ = peer_certificate(ssl_.get());
            return true;
        }
        if (done != kWantRead && done != kWantWrite) return false;
        if (!wait(done == kWantRead ? POLLIN : POLLOUT, deadline)) return false;
    }
}

bool Connection::wait_for_request(Clock::time_point deadline,
                                  const std::function<bool()>& is_stopping) {
    if (has_unread()) return true;
    while (!is_stopping() && Clock::now() < deadline) {
        if (wait(POLLIN, std::min(deadline, Clock::now() + kStopPoll))) return true;
    }
    return false;
}

bool Connection::has_unread() const {
    return begin_ < end_ || (ssl_ && SSL_has_pending(ssl_.get()) == 1);
}

void Connection::begin_request(std::size_t max_bytes, Clock::time_point deadline) {
    allowed_ = max_bytes;
    deadline_ = deadline;
}

ssize_t Connection::receive(char* out, std::size_t size) {
    if (ssl_) {
        ERR_clear_error();
        return ssl_outcome(ssl_.get(), SSL_read(ssl_.get(), out, clamped(size)));
    }
    const ssize_t count = ::recv(socket_, out, size, 0);
    if (count >= 0) return count;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? kWantRead : kFailed;
}

ssize_t Connection::send_some(const char* data, std::size_t size) {
    if (ssl_) {
        ERR_clear_error();
        return ssl_outcome(ssl_.get(), SSL_write(ssl_.get(), data, clamped(size)));
    }
    const ssize_t count = ::send(socket_, data, size, MSG_NOSIGNAL);
    if (count >= 0) return count;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? kWantWrite : kFailed;
}

bool Connection::fill() {
    begin_ = end_ = 0;
    for (;;) {
        const ssize_t count = receive(buffer_.data(), buffer_.size());
        if (count > 0) {
            end_ = static_cast<std::size_t>(count);
            return true;
        }
        if (count != kWantRead && count != kWantWrite) return false;
        if (!wait(count == kWantRead ? POLLIN : POLLOUT, deadline_)) return false;
    }
}

ssize_t Connection::read(char* out, std::size_t size) {
    size = std::min(size, allowed_);
    if (size == 0 || (begin_ == end_ && !fill())) return -1;
    size = std::min(size, end_ - begin_);
    std::memcpy(out, buffer_.data() + begin_, size);
    begin_ += size;
    allowed_ -= size;
    return static_cast<ssize_t>(size);
}

bool Connection::read_body(std::string& out, std::size_t size) {
    while (out.size() < size) {
        if (begin_ == end_ && !fill()) return false;
        const std::size_t count = std::min(size - out.size(), end_ - begin_);
        out.append(buffer_.data() + begin_, count);
        begin_ += count;
    }
    return true;
}

ssize_t Connection::write(const char* data, std::size_t size) {
    unsent_.append(data, size);
    if (unsent_.size() < kMaxUnsentBytes) return static_cast<ssize_t>(size);
    deadline_ = std::max(deadline_, Clock::now() + kPartTime);
    if (!flush()) return -1;
    return static_cast<ssize_t>(size);
}

bool Connection::flush() {
    const bool sent = send_all(unsent_);
    unsent_.clear();
    return sent;
}

bool Connection::send_all(std::string_view data) {
    while (!data.empty()) {
        const ssize_t count = send_some(data.data(), data.size());
        if (count > 0) {
            data.remove_prefix(static_cast<std::size_t>(count));
            continue;
        }
        if (count != kWantRead && count != kWantWrite) return false;
        if (!wait(count == kWantRead ? POLLIN : POLLOUT, deadline_)) return false;
    }
    return true;
}

void Connection::say_goodbye() {
    if (socket_ < 0 || !ssl_ || SSL_is_init_finished(ssl_.get()) != 1) return;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
}

void Connection::linger() {
    if (socket_ < 0) return;
    say_goodbye();
    ::shutdown(socket_, SHUT_WR);
    const auto deadline = Clock::now() + kLinger;
    std::size_t discarded = 0;
    while (discarded < kMaxLingerBytes && wait(POLLIN, deadline)) {
        const ssize_t count = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return;
        if (count > 0) discarded += static_cast<std::size_t>(count);
    }
}

bool Connection::is_readable() const {
    return has_unread() || wait(POLLIN, deadline_);
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
    ip = remote_.ip;
    port = remote_.port;
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
    ip = local_.ip;
    port = local_.port;
}

}  // namespace hatchery::http
