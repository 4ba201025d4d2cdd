// Private to ca/: a public key out of its SubjectPublicKeyInfo, by our own reader.
//
// OpenSSL 3.0's decoder takes 110 us for a P-256 key, behind global locks: twice a signature's
// verification. Here a P-256 key is its point (1 us), a P-384 key a copy of an empty one that is
// given its point (5 us); that the point is on its curve is still OpenSSL's check.
#pragma once

#include "ca/base/bytes.h"
#include "ca/p256.h"

#include <memory>
#include <string>

struct evp_pkey_st;

namespace hatchery::ca {

/// A key whose kind no profile takes has neither point nor handle and, where it is not even read,
/// no bits.
struct PublicKey {
    std::string algorithm;  ///< "RSA", "EC", "ED25519", otherwise OpenSSL's name or the dotted OID
    std::string curve;      ///< "P-256" …; empty for explicit curve parameters or no EC key
    int bits = 0;           ///< 0: the key cannot be read, or its point is not on the curve
    Bytes modulus;          ///< RSA only, big-endian magnitude
    Bytes exponent;         ///< RSA only
    p256::Point point;      ///< P-256 only
    std::shared_ptr<evp_pkey_st> handle;  ///< RSA of 2,048 to 4,096 bits, P-384, Ed25519
};

/// @errors InvalidRequest  the bytes are no SubjectPublicKeyInfo in DER; a key inside one that
/// cannot be read is no error but has 0 bits
Result<PublicKey> read_public_key(ByteView subject_public_key_info);

enum class Verification { Good, Bad, UnknownAlgorithm };
/// Is `signature` one of `key` over `message`? `algorithm` is a whole AlgorithmIdentifier: RSA
/// (PKCS#1 v1.5) or ECDSA with SHA-256, SHA-384 or SHA-512, or Ed25519; others are unknown.
Verification verify(const PublicKey& key, ByteView algorithm, ByteView message, ByteView signature);

}  // namespace hatchery::ca
