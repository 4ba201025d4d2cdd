// E-mail by SMTP (RFC 5321), the little that a relay on the same machine needs.
#include "ca/digest.h"
#include "provisioning/rule_actions/deliver.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace hatchery::rule_actions {

namespace {

using Instant = std::chrono::steady_clock::time_point;

constexpr std::size_t kMaxReply = 16'384;

/// A TCP connection whose every step ends by `deadline`.
class SmtpConnection {
  public:
    explicit SmtpConnection(Instant deadline) : deadline_(deadline) {}
    ~SmtpConnection() {
        if (socket_ >= 0) ::close(socket_);
    }
    SmtpConnection(const SmtpConnection&) = delete;
    SmtpConnection& operator=(const SmtpConnection&) = delete;

    Result<> connect(const std::string& host, int port) {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        const int problem = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
        if (problem != 0) {
            return fail(Code::Unavailable, "mail relay " + host + ": " + gai_strerror(problem));
        }
        for (const addrinfo* one = found; one != nullptr && socket_ < 0; one = one->ai_next)
            try_address(*one);
        freeaddrinfo(found);
        if (socket_ < 0) {
            return fail(Code::Unavailable,
                        "cannot connect to the mail relay " + host + ":" + std::to_string(port));
        }
        return expect(2);
    }

    /// Sends a line and expects a reply of this hundred: 2, or 3 for "go on".
    Result<> command(const std::string& line, int hundred = 2) {
        if (auto sent = send(line + "\r\n"); !sent) return sent;
        auto reply = expect(hundred);
        if (reply) return reply;
        return fail(Code::Unavailable,
                    line.substr(0, line.find(' ')) + ": " + std::move(reply).error().message);
    }

    Result<> send(std::string_view text) {
        while (!text.empty()) {
            if (!wait(POLLOUT)) return fail(Code::Unavailable, "the mail relay takes no more");
            const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            if (sent < 0) return fail(Code::Unavailable, "the mail relay closed the connection");
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return {};
    }

  private:
    void try_address(const addrinfo& address) {
        socket_ = ::socket(address.ai_family,
                           address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                           address.ai_protocol);
        if (socket_ < 0) return;
        const bool is_connected =
            ::connect(socket_, address.ai_addr, address.ai_addrlen) == 0 || has_connected();
        if (is_connected) return;
        ::close(socket_);
        socket_ = -1;
    }
    bool has_connected() {
        if (errno != EINPROGRESS || !wait(POLLOUT)) return false;
        int error = 0;
        socklen_t size = sizeof error;
        return getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
    }
    bool wait(short events) const {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline_ - std::chrono::steady_clock::now());
        pollfd entry{socket_, events, 0};
        return left.count() > 0 && poll(&entry, 1, static_cast<int>(left.count())) > 0;
    }

    /// RFC 5321 4.2.1: the last line of a reply has a space behind its code.
    Result<> expect(int hundred) {
        std::array<char, 1024> chunk{};
        while (true) {
            const auto end = received_.find("\r\n");
            if (end != std::string::npos) {
                const std::string line = received_.substr(0, end);
                received_.erase(0, end + 2);
                if (line.size() > 3 && line[3] == '-') continue;
                if (!line.empty() && line[0] == static_cast<char>('0' + hundred)) return {};
                return fail(Code::Unavailable, "the mail relay says " + line.substr(0, 200));
            }
            if (received_.size() > kMaxReply || !wait(POLLIN)) {
                return fail(Code::Unavailable, "no reply of the mail relay in time");
            }
            const ssize_t got = ::recv(socket_, chunk.data(), chunk.size(), 0);
            if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            if (got <= 0) return fail(Code::Unavailable, "the mail relay closed the connection");
            received_.append(chunk.data(), static_cast<std::size_t>(got));
        }
    }

    Instant deadline_;
    int socket_ = -1;
    std::string received_;
};

/// RFC 5322 3.3
std::string mail_date(Time now) {
    const std::time_t seconds = now.time_since_epoch().count();
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S +0000", &parts);
    return text.data();
}

/// Base64 carries whatever a device sent, and no line of it can end the message (RFC 2045 6.8).
std::string mail_text(const Delivery& delivery,
                      const std::string& from,
                      const std::vector<std::string>& to) {
    std::string all;
    for (const auto& one : to)
        all.append(all.empty() ? "" : ", ").append(one);
    std::string text = "From: " + from + "\r\nTo: " + all + "\r\nSubject: Rule " + delivery.rule +
                       "\r\nDate: " + mail_date(delivery.now) + "\r\nMessage-ID: <" +
                       ca::random_uuid() +
                       "@hatchery>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
                       "charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    const std::string body = to_base64(delivery.payload);
    for (std::size_t at = 0; at < body.size(); at += 76)
        text.append(body.substr(at, 76)).append("\r\n");
    return text;
}

}  // namespace

Result<> deliver_mail(const Delivery& delivery,
                      const SmtpOptions& options,
                      const std::map<std::string, std::vector<std::string>>& mail,
                      std::chrono::seconds timeout) {
    const std::string& arn = delivery.text("targetArn");
    const std::string name = arn.substr(arn.rfind(':') + 1);
    const auto to = mail.find(name);
    if (to == mail.end() || to->second.empty()) {
        return fail(Code::Unavailable, "hatchery.toml has no rules.mail." + name);
    }
    if (options.host.empty()) {
        return fail(Code::Unavailable, "hatchery.toml has no rules.smtp.host");
    }
    SmtpConnection connection(std::chrono::steady_clock::now() + timeout);
    if (auto done = connection.connect(options.host, options.port); !done) return done;
    if (auto done = connection.command("EHLO hatchery"); !done) return done;
    if (auto done = connection.command("MAIL FROM:<" + options.from + ">"); !done) return done;
    for (const auto& one : to->second) {
        if (auto done = connection.command("RCPT TO:<" + one + ">"); !done) return done;
    }
    if (auto done = connection.command("DATA", 3); !done) return done;
    auto sent = connection.send(mail_text(delivery, options.from, to->second));
    if (!sent) return sent;
    // The relay has the mail once it answers this; a failed QUIT must not send it again.
    if (auto done = connection.command("."); !done) return done;
    [[maybe_unused]] const auto closed = connection.command("QUIT");
    return {};
}

}  // namespace hatchery::rule_actions
