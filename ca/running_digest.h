// SHA-256 of what comes in pieces.
#pragma once

#include "ca/base/bytes.h"

#include <array>
#include <memory>

struct evp_md_ctx_st;

namespace hatchery::ca {

/// One digest; aborts if OpenSSL has no memory, as sha256 does. One thread at a time.
class RunningSha256 {
  public:
    RunningSha256();
    void add(ByteView data);
    /// Of all that was added; nothing may be added after it.
    std::array<std::uint8_t, 32> finish();

  private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
    };
    std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace hatchery::ca
