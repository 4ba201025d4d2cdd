// What toml++ 3 does not survive: asked before every text that it parses.
#pragma once

#include "ca/base/text_place.h"

#include <optional>
#include <string_view>

namespace hatchery {

/// What a refusal says was expected.
inline constexpr std::string_view kReadableToml =
    "expected TOML 1.0, brackets at most 32 deep, keys of at most 16 dots";

/// Where `toml` has what toml++ 3 asserts on, or calls unreachable, instead of reporting it:
/// outside of strings and comments an octet that is neither printable ASCII nor white space, and a
/// table header without a name ("[%"); a string that touches what is before it; brackets that do
/// not pair. None is TOML 1.0, nor is a control character anywhere. And where brackets lie more
/// than 32 deep or a key has more than 16 dots: recursion that could end the stack. Nothing: toml++
/// can have it.
std::optional<TextPlace> find_unreadable_toml(std::string_view toml);

}  // namespace hatchery
