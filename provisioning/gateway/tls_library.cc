#include "provisioning/gateway/tls_library.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace hatchery::gateway {
namespace {

constexpr const char* kProviderName = "hatchery-tls";
constexpr std::string_view kPublicKeyProperty = "structure=SubjectPublicKeyInfo";
constexpr std::array<std::string_view, 5> kSigningKeys{"EC", "RSA", "RSA-PSS", "ED25519", "ED448"};

/// The whole default provider; lives in a context of its own, as long as the process.
OSSL_PROVIDER* default_provider = nullptr;

bool is_needed(const OSSL_ALGORITHM& decoder) {
    const std::string_view names(decoder.algorithm_names);  // "RSA:rsaEncryption:1.2.840…"
    const std::string_view properties(decoder.property_definition);
    const auto name = names.substr(0, names.find(':'));
    return properties.find(kPublicKeyProperty) != std::string_view::npos &&
           std::find(kSigningKeys.begin(), kSigningKeys.end(), name) != kSigningKeys.end();
}

std::vector<OSSL_ALGORITHM> needed_decoders() {
    std::vector<OSSL_ALGORITHM> needed;
    int no_cache = 0;
    const OSSL_ALGORITHM* all =
        OSSL_PROVIDER_query_operation(default_provider, OSSL_OP_DECODER, &no_cache);
    for (; all != nullptr && all->algorithm_names != nullptr; ++all) {
        if (is_needed(*all)) needed.push_back(*all);
    }
    needed.push_back({nullptr, nullptr, nullptr, nullptr});
    return needed;
}

// provider(7): what a provider answers to the library.

const OSSL_ALGORITHM* query_operation(void* /*context*/, int operation, int* no_cache) {
    if (operation != OSSL_OP_DECODER) {
        return OSSL_PROVIDER_query_operation(default_provider, operation, no_cache);
    }
    static const auto decoders = needed_decoders();
    *no_cache = 0;
    return decoders.data();
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
