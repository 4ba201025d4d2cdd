#include "provisioning/gateway/tls_library.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <vector>

namespace hatchery::gateway {
namespace {

constexpr const char* kProviderName = "hatchery-tls";
constexpr std::string_view kPublicKeyProperty = "structure=SubjectPublicKeyInfo";
constexpr std::array<std::string_view, 5> kSigningKeys{"EC", "RSA", "RSA-PSS", "ED25519", "ED448"};
/// Those, and what a handshake agrees on and derives its keys with.
constexpr std::array<std::string_view, 11> kManagedKeys{
    "EC", "RSA", "RSA-PSS", "ED25519", "ED448", "X25519", "X448", "DH", "TLS1-PRF", "HKDF", "HMAC"};

/// Of TLS: suites with anything else (Camellia, ARIA) no device has as its only ones.
constexpr std::array<std::string_view, 2> kCiphers{"AES-", "ChaCha20-"};

/// The whole default provider; lives in a context of its own, as long as the process.
OSSL_PROVIDER* default_provider = nullptr;

/// "RSA:rsaEncryption:1.2.840…" is RSA.
bool is_one_of(std::span<const std::string_view> names, const OSSL_ALGORITHM& algorithm) {
    const std::string_view all(algorithm.algorithm_names);
    return std::find(names.begin(), names.end(), all.substr(0, all.find(':'))) != names.end();
}

bool is_needed_decoder(const OSSL_ALGORITHM& decoder) {
    const std::string_view properties(decoder.property_definition);
    return properties.find(kPublicKeyProperty) != std::string_view::npos &&
           is_one_of(kSigningKeys, decoder);
}

bool is_needed_cipher(const OSSL_ALGORITHM& cipher) {
    const std::string_view names(cipher.algorithm_names);
    return std::any_of(
        kCiphers.begin(), kCiphers.end(), [&](auto kind) { return names.starts_with(kind); });
}

bool is_needed_key(const OSSL_ALGORITHM& management) {
    return is_one_of(kManagedKeys, management);
}

std::vector<OSSL_ALGORITHM> those_that(bool (*are_needed)(const OSSL_ALGORITHM&), int operation) {
    std::vector<OSSL_ALGORITHM> needed;
    int no_cache = 0;
    const OSSL_ALGORITHM* all =
        OSSL_PROVIDER_query_operation(default_provider, operation, &no_cache);
    for (; all != nullptr && all->algorithm_names != nullptr; ++all) {
        if (are_needed(*all)) needed.push_back(*all);
    }
    needed.push_back({nullptr, nullptr, nullptr, nullptr});
    return needed;
}

// provider(7): what a provider answers to the library.

const OSSL_ALGORITHM* query_operation(void* /*context*/, int operation, int* no_cache) {
    static const auto decoders = those_that(is_needed_decoder, OSSL_OP_DECODER);
    static const auto keys = those_that(is_needed_key, OSSL_OP_KEYMGMT);
    static const auto ciphers = those_that(is_needed_cipher, OSSL_OP_CIPHER);
    *no_cache = 0;
    switch (operation) {
        case OSSL_OP_DECODER:
            return decoders.data();
        case OSSL_OP_KEYMGMT:
            return keys.data();
        case OSSL_OP_CIPHER:
            return ciphers.data();
        default:
            return OSSL_PROVIDER_query_operation(default_provider, operation, no_cache);
    }
}

int get_capabilities(void* /*context*/,
                     const char* capability,
                     OSSL_CALLBACK* callback,
                     void* argument) {
    return OSSL_PROVIDER_get_capabilities(default_provider, capability, callback, argument);
}

int start_provider(const OSSL_CORE_HANDLE* /*handle*/,
                   const OSSL_DISPATCH* /*in*/,
                   const OSSL_DISPATCH** out,
                   void** context) {
    // The type of every function of a dispatch table, core_dispatch.h.
    using Function = void (*)();
    static const std::array<OSSL_DISPATCH, 3> kTable{
        {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, reinterpret_cast<Function>(query_operation)},
         {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, reinterpret_cast<Function>(get_capabilities)},
         {0, nullptr}}};
    *out = kTable.data();
    *context =
        OSSL_PROVIDER_get0_provider_ctx(default_provider);  // its algorithms get what they know
    return 1;
}

OSSL_LIB_CTX* make_library() {
    OSSL_LIB_CTX* const inner = OSSL_LIB_CTX_new();
    OSSL_LIB_CTX* const outer = OSSL_LIB_CTX_new();
    if (inner == nullptr || outer == nullptr) return nullptr;
    default_provider = OSSL_PROVIDER_load(inner, "default");
    if (default_provider == nullptr) return nullptr;
    if (OSSL_PROVIDER_add_builtin(outer, kProviderName, start_provider) != 1) return nullptr;
    return OSSL_PROVIDER_load(outer, kProviderName) == nullptr ? nullptr : outer;
}

}  // namespace

Result<ossl_lib_ctx_st*> tls_library() {
    static OSSL_LIB_CTX* const library = make_library();
    if (library == nullptr) return fail(Code::Internal, "OpenSSL's default provider does not load");
    return library;
}

}  // namespace hatchery::gateway
