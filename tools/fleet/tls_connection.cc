#include "tools/fleet/tls_connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

namespace hatchery::fleet {

namespace {

std::string errno_text(int error) {
    return std::system_category().message(error);
}

/// The reason of this thread's first OpenSSL error; empties the queue.
std::string openssl_text() {
    const auto error = ERR_get_error();
    ERR_clear_error();
    const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
    return reason == nullptr ? "unknown reason" : reason;
}

Error unavailable(std::string message) {
    return fail(Code::Unavailable, std::move(message));
}

bool wait_for(int socket, short events, Deadline deadline) {
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        pollfd entry{socket, events, 0};
        const int ready = poll(&entry, 1, static_cast<int>(left.count()));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
}

struct AddressDeleter {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

Result<int> connect_to(const addrinfo& address, Deadline deadline) {
    const int socket = ::socket(
        address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol);
    if (socket < 0) return unavailable(errno_text(errno));
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int error = 0;
    if (connect(socket, address.ai_addr, address.ai_addrlen) != 0) {
        error = errno;
        if (error == EINPROGRESS) {
            error = ETIMEDOUT;
            socklen_t size = sizeof error;
            if (wait_for(socket, POLLOUT, deadline)) {
                getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
            }
        }
    }
    if (error == 0) return socket;
    close(socket);
    return unavailable(errno_text(error));
}

Result<int> connect_to(const std::string& host, int port, Deadline deadline) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (error != 0) return unavailable("can't find " + host + ": " + gai_strerror(error));
    const std::unique_ptr<addrinfo, AddressDeleter> list(found);
    Result<int> socket = unavailable("no address");
    for (const addrinfo* address = list.get(); address != nullptr; address = address->ai_next) {
        socket = connect_to(*address, deadline);
        if (socket) return socket;
    }
    return unavailable("can't connect to " + host + ":" + std::to_string(port) + ": " +
                       socket.error().message);
}

bool is_ip_literal(const std::string& host) {
    std::array<unsigned char, 16> address{};
    return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
           inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

/// The name that the server's certificate has to hold, and SNI (RFC 6066 allows no IP literal).
bool set_server_name(SSL* ssl, const std::string& host) {
    if (is_ip_literal(host)) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
    }
    std::string name = host;
    return SSL_set1_host(ssl, name.c_str()) == 1 &&
           SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
}

bool use_identity(SSL* ssl, const Identity& identity) {
    STACK_OF(X509)* chain = sk_X509_new_null();
    if (chain == nullptr) return false;
    for (std::size_t i = 1; i < identity.chain.size(); ++i)
        sk_X509_push(chain, identity.chain[i].handle());
    const int used =
        SSL_use_cert_and_key(ssl, identity.chain.front().handle(), identity.key.handle(), chain, 1);
    sk_X509_free(chain);  // the certificates stay ours; SSL took shares
    return used == 1;
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) return fail(Code::InvalidRequest, "can't read " + path);
    return text.str();
}

Result<Identity> make_identity(std::string_view chain_pem, ca::PrivateKey key) {
    auto chain = ca::Certificate::all_from_pem(chain_pem);
    if (!chain) return std::move(chain).error();
    if (chain->front().fields().public_key_der != key.public_key_der()) {
        return fail(Code::InvalidRequest, "the certificate is not for this key");
    }
    return Identity{*std::move(chain), std::move(key)};
}

Result<Identity> read_identity(const std::string& certificate_file, const std::string& key_file) {
    auto chain = read_file(certificate_file);
    if (!chain) return std::move(chain).error();
    auto text = read_file(key_file);
    if (!text) return std::move(text).error();
    const Secret pem = Secret::take(*text);
    auto key = ca::PrivateKey::from_pem(pem.text(), Secret());
    if (!key) return fail(Code::InvalidRequest, key_file + ": " + key.error().message);
    auto identity = make_identity(*chain, *std::move(key));
    if (!identity) {
        return fail(Code::InvalidRequest, certificate_file + ": " + identity.error().message);
    }
    return identity;
}

Result<TlsContext> TlsContext::make(const std::string& ca_file) {
    ERR_clear_error();
    TlsContext made;
    made.context_ = {SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
    SSL_CTX* context = made.context_.get();
    if (context == nullptr) return fail(Code::Internal, openssl_text());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, nullptr);
    const int loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context)
                                       : SSL_CTX_load_verify_file(context, ca_file.c_str());
    if (loaded != 1) {
        return fail(Code::InvalidRequest, "can't read CA file " + ca_file + ": " + openssl_text());
    }
    // OpenSSL parses a certificate's extensions when somebody first asks: now, before there are
    // threads that all ask at once.
    const auto* objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
    for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
        X509* const ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (ca != nullptr) X509_check_purpose(ca, -1, 0);
    }
    return made;
}

Result<TlsConnection> TlsConnection::open(const TlsContext& context,
                                          const Identity& identity,
                                          const std::string& host,
                                          int port,
                                          Deadline deadline) {
    auto socket = connect_to(host, port, deadline);
    if (!socket) return std::move(socket).error();
    ERR_clear_error();
    TlsConnection connection(*socket, {SSL_new(context.get()), SSL_free});
    SSL* ssl = connection.ssl_.get();
    if (ssl == nullptr || !set_server_name(ssl, host) || !use_identity(ssl, identity) ||
        SSL_set_fd(ssl, *socket) != 1) {
        return fail(Code::Internal, "can't set up TLS: " + openssl_text());
    }
    while (true) {
        ERR_clear_error();
        const int outcome = SSL_connect(ssl);
        if (outcome == 1) return connection;
        if (const long trust = SSL_get_verify_result(ssl); trust != X509_V_OK) {
            return unavailable("no trust in the server: " +
                               std::string(X509_verify_cert_error_string(trust)));
        }
        auto ready = connection.step(outcome, deadline);
        if (!ready) return unavailable("TLS handshake: " + ready.error().message);
    }
}

TlsConnection::TlsConnection(TlsConnection&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), ssl_(std::move(other.ssl_)) {}

TlsConnection::~TlsConnection() {
    if (socket_ < 0) return;
    if (ssl_ && SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
    ERR_clear_error();
    ssl_.reset();
    close(socket_);
}

/// Waits for what the call that returned `outcome` needs, or says why it can't go on.
Result<> TlsConnection::step(int outcome, Deadline deadline) {
    const int error = errno;
    switch (SSL_get_error(ssl_.get(), outcome)) {
        case SSL_ERROR_WANT_READ:
            if (wait_for(socket_, POLLIN, deadline)) return {};
            return unavailable("no answer in time");
        case SSL_ERROR_WANT_WRITE:
            if (wait_for(socket_, POLLOUT, deadline)) return {};
            return unavailable("no answer in time");
        case SSL_ERROR_ZERO_RETURN:
            return fail(Code::Forbidden, "the server closed the connection");
        case SSL_ERROR_SSL: {
            const auto reason = ERR_GET_REASON(ERR_peek_error());
            const std::string text = openssl_text();
            // A peer that closes without close_notify, and the alerts that refuse a certificate.
            const bool is_refusal =
                reason == SSL_R_UNEXPECTED_EOF_WHILE_READING || reason > SSL_AD_REASON_OFFSET;
            if (is_refusal) {
                return fail(Code::Forbidden, "the server closed the connection: " + text);
            }
            return unavailable(text);
        }
        default:
            if (error == 0 || error == ECONNRESET || error == EPIPE) {
                return fail(Code::Forbidden, "the server closed the connection");
            }
            return unavailable("connection lost: " + errno_text(error));
    }
}

Result<> TlsConnection::write(ByteView bytes, Deadline deadline) {
    while (true) {
        ERR_clear_error();
        const int written = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
        if (written > 0) return {};  // no partial writes: the mode is not set
        if (auto ready = step(written, deadline); !ready) return ready;
    }
}

Result<Bytes> TlsConnection::read(Deadline deadline) {
    Bytes bytes(16384);
    while (true) {
        ERR_clear_error();
        const int count = SSL_read(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
        if (count > 0) {
            bytes.resize(static_cast<std::size_t>(count));
            return bytes;
        }
        if (auto ready = step(count, deadline); !ready) return std::move(ready).error();
    }
}

}  // namespace hatchery::fleet
