// Our own ECDSA against OpenSSL's: what one accepts the other does, over signatures that no signer
// would make.
#include "ca/p256.h"

#include "ca/der.h"
#include "ca/openssl.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include <random>

namespace hatchery::ca {
namespace {

using GroupPtr = OpensslPtr<EC_GROUP, EC_GROUP_free>;
using PointPtr = OpensslPtr<EC_POINT, EC_POINT_free>;
using NumbersPtr = OpensslPtr<BN_CTX, BN_CTX_free>;
using OperationPtr = OpensslPtr<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;

BignumPtr number(ByteView octets) {
    return BignumPtr(BN_bin2bn(octets.data(), static_cast<int>(octets.size()), nullptr));
}
BignumPtr word(std::uint64_t value) {
    BignumPtr out(BN_new());
    BN_set_word(out.get(), value);
    return out;
}
Bytes octets_of(const BIGNUM* value, std::size_t size) {
    Bytes out(size);
    EXPECT_EQ(BN_bn2binpad(value, out.data(), static_cast<int>(size)), static_cast<int>(size));
    return out;
}

/// A key pair, and the curve to compute with as a test may: slowly and in the open.
struct Pair {
    PkeyPtr key{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
    GroupPtr group{EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1)};
    const BIGNUM* n = EC_GROUP_get0_order(group.get());
    NumbersPtr numbers{BN_CTX_new()};
    BignumPtr d = private_key();
    Bytes encoded = encoded_key();
    p256::Point point = p256::read_point(encoded);
    std::shared_ptr<const p256::SignatureCheck> check = p256::SignatureCheck::make(*d, *point);

    BignumPtr private_key() const {
        BIGNUM* out = nullptr;
        EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_PRIV_KEY, &out);
        return BignumPtr(out);
    }
    Bytes encoded_key() const {
        unsigned char* out = nullptr;
        const std::size_t size = EVP_PKEY_get1_encoded_public_key(key.get(), &out);
        const BufferPtr owner(out);
        return {out, out + size};
    }
    Bytes sign(ByteView digest) const {
        const OperationPtr operation(EVP_PKEY_CTX_new(key.get(), nullptr));
        Bytes signature(80);
        std::size_t size = signature.size();
        EXPECT_EQ(EVP_PKEY_sign_init(operation.get()), 1);
        EXPECT_EQ(
            EVP_PKEY_sign(operation.get(), signature.data(), &size, digest.data(), digest.size()),
            1);
        signature.resize(size);
        return signature;
    }
    /// x of k times the base point, modulo n.
    BignumPtr x_of(const BIGNUM* k) const {
        const PointPtr product(EC_POINT_new(group.get()));
        BignumPtr x(BN_new());
        EC_POINT_mul(group.get(), product.get(), k, nullptr, nullptr, numbers.get());
        EC_POINT_get_affine_coordinates(
            group.get(), product.get(), x.get(), nullptr, numbers.get());
        BN_nnmod(x.get(), x.get(), n, numbers.get());
        return x;
    }
    /// The digest under which (x(kG), s) is good: z = s k - r d.
    Bytes digest_for(const BIGNUM* k, const BIGNUM* r, const BIGNUM* s) const {
        const BignumPtr sk(BN_new()), rd(BN_new());
        BN_mod_mul(sk.get(), s, k, n, numbers.get());
        BN_mod_mul(rd.get(), r, d.get(), n, numbers.get());
        BN_mod_sub(sk.get(), sk.get(), rd.get(), n, numbers.get());
        return octets_of(sk.get(), 32);
    }
};

Bytes signature_of(const BIGNUM* r, const BIGNUM* s) {
    return der::sequence({der::integer(octets_of(r, 40)), der::integer(octets_of(s, 40))});
}

bool openssl_accepts(EVP_PKEY* key, ByteView digest, ByteView signature) {
    const OperationPtr operation(EVP_PKEY_CTX_new(key, nullptr));
    EXPECT_EQ(EVP_PKEY_verify_init(operation.get()), 1);
    const bool good =
        EVP_PKEY_verify(
            operation.get(), signature.data(), signature.size(), digest.data(), digest.size()) == 1;
    clear_openssl_errors();
    return good;
}

/// All three say the same; gives what they say.
bool agreed(const Pair& pair, ByteView digest, ByteView signature) {
    const bool theirs = openssl_accepts(pair.key.get(), digest, signature);
    EXPECT_EQ(p256::verify(*pair.point, digest, signature), theirs) << to_hex(signature);
    EXPECT_EQ(pair.check->verifies(digest, signature), theirs) << to_hex(signature);
    return theirs;
}

TEST(P256, AcceptsWhatOpensslSignsAndNoBitOfItChanged) {
    std::mt19937 random(71);  // NOLINT(cert-msc51-cpp): the same digests in every run
    const Pair pair;
    ASSERT_TRUE(pair.point);
    ASSERT_TRUE(pair.check);
    for (const std::size_t size : {20U, 32U, 48U, 64U}) {
        for (int round = 0; round < 40; ++round) {
            Bytes digest(size);
            for (auto& octet : digest)
                octet = static_cast<std::uint8_t>(random());
            if (round == 0) digest.assign(size, 0);
            if (round == 1) digest.assign(size, 0xff);  // above n
            const Bytes signature = pair.sign(digest);
            EXPECT_TRUE(agreed(pair, digest, signature));
            for (int i = 0; i < 4; ++i) {
                Bytes changed = signature;
                changed[random() % changed.size()] ^= static_cast<std::uint8_t>(1U << random() % 8);
                EXPECT_FALSE(agreed(pair, digest, changed));
            }
            digest[random() % std::min<std::size_t>(size, 32)] ^= 4;
            EXPECT_FALSE(agreed(pair, digest, signature));
        }
    }
}

TEST(P256, ComputesWithEverySizeOfS) {
    const Pair pair;
    const BignumPtr k(BN_new());
    std::vector<BignumPtr> all;
    for (int bit = 0; bit < 256; bit += 5) {
        all.push_back(word(1));
        BN_lshift(all.back().get(), all.back().get(), bit);
        all.push_back(word(3));
        BN_lshift(all.back().get(), all.back().get(), bit);
        all.push_back(BignumPtr(BN_dup(pair.n)));
        BN_rshift(all.back().get(), all.back().get(), bit + 1);
        all.push_back(BignumPtr(BN_dup(pair.n)));
        BN_sub_word(all.back().get(), static_cast<BN_ULONG>(bit) + 1);
    }
    for (const auto& s : all) {
        BN_rand_range(k.get(), pair.n);
        BN_nnmod(s.get(), s.get(), pair.n, pair.numbers.get());
        if (BN_is_zero(s.get()) == 1) continue;
        const BignumPtr r = pair.x_of(k.get());
        EXPECT_TRUE(agreed(
            pair, pair.digest_for(k.get(), r.get(), s.get()), signature_of(r.get(), s.get())));
    }
}

TEST(P256, RefusesNumbersOutsideTheRangeAndOtherEncodings) {
    const Pair pair;
    const Bytes digest(32, 7);
    const Bytes good = pair.sign(digest);
    der::Reader reader(*der::only(der::kSequence, good));
    const BignumPtr r = number(reader.next()->content);
    const BignumPtr s = number(reader.next()->content);
    const BignumPtr zero = word(0);
    const BignumPtr minus_s(BN_dup(pair.n));
    BN_sub(minus_s.get(), minus_s.get(), s.get());
    EXPECT_TRUE(agreed(pair, digest, signature_of(r.get(), s.get())));
    EXPECT_TRUE(agreed(pair, digest, signature_of(r.get(), minus_s.get())));  // as ECDSA is
    const auto refused = [&](const BIGNUM* a, const BIGNUM* b) {
        EXPECT_FALSE(agreed(pair, digest, signature_of(a, b)));
    };
    for (const auto* bad : {zero.get(), static_cast<BIGNUM*>(nullptr)}) {
        const BIGNUM* value = bad == nullptr ? pair.n : bad;
        refused(value, s.get());
        refused(r.get(), value);
        refused(value, value);
    }
    const BignumPtr more(BN_new());
    BN_add(more.get(), r.get(), pair.n);
    refused(more.get(), s.get());
    BN_add(more.get(), s.get(), pair.n);
    refused(r.get(), more.get());
    const Bytes r_octets = octets_of(r.get(), 32);
    const Bytes s_octets = octets_of(s.get(), 32);
    const auto integer = [](std::uint8_t first, const Bytes& rest) {
        return der::tlv(der::kInteger, {ByteView(&first, 1), rest});
    };
    const Bytes encodings[] = {
        {},
        der::sequence({}),
        der::sequence({der::integer(r_octets)}),
        der::sequence({der::integer(r_octets), der::integer(s_octets), der::small_integer(1)}),
        der::sequence({integer(0, der::integer(r_octets)), der::integer(s_octets)}),
        der::sequence({der::tlv(der::kInteger, {Bytes{0, 0}, r_octets}), der::integer(s_octets)}),
        der::sequence({der::tlv(der::kInteger, {Bytes{0xff}, r_octets}), der::integer(s_octets)}),
        der::tlv(der::kSet, {der::integer(r_octets), der::integer(s_octets)})};
    for (const auto& encoding : encodings)
        EXPECT_FALSE(agreed(pair, digest, encoding));
    Bytes longer = good;
    longer.push_back(0);
    EXPECT_FALSE(agreed(pair, digest, longer));
    Bytes ber{good[0], 0x81, good[1]};  // the length in one octet more than it takes
    ber.insert(ber.end(), good.begin() + 2, good.end());
    EXPECT_FALSE(agreed(pair, digest, ber));
}

TEST(P256, RefusesTheSumAtInfinity) {
    // u1 G + u2 Q = 0: z = -r d.
    const Pair pair;
    const BignumPtr zero = word(0), r = word(12345), s = word(678910);
    const Bytes digest = pair.digest_for(zero.get(), r.get(), s.get());
    EXPECT_FALSE(agreed(pair, digest, signature_of(r.get(), s.get())));
}

TEST(P256, TakesXModuloTheOrder) {
    // A nonce whose point has x >= n: fewer than one in 2^128, so the key is chosen to fit the
    // signature: Q = (s R - z G) / r.
    const GroupPtr group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
    const BIGNUM* n = EC_GROUP_get0_order(group.get());
    const NumbersPtr numbers(BN_CTX_new());
    const PointPtr nonce(EC_POINT_new(group.get())), sum(EC_POINT_new(group.get()));
    const BignumPtr x(BN_dup(n));
    const BignumPtr r(BN_new()), s = word(424242), z(BN_new()), inverse(BN_new());
    BN_add_word(x.get(), 1);
    while (EC_POINT_set_compressed_coordinates(
               group.get(), nonce.get(), x.get(), 0, numbers.get()) != 1) {
        BN_add_word(x.get(), 1);
    }
    clear_openssl_errors();
    BN_sub(r.get(), x.get(), n);
    const Bytes digest(32, 9);
    BN_bin2bn(digest.data(), 32, z.get());
    BN_mod_inverse(inverse.get(), r.get(), n, numbers.get());
    const BignumPtr a(BN_new()), b(BN_new());
    BN_mod_mul(a.get(), s.get(), inverse.get(), n, numbers.get());
    BN_mod_mul(b.get(), z.get(), inverse.get(), n, numbers.get());
    BN_sub(b.get(), n, b.get());
    EC_POINT_mul(group.get(), sum.get(), b.get(), nonce.get(), a.get(), numbers.get());
    Bytes encoded(65);
    ASSERT_EQ(EC_POINT_point2oct(group.get(),
                                 sum.get(),
                                 POINT_CONVERSION_UNCOMPRESSED,
                                 encoded.data(),
                                 encoded.size(),
                                 numbers.get()),
              65U);
    const PkeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    ASSERT_EQ(EVP_PKEY_set1_encoded_public_key(key.get(), encoded.data(), encoded.size()), 1);
    const Bytes signature = signature_of(r.get(), s.get());
    EXPECT_TRUE(openssl_accepts(key.get(), digest, signature));
    EXPECT_TRUE(p256::verify(*p256::read_point(encoded), digest, signature));
    EXPECT_FALSE(p256::verify(*p256::read_point(encoded), Bytes(32, 8), signature));
}

TEST(P256, ReadsPointsOfTheCurveInTwoForms) {
    const Pair pair;
    Bytes compressed(pair.encoded.begin(), pair.encoded.begin() + 33);
    compressed[0] = static_cast<std::uint8_t>(2 + (pair.encoded.back() & 1));
    const Bytes digest(32, 7);
    ASSERT_TRUE(p256::read_point(compressed));
    EXPECT_TRUE(p256::verify(*p256::read_point(compressed), digest, pair.sign(digest)));
    Bytes off_curve = pair.encoded;
    off_curve[64] ^= 1;
    Bytes hybrid = pair.encoded;
    hybrid[0] = static_cast<std::uint8_t>(6 + (pair.encoded.back() & 1));
    Bytes beyond(65, 0xff);  // coordinates above the field's prime
    beyond[0] = 4;
    for (const auto& bad : {Bytes{}, Bytes{0}, off_curve, hybrid, beyond, Bytes(64, 4)})
        EXPECT_FALSE(p256::read_point(bad)) << to_hex(bad);
}

TEST(P256, CheckIsMadeOnlyForThePointsOwnPrivateKey) {
    const Pair pair, other;
    EXPECT_FALSE(p256::SignatureCheck::make(*other.d, *pair.point));
    EXPECT_FALSE(p256::SignatureCheck::make(*word(0), *pair.point));
    const BignumPtr more(BN_new());
    BN_add(more.get(), pair.d.get(), pair.n);  // the same multiple of the base point
    EXPECT_FALSE(p256::SignatureCheck::make(*more, *pair.point));
    const Bytes digest(32, 7);
    EXPECT_FALSE(pair.check->verifies(digest, other.sign(digest)));
}

}  // namespace
}  // namespace hatchery::ca
