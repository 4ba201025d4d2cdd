// Lists come in pages, ordered by name, or by creation where that is AWS's order or the only cheap
// one. A position names the last row seen and not a count, so pages stay right while rows come and
// go. It is opaque: fronts wrap `next` into their tokens.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace hatchery::registry {

struct PageRequest {
    std::string after;  ///< `next` of the page before; empty = from the start
    int limit = 250;    ///< 1-250
};

template <class T>
struct Page {
    std::vector<T> items;
    std::optional<std::string> next;  ///< set when there is more
};

}  // namespace hatchery::registry
