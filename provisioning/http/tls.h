// The listener's TLS context and what it says about a peer.
#pragma once

#include "provisioning/http/listener.h"

struct ssl_ctx_st;
struct ssl_st;

namespace hatchery::http {

/// TLS 1.2 or newer; no resumption, so that every connection proves its key anew.
/// @errors InvalidRequest  key and certificate do not belong together
Result<std::shared_ptr<ssl_ctx_st>> make_tls_context(const Tls& tls);

/// The certificate that the peer proved in the handshake, or nothing.
std::optional<ca::Certificate> peer_certificate(const ssl_st* ssl);
/// The name that the peer asked for (SNI), or nothing.
std::string server_name(const ssl_st* ssl);

}  // namespace hatchery::http
