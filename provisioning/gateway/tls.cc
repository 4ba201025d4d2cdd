#include "provisioning/gateway/tls.h"

#include "provisioning/gateway/tls_library.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace hatchery::gateway {
namespace {

constexpr long kMaxPeerChainBytes = 32 * 1024;
constexpr int kMaxPeerChainCertificates = 8;

std::string drain_errors(std::string_view fallback) {
    std::string text;
    while (const unsigned long code = ERR_get_error()) {
        std::array<char, 256> line{};
        ERR_error_string_n(code, line.data(), line.size());
        if (!text.empty()) text += "; ";
        text += line.data();
    }
    return text.empty() ? std::string(fallback) : text;
}

/// The device's protocol list: take AWS's name for MQTT if it is there, else go on without. A fatal
/// no_application_protocol alert breaks AWS's SDKs.
int select_alpn(SSL* /*ssl*/,
                const unsigned char** out,
                unsigned char* out_length,
                const unsigned char* in,
                unsigned int in_length,
                void* /*argument*/) {
    const std::string_view offered = text_of({in, in_length});
    for (const std::string_view wanted : {kMqttProtocol, std::string_view("mqtt")}) {
        std::size_t at = 0;
        while (at < offered.size()) {
            const auto size = static_cast<std::size_t>(in[at]);
            if (offered.substr(at + 1, size) == wanted) {
                *out = in + at + 1;
                *out_length = in[at];
                return SSL_TLSEXT_ERR_OK;
            }
            at += 1 + size;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/// In place of OpenSSL's chain check, which would also refuse keys that flows::admit refuses with
/// a reason that a person can read.
int accept_any_certificate(X509_STORE_CTX* /*context*/, void* /*argument*/) {
    return 1;
}

Result<> use_chain(SSL_CTX* context, std::string_view chain_pem) {
    auto chain = ca::Certificate::all_from_pem(chain_pem);
    if (!chain) return std::move(chain).error();
    if (SSL_CTX_use_certificate(context, chain->front().handle()) != 1) {
        return fail(Code::InvalidRequest, drain_errors("server certificate not usable"));
    }
    for (std::size_t i = 1; i < chain->size(); ++i) {
        // SSL_CTX_add1_chain_cert is a macro with an old-style cast; this is what it stands for.
        X509* certificate = (*chain)[i].handle();
        if (SSL_CTX_ctrl(context, SSL_CTRL_CHAIN_CERT, 1, certificate) != 1) {
            return fail(Code::InvalidRequest, drain_errors("server chain not usable"));
        }
    }
    return {};
}

void set_policy(SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context,
                        SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                            SSL_OP_IGNORE_UNEXPECTED_EOF);
    // No resumption, so every connect proves the key anew; two tickets cost 300 us a handshake.
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                         SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);  // one system call a record instead of two
    // Level 2 would end the handshake of a device with RSA-1024 without a word.
    SSL_CTX_set_security_level(context, 1);
    SSL_CTX_set_max_cert_list(context, kMaxPeerChainBytes);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_cert_verify_callback(context, accept_any_certificate, nullptr);
    SSL_CTX_set_alpn_select_cb(context, select_alpn, nullptr);
}

/// In place of a peer's name that nobody needs any more. OpenSSL encodes a name when somebody first
/// copies it: here, and not on two loops at once.
const X509_NAME* no_name() {
    static const X509_NAME* const name = [] {
        X509_NAME* const made = X509_NAME_new();
        i2d_X509_NAME(made, nullptr);
        return made;
    }();
    return name;
}

}  // namespace

Result<TlsContext> TlsContext::make(std::string_view chain_pem, const ca::PrivateKey& key) {
    ERR_clear_error();
    auto library = tls_library();
    if (!library) return std::move(library).error();
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new_ex(*library, nullptr, TLS_server_method()),
                                     SSL_CTX_free);
    if (!context) return fail(Code::Internal, drain_errors("no TLS context"));
    set_policy(context.get());
    if (auto done = use_chain(context.get(), chain_pem); !done) return std::move(done).error();
    if (SSL_CTX_use_PrivateKey(context.get(), key.handle()) != 1 ||
        SSL_CTX_check_private_key(context.get()) != 1) {
        return fail(Code::InvalidRequest,
                    "server key and certificate do not belong together: " +
                        drain_errors("no reason given"));
    }
    return TlsContext(std::move(context));
}

void TlsConnection::Free::operator()(ssl_st* ssl) const {
    SSL_free(ssl);
}

Result<TlsConnection> TlsConnection::accept(const TlsContext& context, int socket) {
    ERR_clear_error();
    TlsConnection connection(SSL_new(context.handle()));
    if (!connection.ssl_ || SSL_set_fd(connection.ssl_.get(), socket) != 1) {
        return fail(Code::Internal, drain_errors("no TLS connection"));
    }
    SSL_set_accept_state(connection.ssl_.get());
    return connection;
}

TlsResult TlsConnection::handshake() {
    ERR_clear_error();
    return outcome(SSL_do_handshake(ssl_.get()), 0);
}

TlsResult TlsConnection::read(std::span<std::uint8_t> into) {
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &count);
    return outcome(result, count);
}

TlsResult TlsConnection::write(ByteView bytes) {
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count);
    return outcome(result, count);
}

void TlsConnection::shutdown() {
    // OpenSSL: not after a fatal error, nor inside a handshake
    if (is_failed_ || SSL_is_init_finished(ssl_.get()) == 0) return;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

TlsResult TlsConnection::outcome(int result, std::size_t count) {
    const int saved_errno = errno;
    if (result == 1) return {TlsStatus::Done, count, {}};
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ:
            return {TlsStatus::WantRead, 0, {}};
        case SSL_ERROR_WANT_WRITE:
            return {TlsStatus::WantWrite, 0, {}};
        case SSL_ERROR_ZERO_RETURN:
            return {TlsStatus::Closed, 0, {}};
        case SSL_ERROR_SYSCALL: {
            is_failed_ = true;
            const std::string system =
                std::error_code(saved_errno, std::generic_category()).message();
            return {
                TlsStatus::Failed, 0, drain_errors(saved_errno != 0 ? system : "connection ended")};
        }
        default:
            is_failed_ = true;
            return {TlsStatus::Failed, 0, drain_errors("TLS error")};
    }
}

std::string TlsConnection::server_name() const {
    const char* const name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? std::string() : std::string(name);
}

std::string TlsConnection::protocol() const {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return std::string(text_of({name, size}));
}

Result<TlsConnection::Peer> TlsConnection::peer() const {
    const std::unique_ptr<X509, decltype(&X509_free)> leaf(SSL_get1_peer_certificate(ssl_.get()),
                                                           X509_free);
    if (!leaf) return fail(Code::CertificateInvalid, "no client certificate");
    auto certificate = ca::Certificate::from_handle(leaf.get());
    if (!certificate) return std::move(certificate).error();
    Peer peer{std::move(*certificate), {}};
    const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl_.get());  // get0; without the leaf
    const int count = chain == nullptr ? 0 : sk_X509_num(chain);
    for (int i = 0; i < count && i < kMaxPeerChainCertificates; ++i) {
        // Only a help to find the CA: one that we cannot read helps nobody, and harms nobody.
        if (auto above = ca::Certificate::from_handle(sk_X509_value(chain, i))) {
            peer.chain.push_back(std::move(*above));
        }
    }
    return peer;
}

void TlsConnection::forget_peer() {
    // The session owns them as long as the connection lives, and there is no call that takes them
    // away; only a renegotiation, which is off, would look at them again.
    STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(ssl_.get());  // get0; without the leaf
    while (chain != nullptr && sk_X509_num(chain) > 0)
        X509_free(sk_X509_pop(chain));
    X509* const leaf = SSL_get0_peer_certificate(ssl_.get());
    if (leaf == nullptr) return;
    while (X509_get_ext_count(leaf) > 0)
        X509_EXTENSION_free(X509_delete_ext(leaf, 0));
    X509_set_subject_name(leaf, no_name());
    X509_set_issuer_name(leaf, no_name());
    EVP_PKEY_set_type(X509_get0_pubkey(leaf), EVP_PKEY_ED25519);  // frees what the key held
    ERR_clear_error();
}

}  // namespace hatchery::gateway
