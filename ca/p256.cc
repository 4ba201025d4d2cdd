#include "ca/p256.h"

#include "ca/der.h"
#include "ca/openssl.h"

#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <utility>

namespace hatchery::ca::p256 {

namespace {

constexpr std::size_t kFieldBytes = 32;

using BignumContextPtr = OpensslPtr<BN_CTX, BN_CTX_free>;
using GroupPtr = OpensslPtr<EC_GROUP, EC_GROUP_free>;
using MontgomeryPtr = OpensslPtr<BN_MONT_CTX, BN_MONT_CTX_free>;
using PointPtr = OpensslPtr<EC_POINT, EC_POINT_free>;

/// Out of memory while the curve is set up: nothing here could work.
template <class Pointer>
Pointer made(Pointer pointer) {
    if (!pointer) std::abort();
    return pointer;
}

/// The curve; never changed after it is made, so shared by all threads.
struct Curve {
    GroupPtr group = made(GroupPtr(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1)));
    const BIGNUM* n = EC_GROUP_get0_order(group.get());  // get0
    const BIGNUM* p = EC_GROUP_get0_field(group.get());  // get0
    MontgomeryPtr mod_n = made(MontgomeryPtr(BN_MONT_CTX_new()));
    MontgomeryPtr mod_p = made(MontgomeryPtr(BN_MONT_CTX_new()));
    Curve() {
        const BignumContextPtr context = made(BignumContextPtr(BN_CTX_new()));
        if (BN_MONT_CTX_set(mod_n.get(), n, context.get()) != 1 ||
            BN_MONT_CTX_set(mod_p.get(), p, context.get()) != 1) {
            std::abort();
        }
    }
};

const Curve& curve() {
    static const Curve the_curve;
    return the_curve;
}

/// What one computation needs, kept by its thread: allocations would be a tenth of the work.
struct Scratch {
    BignumContextPtr context = made(BignumContextPtr(BN_CTX_new()));
    PointPtr point = made(PointPtr(EC_POINT_new(curve().group.get())));
    BignumPtr z = made(BignumPtr(BN_new()));
    BignumPtr r = made(BignumPtr(BN_new()));
    BignumPtr s = made(BignumPtr(BN_new()));
    BignumPtr inverse = made(BignumPtr(BN_new()));
    BignumPtr u1 = made(BignumPtr(BN_new()));
    BignumPtr u2 = made(BignumPtr(BN_new()));
    BignumPtr x = made(BignumPtr(BN_new()));
};

Scratch& scratch() {
    thread_local Scratch mine;
    return mine;
}

// --- 1 / s mod n. s stands in the certificate, so this may take a time that depends on it.
// BN_mod_inverse takes 12 us; this, 2.

__extension__ using Wide = __int128;
using Limbs = std::array<std::uint64_t, 4>;  // least significant first

constexpr Limbs kOrder{
    0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000};
constexpr int kSteps = 31;  ///< halvings a round, so that a round's factors fit 32 bits
constexpr std::uint64_t kLow = (std::uint64_t{1} << kSteps) - 1;

/// -1 / n modulo 2^64, by Newton's method.
constexpr std::uint64_t kMinusInverse = [] {
    std::uint64_t x = 1;
    for (int i = 0; i < 6; ++i)
        x *= 2 - kOrder[0] * x;
    return 0 - x;
}();

/// A signed number of five limbs.
struct Sum {
    Limbs low{};
    std::int64_t top = 0;
};

/// a f + b g
Sum combine(const Limbs& a, std::int64_t f, const Limbs& b, std::int64_t g) {
    Sum sum;
    Wide carry = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        carry += Wide{a[i]} * f + Wide{b[i]} * g;
        sum.low[i] = static_cast<std::uint64_t>(carry);
        carry >>= 64;
    }
    sum.top = static_cast<std::int64_t>(carry);
    return sum;
}

/// Without its lowest kSteps bits.
Limbs shifted(const Sum& sum) {
    Limbs out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto above =
            i + 1 < out.size() ? sum.low[i + 1] : static_cast<std::uint64_t>(sum.top);
        out[i] = sum.low[i] >> kSteps | above << (64 - kSteps);
    }
    return out;
}

Sum plus(const Sum& sum, const Limbs& number, std::int64_t times) {
    Sum out = combine(sum.low, 1, number, times);
    out.top += sum.top;
    return out;
}

/// sum / 2^kSteps mod n, of a sum in (-2^kSteps n, 2^kSteps n).
Limbs reduced(const Sum& sum) {
    const auto quotient = static_cast<std::int64_t>(sum.low[0] * kMinusInverse & kLow);
    const Sum even = plus(sum, kOrder, quotient);
    const Sum out{shifted(even), even.top >> kSteps};  // in (-n, 2n)
    if (out.top < 0) return plus(out, kOrder, 1).low;
    const Sum less = plus(out, kOrder, -1);
    return less.top < 0 ? out.low : less.low;
}

/// The lowest kSteps bits of a number, and the 33 highest of 256 bits less those that both lack.
std::array<std::uint64_t, 2> approximate(const Limbs& a, const Limbs& b) {
    std::size_t top = a.size() - 1;
    while (top > 0 && (a[top] | b[top]) == 0)
        --top;
    if (top == 0) return {a[0], b[0]};
    const int zeros = std::countl_zero(a[top] | b[top]);
    const auto of = [&](const Limbs& number) {
        const std::uint64_t high =
            zeros == 0 ? number[top] : number[top] << zeros | number[top - 1] >> (64 - zeros);
        return (high & ~kLow) | (number[0] & kLow);
    };
    return {of(a), of(b)};
}

/// 1 / s mod n by the binary Euclidean algorithm, kSteps at a time on 64 bits of each number
/// (T. Pornin, "Optimized Binary GCD for Modular Inversion", 2020). 0 < s < n.
Limbs inverse_of(const Limbs& s) {
    static constexpr Limbs zero{};
    static constexpr int most_rounds = 2 * 256 / kSteps + 2;
    Limbs a = s;
    Limbs b = kOrder;
    Limbs u{1, 0, 0, 0};  // a = u s and b = v s, modulo n
    Limbs v{};
    for (int round = 0; a != zero && round < most_rounds; ++round) {
        auto [x, y] = approximate(a, b);
        std::int64_t f0 = 1, g0 = 0, f1 = 0, g1 = 1;
        for (int left = kSteps;;) {
            const int even = x == 0 ? left : std::min(left, std::countr_zero(x));
            x >>= even;
            f1 *= std::int64_t{1} << even;
            g1 *= std::int64_t{1} << even;
            left -= even;
            if (left == 0) break;
            if (x < y) {
                std::swap(x, y);
                std::swap(f0, f1);
                std::swap(g0, g1);
            }
            x -= y;
            f0 -= f1;
            g0 -= g1;
        }
        // The guess from 64 bits may be off: a negative result changes its sign.
        const auto step = [&](std::int64_t f, std::int64_t g, Limbs& number, Limbs& factor) {
            Sum next = combine(a, f, b, g);
            const std::int64_t sign = next.top < 0 ? -1 : 1;
            if (sign < 0) next = combine(a, -f, b, -g);
            number = shifted(next);
            factor = reduced(combine(u, sign * f, v, sign * g));
        };
        Limbs next_a{}, next_b{}, next_u{}, next_v{};
        step(f0, g0, next_a, next_u);
        step(f1, g1, next_b, next_v);
        a = next_a;
        b = next_b;
        u = next_u;
        v = next_v;
    }
    return v;
}

/// 1 / s in Montgomery's form. The product with s is looked at, so that a mistake above could only
/// refuse.
bool set_inverse(Scratch& with) {
    std::array<std::uint8_t, kFieldBytes> octets{};
    if (BN_bn2lebinpad(with.s.get(), octets.data(), kFieldBytes) < 0) return false;
    Limbs limbs{};
    for (std::size_t i = 0; i < octets.size(); ++i)
        limbs[i / 8] |= std::uint64_t{octets[i]} << (8 * (i % 8));
    limbs = inverse_of(limbs);
    for (std::size_t i = 0; i < octets.size(); ++i)
        octets[i] = static_cast<std::uint8_t>(limbs[i / 8] >> (8 * (i % 8)));
    BN_MONT_CTX* mod_n = curve().mod_n.get();
    BIGNUM* inverse = with.inverse.get();
    return BN_lebin2bn(octets.data(), kFieldBytes, inverse) != nullptr &&
           BN_to_montgomery(inverse, inverse, mod_n, with.context.get()) == 1 &&
           BN_mod_mul_montgomery(with.x.get(), with.s.get(), inverse, mod_n, with.context.get()) ==
               1 &&
           BN_is_one(with.x.get()) == 1;
}

/// ECDSA-Sig-Value's next INTEGER, 1 to n - 1.
bool read_scalar(der::Reader& reader, BIGNUM* out) {
    const auto element = reader.next_if(der::kInteger);
    if (!element || !der::is_integer(element->content)) return false;
    const ByteView octets = element->content;
    if ((octets[0] & 0x80) != 0 || octets.size() > kFieldBytes + 1) return false;
    return BN_bin2bn(octets.data(), static_cast<int>(octets.size()), out) != nullptr &&
           BN_is_zero(out) == 0 && BN_cmp(out, curve().n) < 0;
}

/// r and s of the signature, z of the digest (its first 256 bits), u1 = z / s and u2 = r / s.
bool set_up(ByteView digest, ByteView signature, Scratch& with) {
    const auto content = der::only(der::kSequence, signature);
    if (!content) return false;
    der::Reader reader(*content);
    if (!read_scalar(reader, with.r.get()) || !read_scalar(reader, with.s.get()) ||
        !reader.done()) {
        return false;
    }
    const std::size_t size = std::min(digest.size(), kFieldBytes);
    if (BN_bin2bn(digest.data(), static_cast<int>(size), with.z.get()) == nullptr) return false;
    if (BN_cmp(with.z.get(), curve().n) >= 0 &&
        BN_sub(with.z.get(), with.z.get(), curve().n) != 1) {
        return false;
    }
    BN_MONT_CTX* mod_n = curve().mod_n.get();
    BIGNUM* inverse = with.inverse.get();
    BN_CTX* context = with.context.get();
    return set_inverse(with) &&
           BN_mod_mul_montgomery(with.u1.get(), with.z.get(), inverse, mod_n, context) == 1 &&
           BN_mod_mul_montgomery(with.u2.get(), with.r.get(), inverse, mod_n, context) == 1;
}

/// OpenSSL 3.0 deprecates its only way to see a point before the division that makes it affine.
bool jacobian_x_and_z(const EC_POINT* point, BIGNUM* x, BIGNUM* z, BN_CTX* context) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    return EC_POINT_get_Jprojective_coordinates_GFp(
               curve().group.get(), point, x, nullptr, z, context) == 1;
#pragma GCC diagnostic pop
}

/// Is x of the point modulo n the signature's r? In Jacobian coordinates x is X / Z^2: asking for
/// r Z^2 = X takes three products, the division a power of p - 2. Infinity has no x.
bool has_x_of_signature(Scratch& with) {
    const Curve& on = curve();
    BN_CTX* context = with.context.get();
    BIGNUM* x = with.x.get();
    BIGNUM* z_squared = with.z.get();
    BIGNUM* product = with.inverse.get();
    const auto times_z_squared_is_x = [&](BIGNUM* r) {  // all of them divided by 2^256
        return BN_to_montgomery(product, r, on.mod_p.get(), context) == 1 &&
               BN_mod_mul_montgomery(product, product, z_squared, on.mod_p.get(), context) == 1 &&
               BN_cmp(product, x) == 0;
    };
    if (EC_POINT_is_at_infinity(on.group.get(), with.point.get()) == 1 ||
        !jacobian_x_and_z(with.point.get(), x, z_squared, context) ||
        BN_mod_mul_montgomery(z_squared, z_squared, z_squared, on.mod_p.get(), context) != 1 ||
        BN_from_montgomery(x, x, on.mod_p.get(), context) != 1) {
        return false;
    }
    if (times_z_squared_is_x(with.r.get())) return true;
    // Fewer than one x in 2^128 is n or more: then it is r + n, as p is less than 2 n.
    return BN_add(with.r.get(), with.r.get(), on.n) == 1 && BN_cmp(with.r.get(), on.p) < 0 &&
           times_z_squared_is_x(with.r.get());
}

}  // namespace

Point read_point(ByteView encoded) {
    const bool uncompressed = encoded.size() == 1 + 2 * kFieldBytes && encoded[0] == 4;
    const bool compressed =
        encoded.size() == 1 + kFieldBytes && (encoded[0] == 2 || encoded[0] == 3);
    if (!uncompressed && !compressed) return nullptr;
    const EC_GROUP* group = curve().group.get();
    PointPtr point(EC_POINT_new(group));
    if (!point ||
        EC_POINT_oct2point(
            group, point.get(), encoded.data(), encoded.size(), scratch().context.get()) != 1) {
        return nullptr;
    }
    return {point.release(), EC_POINT_free};
}

bool verify(const ec_point_st& key, ByteView digest, ByteView signature) {
    Scratch& with = scratch();
    return set_up(digest, signature, with) &&
           EC_POINT_mul(curve().group.get(),
                        with.point.get(),
                        with.u1.get(),
                        &key,
                        with.u2.get(),
                        with.context.get()) == 1 &&
           has_x_of_signature(with);
}

void SignatureCheck::Wipe::operator()(bignum_st* number) const {
    BN_clear_free(number);
}

std::shared_ptr<const SignatureCheck> SignatureCheck::make(const bignum_st& private_key,
                                                           const ec_point_st& public_key) {
    Scratch& with = scratch();
    const EC_GROUP* group = curve().group.get();
    Number d(BN_new());
    if (!d || BN_is_negative(&private_key) == 1 || BN_cmp(&private_key, curve().n) >= 0 ||
        EC_POINT_mul(group, with.point.get(), &private_key, nullptr, nullptr, with.context.get()) !=
            1 ||
        EC_POINT_cmp(group, with.point.get(), &public_key, with.context.get()) != 0 ||
        BN_to_montgomery(d.get(), &private_key, curve().mod_n.get(), with.context.get()) != 1) {
        return nullptr;
    }
    return std::shared_ptr<const SignatureCheck>(new SignatureCheck(std::move(d)));
}

bool SignatureCheck::verifies(ByteView digest, ByteView signature) const {
    Scratch& with = scratch();
    if (!set_up(digest, signature, with)) return false;
    const Number k(BN_new());  // whoever learns it knows the private key
    return k &&
           BN_mod_mul_montgomery(k.get(),
                                 with.u2.get(),
                                 private_key_.get(),
                                 curve().mod_n.get(),
                                 with.context.get()) == 1 &&
           BN_mod_add_quick(k.get(), k.get(), with.u1.get(), curve().n) == 1 &&
           EC_POINT_mul(curve().group.get(),
                        with.point.get(),
                        k.get(),
                        nullptr,
                        nullptr,
                        with.context.get()) == 1 &&
           has_x_of_signature(with);
}

}  // namespace hatchery::ca::p256
