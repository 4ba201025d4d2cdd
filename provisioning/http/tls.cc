#include "provisioning/http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>

namespace hatchery::http {
namespace {

constexpr long kMaxPeerChainBytes = 32L * 1024;

Error tls_error(std::string_view what) {
    std::string message(what);
    while (const unsigned long code = ERR_get_error()) {
        std::array<char, 256> line{};
        ERR_error_string_n(code, line.data(), line.size());
        message.append(": ").append(line.data());
    }
    return fail(Code::InvalidRequest, std::move(message));
}

int accept_any(X509_STORE_CTX* /*context*/, void* /*argument*/) {
    return 1;  // the handler decides, with a reason that a person can read
}

Result<> install_chain(SSL_CTX* context, const Tls& tls) {
    auto chain = ca::Certificate::all_from_pem(tls.certificate_chain_pem);
    if (!chain) return std::move(chain).error();
    if (SSL_CTX_use_certificate(context, chain->front().handle()) != 1) {
        return tls_error("the server certificate cannot be used");
    }
    for (std::size_t i = 1; i < chain->size(); ++i) {
        // What SSL_CTX_add1_chain_cert stands for; the macro holds an old-style cast.
        if (SSL_CTX_ctrl(context, SSL_CTRL_CHAIN_CERT, 1, (*chain)[i].handle()) != 1) {
            return tls_error("the server certificate's chain cannot be used");
        }
    }
    if (SSL_CTX_use_PrivateKey(context, tls.key.handle()) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return tls_error("the server's key and certificate do not belong together");
    }
    return {};
}

}  // namespace

Result<std::shared_ptr<ssl_ctx_st>> make_tls_context(const Tls& tls) {
    ERR_clear_error();
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    if (!context) return tls_error("no TLS context");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(),
                        SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                            SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_num_tickets(context.get(), 0);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // A record is read by one call, not by one for its head and another for the rest.
    SSL_CTX_set_read_ahead(context.get(), 1);
    SSL_CTX_set_max_cert_list(context.get(), kMaxPeerChainBytes);
    if (auto installed = install_chain(context.get(), tls); !installed) {
        return std::move(installed).error();
    }
    if (tls.client_certificate == ClientCertificate::Ask) {
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
        SSL_CTX_set_cert_verify_callback(context.get(), accept_any, nullptr);
    }
    return context;
}

std::optional<ca::Certificate> peer_certificate(const ssl_st* ssl) {
    X509* peer = SSL_get0_peer_certificate(ssl);  // borrowed
    if (peer == nullptr) return std::nullopt;
    const int size = i2d_X509(peer, nullptr);
    if (size <= 0) return std::nullopt;
    Bytes der(static_cast<std::size_t>(size));
    unsigned char* out = der.data();
    i2d_X509(peer, &out);
    auto certificate = ca::Certificate::from_der(der);
    if (!certificate) return std::nullopt;
    return std::move(*certificate);
}

std::string server_name(const ssl_st* ssl) {
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? std::string() : std::string(name);
}

}  // namespace hatchery::http
