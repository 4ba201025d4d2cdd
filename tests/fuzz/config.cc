// Any text as a hatchery.toml: what is wrong with it has a place.
#include "tools/hatchery/config.h"

#include "ca/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hatchery;
    const auto config = command::parse_config(text_of({data, size}), "fuzz");
    if (!config && config.error().where.empty()) std::abort();
    if (config && !command::check_account_id(config->account.id)) std::abort();
    return 0;
}
