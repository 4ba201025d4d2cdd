#include "ca/key_quality.h"

#include "ca/openssl.h"

#include <openssl/bnerr.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

namespace hatchery::ca {

namespace {

using BignumContextPtr = OpensslPtr<BN_CTX, BN_CTX_free>;

constexpr unsigned kSmallPrimeBound = 752;
constexpr unsigned kRocaBound = 168;  ///< the 38 odd primes that tell the form with certainty
constexpr std::uint64_t kLeastExponent = 65537;
constexpr int kFermatRounds = 100;

Error weak(std::string message) {
    return fail(Code::InvalidRequest, std::move(message), "CSR.key");
}

constexpr bool is_prime(unsigned number) {
    for (unsigned divisor = 2; divisor * divisor <= number; ++divisor) {
        if (number % divisor == 0) return false;
    }
    return number > 1;
}

/// Odd primes whose product fits 64 bits: one division of the modulus serves them all.
struct PrimeGroup {
    std::uint64_t product = 1;
    std::vector<unsigned> primes;
};

std::vector<PrimeGroup> prime_groups() {
    std::vector<PrimeGroup> groups(1);
    for (unsigned prime = 3; prime < kSmallPrimeBound; prime += 2) {
        if (!is_prime(prime)) continue;
        if (groups.back().product > UINT64_MAX / prime) groups.emplace_back();
        groups.back().product *= prime;
        groups.back().primes.push_back(prime);
    }
    return groups;
}

/// For each prime below kRocaBound, which residues are powers of 65,537: both primes of a ROCA key
/// are such powers modulo each of them, so the modulus is too.
using Residues = std::array<std::array<bool, kRocaBound>, kRocaBound>;
Residues roca_residues() {
    Residues residues{};
    for (unsigned prime = 3; prime < kRocaBound; prime += 2) {
        if (!is_prime(prime)) continue;
        unsigned power = 1;
        do {
            residues[prime][power] = true;
            power = power * (65537 % prime) % prime;
        } while (power != 1 && power != 0);
    }
    return residues;
}

Result<> check_small_factors_and_roca(const BIGNUM* modulus) {
    static const auto groups = prime_groups();
    static const auto residues = roca_residues();
    bool has_roca_form = true;
    for (const auto& group : groups) {
        const std::uint64_t rest = BN_mod_word(modulus, group.product);
        for (const unsigned prime : group.primes) {
            const auto residue = static_cast<unsigned>(rest % prime);
            if (residue == 0) {
                return weak("weak key: the RSA modulus has the factor " + std::to_string(prime));
            }
            if (prime < kRocaBound && !residues[prime][residue]) has_roca_form = false;
        }
    }
    if (has_roca_form) {
        return weak("weak key: the RSA modulus has the form of CVE-2017-15361 (ROCA)");
    }
    return {};
}

/// A number that is at least the square root of `n`, by its first 52 bits: Newton's method then
/// comes down to the root in a handful of steps.
BignumPtr root_from_above(const BIGNUM* n) {
    const int bits = BN_num_bits(n);
    const int shift = (bits - 62) & ~1;
    BignumPtr top(BN_new());
    if (!top || BN_rshift(top.get(), n, shift) != 1) return nullptr;
    const auto head = static_cast<double>(BN_get_word(top.get()));
    const auto root = static_cast<std::uint64_t>(std::sqrt(head) * (1 + 0x1p-40)) + 2;
    if (BN_set_word(top.get(), root) != 1 || BN_lshift(top.get(), top.get(), shift / 2) != 1) {
        return nullptr;
    }
    return top;
}

/// floor(sqrt(n)).
BignumPtr square_root(const BIGNUM* n, BN_CTX* context) {
    BignumPtr root = root_from_above(n);
    BignumPtr next(BN_new());
    if (!root || !next) return nullptr;
    for (;;) {
        const bool stepped = BN_div(next.get(), nullptr, n, root.get(), context) == 1 &&
                             BN_add(next.get(), next.get(), root.get()) == 1 &&
                             BN_rshift1(next.get(), next.get()) == 1;
        if (!stepped) return nullptr;
        if (BN_cmp(next.get(), root.get()) >= 0) return root;
        std::swap(root, next);
    }
}

/// No square modulo one of these is no square; what is left is worth a root.
bool may_be_square(const BIGNUM* number) {
    static const auto squares_of = [] {
        std::array<std::array<bool, 66>, 66> table{};
        for (const unsigned modulus : {11U, 63U, 64U, 65U}) {
            for (unsigned i = 0; i < modulus; ++i)
                table[modulus][i * i % modulus] = true;
        }
        return table;
    }();
    unsigned low = 0;
    for (int bit = 0; bit < 6; ++bit)
        low |= (BN_is_bit_set(number, bit) == 1 ? 1U : 0U) << bit;
    if (!squares_of[64][low]) return false;
    const std::uint64_t rest = BN_mod_word(number, 63UL * 65 * 11);
    return squares_of[63][rest % 63] && squares_of[65][rest % 65] && squares_of[11][rest % 11];
}

/// Of a number of any size. Nothing: out of memory.
std::optional<bool> is_square(const BIGNUM* number, BN_CTX* context) {
    if (!may_be_square(number)) return false;
    if (BN_num_bits(number) <= 62) {
        const std::uint64_t small = BN_get_word(number);
        const auto root = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(small)));
        return root * root == small || (root + 1) * (root + 1) == small;
    }
    const BignumPtr root = square_root(number, context);
    const BignumPtr square(BN_new());
    if (!root || !square || BN_sqr(square.get(), root.get(), context) != 1) return std::nullopt;
    return BN_cmp(square.get(), number) == 0;
}

/// Fermat: n = a^2 - b^2 with a just above sqrt(n), if its primes are close. Nothing: out of
/// memory.
std::optional<bool> has_close_primes(const BIGNUM* n) {
    const BignumContextPtr context(BN_CTX_new());
    if (!context) return std::nullopt;
    const BignumPtr a = square_root(n, context.get());
    const BignumPtr rest(BN_new());  // a^2 - n
    if (!a || !rest || BN_sqr(rest.get(), a.get(), context.get()) != 1 ||
        BN_sub(rest.get(), rest.get(), n) != 1) {
        return std::nullopt;
    }
    if (BN_is_zero(rest.get()) == 1) return true;
    for (int round = 0; round < kFermatRounds; ++round) {
        // (a + 1)^2 - n is a^2 - n and a and a + 1 more.
        const bool stepped = BN_add(rest.get(), rest.get(), a.get()) == 1 &&
                             BN_add_word(a.get(), 1) == 1 &&
                             BN_add(rest.get(), rest.get(), a.get()) == 1;
        if (!stepped) return std::nullopt;
        const auto square = is_square(rest.get(), context.get());
        if (!square || *square) return square;
    }
    return false;
}

Result<> check_exponent(ByteView exponent) {
    std::uint64_t value = 0;
    for (const auto octet : exponent)
        value = value << 8 | octet;
    if (exponent.size() > sizeof value) {
        return weak("expected an RSA exponent of at most 64 bits, found one of " +
                    std::to_string(exponent.size() * 8) + " or fewer");
    }
    if (value >= kLeastExponent && value % 2 == 1) return {};
    return weak("weak key: expected an odd RSA exponent of at least 65537, found " +
                std::to_string(value));
}

}  // namespace

namespace {

enum class Common { None, Factor, All };

/// What `n` has in common with a product of moduli. Nothing: out of memory.
std::optional<Common> common_with(const BIGNUM* product, const BIGNUM* n, BN_CTX* context) {
    const BignumPtr rest(BN_new());
    if (!rest || BN_nnmod(rest.get(), product, n, context) != 1) return std::nullopt;
    if (BN_is_zero(rest.get()) == 1) return Common::All;
    // An inverse exists if and only if nothing is shared; BN_gcd, in constant time, takes
    // milliseconds.
    clear_openssl_errors();
    if (const BignumPtr inverse(BN_mod_inverse(nullptr, rest.get(), n, context)); inverse) {
        return Common::None;
    }
    const bool shared = ERR_GET_REASON(ERR_peek_error()) == BN_R_NO_INVERSE;
    clear_openssl_errors();
    return shared ? std::optional(Common::Factor) : std::nullopt;
}

}  // namespace

Result<> SharedPrimes::check(const PublicKey& key) {
    if (key.algorithm != "RSA") return {};
    const auto no_memory = [] { return fail(Code::Internal, "out of memory"); };
    const BignumContextPtr context(BN_CTX_new());
    BignumPtr n(BN_bin2bn(key.modulus.data(), static_cast<int>(key.modulus.size()), nullptr));
    if (!context || !n) return no_memory();
    const std::lock_guard lock(mutex_);
    for (const auto& product : products_) {
        if (!product) continue;
        const auto common = common_with(product.get(), n.get(), context.get());
        if (!common) return no_memory();
        if (*common == Common::All) return {};
        if (*common == Common::Factor) {
            return weak("weak key: the RSA modulus shares a prime with that of another request");
        }
    }
    if (count_ == kHalf) {
        products_[1] = std::move(products_[0]);
        count_ = 0;
    }
    auto& present = products_[0];
    if (!present) {
        present = std::move(n);
    } else if (BN_mul(present.get(), present.get(), n.get(), context.get()) != 1) {
        return no_memory();
    }
    ++count_;
    return {};
}

Result<> check_key_quality(const PublicKey& key) {
    if (key.algorithm != "RSA") return {};
    if (auto exponent = check_exponent(key.exponent); !exponent) return exponent;
    const BignumPtr modulus(
        BN_bin2bn(key.modulus.data(), static_cast<int>(key.modulus.size()), nullptr));
    if (!modulus) return fail(Code::Internal, "out of memory");
    if (BN_is_odd(modulus.get()) == 0) {
        return weak("weak key: the RSA modulus has the factor 2");
    }
    if (auto form = check_small_factors_and_roca(modulus.get()); !form) return form;
    const auto close = has_close_primes(modulus.get());
    if (!close) return fail(Code::Internal, "out of memory");
    if (*close) return weak("weak key: the primes of the RSA modulus are close to each other");
    return {};
}

}  // namespace hatchery::ca
