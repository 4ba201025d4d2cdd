#include "ca/running_digest.h"

#include <openssl/evp.h>

#include <cstdlib>

namespace hatchery::ca {

RunningSha256::RunningSha256() : context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) std::abort();
}

void RunningSha256::add(ByteView data) {
    if (EVP_DigestUpdate(context_.get(), data.data(), data.size()) != 1) std::abort();
}

std::array<std::uint8_t, 32> RunningSha256::finish() {
    std::array<std::uint8_t, 32> out{};
    if (EVP_DigestFinal_ex(context_.get(), out.data(), nullptr) != 1) std::abort();
    return out;
}

void RunningSha256::Free::operator()(evp_md_ctx_st* context) const {
    EVP_MD_CTX_free(context);
}

}  // namespace hatchery::ca
