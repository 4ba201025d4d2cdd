// Private to ca/: is a public key one that somebody else may already hold the private half of?
#pragma once

#include "ca/public_key.h"

namespace hatchery::ca {

/// RSA: exponent odd, from 65,537 to 64 bits (NIST SP 800-89 5.3.3 has 65,537 as least); modulus
/// odd, without a factor below 752; not of the ROCA form (CVE-2017-15361); its primes not so close
/// that 100 rounds of Fermat's method part them (CVE-2022-26320). EC and Ed25519: nothing here,
/// that a point is on its curve is part of reading it.
/// @param key  one with a handle
/// @errors InvalidRequest  where = "CSR.key", says which test
Result<> check_key_quality(const PublicKey& key);

}  // namespace hatchery::ca
