// Private to ca/: ECDSA over P-256 (FIPS 186-4 6.4), the equations alone, on OpenSSL's points and
// numbers.
//
// Two things need it. A request's self-signature: OpenSSL 3.0's EVP_PKEY around a point and a
// verification costs a quarter of the verification again. And every certificate's own signature,
// checked before it leaves: by the private key that takes one multiplication of the base point,
// 12 us, where a verification takes 72 us and a signature 24 us.
#pragma once

#include "ca/base/bytes.h"

#include <memory>

struct bignum_st;
struct ec_point_st;

namespace hatchery::ca::p256 {

using Point = std::shared_ptr<const ec_point_st>;

/// A public key: uncompressed or compressed (RFC 5480 2.2). Nothing: not such a form, or not on the
/// curve; its cofactor is 1, so that is all there is to check.
Point read_point(ByteView encoded);

/// Is `signature` (ECDSA-Sig-Value, DER) one of `key` over `digest`? Accepts what EVP_PKEY_verify
/// does, bit for bit (tests/ca/p256_test.cc). Thread-safe.
bool verify(const ec_point_st& key, ByteView digest, ByteView signature);

/// The same for the holder of the private key d: of r and s follows the nonce, k = (z + r d) / s,
/// and the signature is good if x(kG) = r. That is the equation of verification, as Q = dG; here it
/// has nothing else in common with the signing before it: neither code nor copy of d. k goes only
/// through those functions that OpenSSL gives it to while signing, so it leaks no more than there;
/// the projective coordinates of kG, which would tell of k, only through Montgomery products.
/// Immutable, thread-safe.
class SignatureCheck {
  public:
    /// Nothing: `private_key` (1 … n-1) is not that of `public_key`.
    static std::shared_ptr<const SignatureCheck> make(const bignum_st& private_key,
                                                      const ec_point_st& public_key);
    bool verifies(ByteView digest, ByteView signature) const;

  private:
    struct Wipe {
        void operator()(bignum_st* number) const;
    };
    using Number = std::unique_ptr<bignum_st, Wipe>;
    explicit SignatureCheck(Number private_key) : private_key_(std::move(private_key)) {}
    Number private_key_;  ///< times 2^256: Montgomery's form
};

}  // namespace hatchery::ca::p256
