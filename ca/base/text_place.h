// Where in a text something is, as people and editors read it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hatchery {

/// A place in a text, both from 1; the column in octets.
struct TextPlace {
    std::size_t line = 1;
    std::size_t column = 1;
};

/// "source:line:column": what an Error's `where` says of a text.
inline std::string place_in(std::string_view source, TextPlace at) {
    return std::string(source) + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

}  // namespace hatchery
