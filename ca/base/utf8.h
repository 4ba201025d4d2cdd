// Is it text? No I/O.
#pragma once

#include <string_view>

namespace hatchery {

/// Well-formed UTF-8 (RFC 3629) without U+0000: what MQTT takes for a string (3.1.1, 1.5.3).
bool is_utf8_text(std::string_view text);

}  // namespace hatchery
