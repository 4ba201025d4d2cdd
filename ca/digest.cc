#include "ca/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace hatchery::ca {

namespace {

// OpenSSL 3 looks an algorithm up by its name on every use of EVP_sha256() or HMAC(), which costs
// more than digesting what is digested here: each is fetched once, and lives as long as the
// process.

const EVP_MD* fetched(const char* name) {
    const EVP_MD* algorithm = EVP_MD_fetch(nullptr, name, nullptr);
    if (algorithm == nullptr) std::abort();
    return algorithm;
}

struct FreeMac {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

MacContext hmac_sha256_context() {
    static EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
    MacContext context(hmac == nullptr ? nullptr : EVP_MAC_CTX_new(hmac));
    std::string digest = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), digest.size()),
        OSSL_PARAM_construct_end()};
    if (context == nullptr || EVP_MAC_CTX_set_params(context.get(), parameters) != 1) std::abort();
    return context;
}

template <std::size_t N>
std::array<std::uint8_t, N> digest(const EVP_MD* algorithm, ByteView data) {
    std::array<std::uint8_t, N> out{};
    if (EVP_Digest(data.data(), data.size(), out.data(), nullptr, algorithm, nullptr) != 1)
        std::abort();
    return out;
}

}  // namespace

std::array<std::uint8_t, 32> sha256(ByteView data) {
    static const EVP_MD* const algorithm = fetched("SHA256");
    return digest<32>(algorithm, data);
}

std::array<std::uint8_t, 20> sha1(ByteView data) {
    static const EVP_MD* const algorithm = fetched("SHA1");
    return digest<20>(algorithm, data);
}

std::array<std::uint8_t, 32> hmac_sha256(ByteView key, ByteView data) {
    thread_local const MacContext mine = hmac_sha256_context();
    static constexpr std::uint8_t kNoKey = 0;  // a null key would mean "the last one again"
    std::array<std::uint8_t, 32> out{};
    std::size_t size = 0;
    const bool done =
        EVP_MAC_init(mine.get(), key.empty() ? &kNoKey : key.data(), key.size(), nullptr) == 1 &&
        EVP_MAC_update(mine.get(), data.data(), data.size()) == 1 &&
        EVP_MAC_final(mine.get(), out.data(), &size, out.size()) == 1;
    if (!done || size != out.size()) std::abort();
    return out;
}

Bytes random_bytes(std::size_t count) {
    Bytes bytes(count);
    if (RAND_bytes(bytes.data(), static_cast<int>(count)) != 1) std::abort();
    return bytes;
}

Bytes random_uuid_bytes() {
    // A draw costs as much as the rest of a small request: one is enough for many UUIDs, which are
    // names and no secrets.
    constexpr std::size_t kSize = 16, kDrawn = 16 * kSize;
    thread_local Bytes drawn;
    if (drawn.empty()) drawn = random_bytes(kDrawn);
    Bytes bytes(drawn.end() - kSize, drawn.end());
    drawn.resize(drawn.size() - kSize);
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
    return bytes;
}

std::string random_uuid() {
    std::string text = to_hex(random_uuid_bytes());
    for (std::size_t at : {20U, 16U, 12U, 8U})
        text.insert(at, 1, '-');
    return text;
}

bool equal_constant_time(ByteView a, ByteView b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace hatchery::ca
