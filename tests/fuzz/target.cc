// Any bytes as a request target: refused, or parsed into what a second parse of its path agrees
// with.
#include "provisioning/api/target.h"

#include "provisioning/api/routes.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hatchery::api;
    const std::string_view raw(reinterpret_cast<const char*>(data), size);
    const auto target = parse_target(raw);
    if (!target) return 0;
    const auto again = parse_target(target->path);
    // What is signed (path) and what is routed (segments) are the same resource.
    if (!again || again->segments != target->segments || again->path != target->path) std::abort();
    for (const auto* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
        const Match found = match(method, target->segments);
        if (found.route != nullptr && found.labels.size() > target->segments.size()) std::abort();
    }
    return 0;
}
