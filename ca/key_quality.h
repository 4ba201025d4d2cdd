// Private to ca/: is a public key one that somebody else may already hold the private half of?
#pragma once

#include "ca/openssl.h"
#include "ca/public_key.h"

#include <array>
#include <mutex>

namespace hatchery::ca {

/// RSA: exponent odd, from 65,537 to 64 bits (NIST SP 800-89 5.3.3 has 65,537 as least); modulus
/// odd, without a factor below 752; not of the ROCA form (CVE-2017-15361); its primes not so close
/// that 100 rounds of Fermat's method part them (CVE-2022-26320). EC and Ed25519: nothing here,
/// that a point is on its curve is part of reading it.
/// @param key  one with a handle
/// @errors InvalidRequest  where = "CSR.key", says which test
Result<> check_key_quality(const PublicKey& key);

/// RSA keys that share a prime with one that came shortly before: devices of one line that make
/// their keys in the same state of too little entropy (Heninger et al., "Mining Your Ps and Qs",
/// 2012). Who sees both moduli has both private keys. Remembers the last 128 to 256 of this
/// process. Thread-safe.
class SharedPrimes {
  public:
    /// Remembers the key if it passes; the same key again passes. Other kinds of key pass.
    /// @errors InvalidRequest  where = "CSR.key"
    Result<> check(const PublicKey& key);

  private:
    static constexpr int kHalf = 128;
    std::mutex mutex_;
    std::array<BignumPtr, 2> products_;  ///< of the present half, and of the one before it
    int count_ = 0;                      ///< in the present half
};

}  // namespace hatchery::ca
