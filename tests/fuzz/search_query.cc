// A search query and a thing that it may match: nothing crashes, and a query that parses decides.
#include "provisioning/registry/search.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hatchery::registry;
    // libFuzzer's bytes are text here; the cast is what it asks for.
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto query = SearchQuery::parse(text);
    if (!query) {
        if (query.error().where != "queryString") std::abort();
        return 0;
    }
    FoundThing found;
    found.thing.name = "tv-1";
    found.thing.id = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    found.thing.thing_type = "Sensor";
    found.thing.attributes = {{"color", "blue"}, {"size", "10"}};
    found.groups = {"hall", "plant"};
    (void)matches(*query, found);
    return 0;
}
