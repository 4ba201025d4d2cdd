#include "provisioning/gateway/tls_library.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace hatchery::gateway {
namespace {

constexpr const char* kProviderName = "hatchery-tls";
constexpr std::string_view kPublicKeyProperty = "structure=SubjectPublicKeyInfo";
constexpr std::array<std::string_view, 5> kSigningKeys{"EC", "RSA", "RSA-PSS", "ED25519", "ED448"};
/// Those, and what a handshake agrees on and derives its keys with.
constexpr std::array<std::string_view, 11> kManagedKeys{
    "EC", "RSA", "RSA-PSS", "ED25519", "ED448", "X25519", "X448", "DH", "TLS1-PRF", "HKDF", "HMAC"};
constexpr std::array<std::string_view, 4> kSignatures{"RSA", "ECDSA", "ED25519", "ED448"};
constexpr std::array<std::string_view, 6> kExchanges{
    "DH", "ECDH", "X25519", "X448", "TLS1-PRF", "HKDF"};
/// Of TLS: suites with anything else (Camellia, ARIA) no device has as its only ones.
constexpr std::array<std::string_view, 11> kCiphers{"AES-256-GCM",
                                                    "AES-128-GCM",
                                                    "AES-256-CCM",
                                                    "AES-128-CCM",
                                                    "AES-256-CBC",
                                                    "AES-128-CBC",
                                                    "AES-256-CBC-HMAC-SHA1",
                                                    "AES-128-CBC-HMAC-SHA1",
                                                    "AES-256-CBC-HMAC-SHA256",
                                                    "AES-128-CBC-HMAC-SHA256",
                                                    "ChaCha20-Poly1305"};
constexpr std::array<std::string_view, 7> kDigests{
    "SHA1", "SHA2-224", "SHA2-256", "SHA2-384", "SHA2-512", "MD5", "MD5-SHA1"};
constexpr std::array<std::string_view, 1> kMacs{"HMAC"};
constexpr std::array<std::string_view, 3> kDerivations{"HKDF", "TLS13-KDF", "TLS1-PRF"};

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

/// Those of the default provider's algorithms that are needed, and the end of the list.
template <class IsNeeded>
std::vector<OSSL_ALGORITHM> those_that(IsNeeded is_needed, int operation) {
    std::vector<OSSL_ALGORITHM> needed;
    int no_cache = 0;
    const OSSL_ALGORITHM* all =
        OSSL_PROVIDER_query_operation(default_provider, operation, &no_cache);
    for (; all != nullptr && all->algorithm_names != nullptr; ++all) {
        if (is_needed(*all)) needed.push_back(*all);
    }
    needed.push_back({nullptr, nullptr, nullptr, nullptr});
    return needed;
}

/// By operation. Those that are not here have few algorithms.
using Needed = std::map<int, std::vector<OSSL_ALGORITHM>>;
Needed list_needed() {
    const std::pair<int, std::span<const std::string_view>> all[] = {
        {OSSL_OP_KEYMGMT, kManagedKeys},
        {OSSL_OP_SIGNATURE, kSignatures},
        {OSSL_OP_KEYEXCH, kExchanges},
        {OSSL_OP_CIPHER, kCiphers},
        {OSSL_OP_DIGEST, kDigests},
        {OSSL_OP_MAC, kMacs},
        {OSSL_OP_KDF, kDerivations}};
    Needed needed;
    for (const auto& [operation, names] : all) {
        needed[operation] = those_that(
            [&names = names](const auto& algorithm) { return is_one_of(names, algorithm); },
            operation);
    }
    needed[OSSL_OP_DECODER] = those_that(is_needed_decoder, OSSL_OP_DECODER);
    return needed;
}

// provider(7): what a provider answers to the library.

const OSSL_ALGORITHM* query_operation(void* /*context*/, int operation, int* no_cache) {
    static const Needed needed = list_needed();
    *no_cache = 0;
    const auto found = needed.find(operation);
    if (found != needed.end()) return found->second.data();
    return OSSL_PROVIDER_query_operation(default_provider, operation, no_cache);
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
