#include "ca/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdlib>

namespace hatchery::ca {

namespace {

template <std::size_t N>
std::array<std::uint8_t, N> digest(const EVP_MD* algorithm, ByteView data) {
    std::array<std::uint8_t, N> out{};
    if (EVP_Digest(data.data(), data.size(), out.data(), nullptr, algorithm, nullptr) != 1)
        std::abort();
    return out;
}

}  // namespace

std::array<std::uint8_t, 32> sha256(ByteView data) {
    return digest<32>(EVP_sha256(), data);
}

std::array<std::uint8_t, 20> sha1(ByteView data) {
    return digest<20>(EVP_sha1(), data);
}

std::array<std::uint8_t, 32> hmac_sha256(ByteView key, ByteView data) {
    std::array<std::uint8_t, 32> out{};
    unsigned size = 0;
    if (HMAC(EVP_sha256(),
             key.data(),
             static_cast<int>(key.size()),
             data.data(),
             data.size(),
             out.data(),
             &size) == nullptr) {
        std::abort();
    }
    return out;
}

Bytes random_bytes(std::size_t count) {
    Bytes bytes(count);
    if (RAND_bytes(bytes.data(), static_cast<int>(count)) != 1) std::abort();
    return bytes;
}

std::string random_uuid() {
    Bytes bytes = random_bytes(16);
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
    std::string text = to_hex(bytes);
    for (std::size_t at : {20U, 16U, 12U, 8U})
        text.insert(at, 1, '-');
    return text;
}

bool equal_constant_time(ByteView a, ByteView b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace hatchery::ca
