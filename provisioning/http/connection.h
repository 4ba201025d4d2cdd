// One connection as cpp-httplib's Stream: buffered, with a deadline and a byte limit for each
// request, plain or TLS. The socket is non-blocking; every wait is a poll with the time that is
// left, so no peer can hold a thread longer than the deadlines allow.
#pragma once

#include "ca/certificate.h"

#include <httplib.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hatchery::http {

class Connection : public httplib::Stream {
  public:
    using Clock = std::chrono::steady_clock;

    struct End {
        std::string ip;
        int port = 0;
    };

    /// @param socket  non-blocking; the caller closes it
    /// @param context  null = plain; must outlive the connection
    Connection(int socket, SSL_CTX* context);

    /// The TLS handshake; true at once when plain.
    bool handshake(Clock::time_point deadline);
    /// Waits for the first byte of a request until `deadline`, or until `is_stopping` says so.
    bool wait_for_request(Clock::time_point deadline, const std::function<bool()>& is_stopping);
    /// From here on reads end after `max_bytes` or at `deadline`. So do writes, but that each part
    /// of a long answer gets a time of its own.
    void begin_request(std::size_t max_bytes, Clock::time_point deadline);
    /// Reads exactly `size` bytes into `out`; they do not count against the limit.
    bool read_body(std::string& out, std::size_t size);
    /// Sends what was written. Writes wait for it up to a size, so that an answer's head and body
    /// leave together; false when the peer is gone or the deadline has passed.
    bool flush();
    /// No further byte of this request may be read.
    void end_input() { allowed_ = 0; }
    /// TLS close_notify, without waiting for the peer's.
    void say_goodbye();
    /// Says goodbye so that the peer sees the last answer even if it is still sending: closes our
    /// side, then discards for a moment.
    void linger();

    SSL* ssl() const { return ssl_.get(); }
    /// The certificate whose key the peer proved in the handshake, or nothing. Decoded once a
    /// connection: OpenSSL needs longer for it than a request takes.
    const std::optional<ca::Certificate>& peer() const { return peer_; }
    /// The connection of a session of ours.
    static const Connection& of(const SSL* ssl);

    bool is_readable() const override;
    /// Always: what is written waits in `unsent_`, and flush() is what waits for the peer.
    bool is_writable() const override { return true; }
    ssize_t read(char* out, std::size_t size) override;
    ssize_t write(const char* data, std::size_t size) override;
    void get_remote_ip_and_port(std::string& ip, int& port) const override;
    void get_local_ip_and_port(std::string& ip, int& port) const override;
    socket_t socket() const override { return socket_; }

  private:
    struct FreeSsl {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };
    /// Is there more of what was received?
    bool has_unread() const;
    bool wait(short events, Clock::time_point deadline) const;
    /// One read from the peer into the buffer; false at its end, on an error or at the deadline.
    bool fill();
    ssize_t receive(char* out, std::size_t size);
    ssize_t send_some(const char* data, std::size_t size);
    bool send_all(std::string_view data);

    int socket_;
    End remote_, local_;
    std::unique_ptr<SSL, FreeSsl> ssl_;
    std::optional<ca::Certificate> peer_;
    std::array<char, 16384> buffer_{};
    std::size_t begin_ = 0, end_ = 0;  // what of buffer_ is unread
    std::string unsent_;
    std::size_t allowed_ = 0;
    Clock::time_point deadline_{};
};

}  // namespace hatchery::http
