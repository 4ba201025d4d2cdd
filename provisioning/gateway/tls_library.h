// The OpenSSL library context of the gateway's TLS. Private.
#pragma once

#include "ca/base/bytes.h"

struct ossl_lib_ctx_st;

namespace hatchery::gateway {

/// The default provider with fewer decoders, those of a SubjectPublicKeyInfo whose key can sign a
/// TLS handshake, and without algorithms that TLS has no use for. OpenSSL 3.0 goes
/// through all that was ever fetched, and asks each of its 40 decoders, behind global locks,
/// whether it can read the device's key: a certificate takes 152 us on one thread, 57 us with these
/// few, and on two threads more than twice that. One for the process, never freed. Thread-safe.
/// @errors Internal  the default provider cannot be loaded
Result<ossl_lib_ctx_st*> tls_library();

}  // namespace hatchery::gateway
