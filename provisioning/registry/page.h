// Lists come in pages, ordered by name (or id); the position is the last name seen, so pages stay
// right while rows come and go. Fronts wrap `next` into their opaque tokens.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace hatchery::registry {

struct PageRequest {
    std::string after;  ///< exclusive; empty = from the start
    int limit = 250;    ///< 1-250
};

template <class T>
struct Page {
    std::vector<T> items;
    std::optional<std::string> next;  ///< set when there is more
};

}  // namespace hatchery::registry
