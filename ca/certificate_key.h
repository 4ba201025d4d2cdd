// The key of a certificate that somebody else issued: is it one that can be broken?
#pragma once

#include "ca/base/bytes.h"
#include "ca/base/error.h"

namespace hatchery::ca {

class WeakKeys;

/// Tests the public key inside a certificate's DER as issuing tests a request's: RSA against small
/// factors, the ROCA form (CVE-2017-15361), close primes (CVE-2022-26320) and weak exponents, and
/// sizes below 2,048 bits, and against `weak`, if that is given. Reads no more of the certificate
/// than it must: a few microseconds.
/// @errors InvalidRequest  weak, or no certificate; the message says which. Thread-safe.
Result<> check_certificate_key(ByteView certificate_der, const WeakKeys* weak = nullptr);

/// Tests what a certificate is signed with: MD2, MD4, MD5 and SHA-1 can be made to collide. What
/// signs itself says nothing by it, and passes.
/// @errors InvalidRequest  weak, or no certificate; the message says which. Thread-safe.
Result<> check_certificate_signature(ByteView certificate_der);

}  // namespace hatchery::ca
