#include "templates/text.h"

#include <algorithm>
#include <array>
#include <vector>

namespace hatchery::templates {

namespace {

constexpr std::size_t kShown = 80;
/// Longer words are nobody's typing error, and the distance costs the product of the lengths.
constexpr std::size_t kLongestWord = 64;

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Shell variables that are left in are upper case; lower case would catch the topic $aws/….
bool is_variable_character(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_policy_variable(std::string_view name) {
    return name.starts_with("iot:") || (name.starts_with("aws:") && !name.starts_with("aws::"));
}

/// Insertions, deletions, replacements and swaps of neighbours between `a` and `b`, without case.
std::size_t distance(std::string_view a, std::string_view b) {
    std::array<std::array<std::size_t, kLongestWord + 1>, 3> rows{};
    for (std::size_t j = 0; j <= b.size(); ++j)
        rows[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        auto& row = rows[i % 3];
        const auto& above = rows[(i + 2) % 3];
        const auto& two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0U : 1U)});
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1])) {
                row[j] = std::min(row[j], two_above[j - 2] + 1);
            }
        }
    }
    return rows[a.size() % 3][b.size()];
}

/// The one candidate that begins with `word`; nothing if there are several.
std::optional<std::string_view> completion(std::string_view word,
                                           std::span<const std::string_view> candidates) {
    std::optional<std::string_view> found;
    for (const std::string_view candidate : candidates) {
        if (word.size() < 3 || !candidate.starts_with(word)) continue;
        if (found) return std::nullopt;
        found = candidate;
    }
    return found;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
    if (text.empty()) return 0;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    std::size_t length = 0;
    if (first >= 0xC2 && first <= 0xDF) length = 2;
    if (first >= 0xE0 && first <= 0xEF) length = 3;
    if (first >= 0xF0 && first <= 0xF4) length = 4;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if (!is_continuation(text[i])) return 0;
    }
    // Overlong forms, surrogates and what lies beyond U+10FFFF (RFC 3629 section 4).
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return length;
}

std::size_t count_characters(std::string_view text) {
    std::size_t count = 0;
    while (!text.empty()) {
        text.remove_prefix(std::max<std::size_t>(1, utf8_length(text)));
        ++count;
    }
    return count;
}

void append_utf8(std::string& out, std::uint32_t code_point) {
    const auto put = [&](std::uint32_t byte) {
        out += static_cast<char>(static_cast<unsigned char>(byte));
    };
    if (code_point < 0x80) {
        put(code_point);
    } else if (code_point < 0x800) {
        put(0xC0U | (code_point >> 6U));
        put(0x80U | (code_point & 0x3FU));
    } else if (code_point < 0x10000) {
        put(0xE0U | (code_point >> 12U));
        put(0x80U | ((code_point >> 6U) & 0x3FU));
        put(0x80U | (code_point & 0x3FU));
    } else {
        put(0xF0U | (code_point >> 18U));
        put(0x80U | ((code_point >> 12U) & 0x3FU));
        put(0x80U | ((code_point >> 6U) & 0x3FU));
        put(0x80U | (code_point & 0x3FU));
    }
}

std::string printable(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    while (!text.empty()) {
        if (out.size() >= kShown) return out + "…";
        const std::size_t length = utf8_length(text);
        const auto byte = static_cast<unsigned char>(text.front());
        if (length == 0 || byte < 0x20 || byte == 0x7F) {
            out += "\\x";
            out += digits[byte >> 4U];
            out += digits[byte & 0xFU];
            text.remove_prefix(1);
        } else {
            out += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return out;
}

std::string in_quotes(std::string_view text) {
    return '"' + printable(text) + '"';
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return lower(x) == lower(y);
    });
}

std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates) {
    if (word.empty() || word.size() > kLongestWord) return std::nullopt;
    const std::size_t allowed = std::clamp<std::size_t>(word.size() / 4, 1, 3);
    std::optional<std::string_view> best;
    std::size_t best_distance = allowed + 1;
    for (const std::string_view candidate : candidates) {
        if (candidate.size() > kLongestWord) continue;
        const std::size_t d = distance(word, candidate);
        if (d < best_distance) {
            best = candidate;
            best_distance = d;
        }
    }
    return best ? best : completion(word, candidates);
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
    const auto found = nearest(word, candidates);
    return found ? "did you mean " + in_quotes(*found) + "?" : std::string();
}

std::optional<std::string_view> find_placeholder(std::string_view text) {
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        const std::string_view rest = text.substr(i);
        if (rest.starts_with("{{")) {
            const std::size_t end = rest.find("}}");
            if (end != std::string_view::npos) return rest.substr(0, end + 2);
        }
        if (rest[0] != '$') continue;
        if (rest[1] == '{') {
            const std::size_t end = rest.find('}');
            if (end == std::string_view::npos) continue;
            const std::string_view name = rest.substr(2, end - 2);
            // The escapes ${*} ${?} ${$} of policies are no placeholders either.
            if (name.empty() || is_policy_variable(name) || name.find_first_of("*?$!") == 0)
                continue;
            return rest.substr(0, end + 1);
        }
        std::size_t end = 1;
        while (end < rest.size() && is_variable_character(rest[end]))
            ++end;
        if (end > 2 && rest.substr(0, end) != "$SYS") return rest.substr(0, end);
    }
    return std::nullopt;
}

}  // namespace hatchery::templates
