// Any text as a certificate profile.
#include "ca/profile.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hatchery;
    const auto profile = ca::Profile::parse(text_of({data, size}), "fuzz");
    if (!profile && profile.error().where.empty()) std::abort();
    if (profile && (profile->keys.empty() || profile->key_usage.empty())) std::abort();
    return 0;
}
