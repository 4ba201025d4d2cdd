#include "ca/base/utf8.h"

#include <cstdint>
#include <optional>

namespace hatchery {
namespace {

/// The length of the UTF-8 sequence that starts with `lead` and the lowest code point it may hold.
struct Sequence {
    std::size_t size;
    std::uint32_t lowest;
    std::uint32_t first_bits;
};
std::optional<Sequence> sequence_of(std::uint8_t lead) {
    if (lead < 0x80) return Sequence{1, 0x01, lead};  // U+0000 is forbidden in MQTT
    if ((lead & 0xE0) == 0xC0) return Sequence{2, 0x80, lead & 0x1FU};
    if ((lead & 0xF0) == 0xE0) return Sequence{3, 0x800, lead & 0x0FU};
    if ((lead & 0xF8) == 0xF0) return Sequence{4, 0x10000, lead & 0x07U};
    return std::nullopt;
}

}  // namespace

bool is_utf8_text(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const auto sequence = sequence_of(static_cast<std::uint8_t>(text[at]));
        if (!sequence || text.size() - at < sequence->size) return false;
        std::uint32_t code_point = sequence->first_bits;
        for (std::size_t i = 1; i < sequence->size; ++i) {
            const auto byte = static_cast<std::uint8_t>(text[at + i]);
            if ((byte & 0xC0) != 0x80) return false;
            code_point = code_point << 6 | (byte & 0x3FU);
        }
        const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
        if (code_point < sequence->lowest || code_point > 0x10FFFF || is_surrogate) return false;
        at += sequence->size;
    }
    return true;
}

}  // namespace hatchery
