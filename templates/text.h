// Small questions about text: UTF-8, edit distance, placeholders, how to show a value in a message.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hatchery::templates {

/// Bytes of the well-formed UTF-8 character at the start of `text` (RFC 3629), 0 if there is none.
std::size_t utf8_length(std::string_view text);
/// Characters, not bytes; a byte that is no UTF-8 counts as one.
std::size_t count_characters(std::string_view text);
void append_utf8(std::string& out, std::uint32_t code_point);

/// `text` with control characters and broken UTF-8 made visible, at most about 80 bytes of it.
std::string printable(std::string_view text);
/// printable in double quotes.
std::string in_quotes(std::string_view text);

bool equal_ignoring_case(std::string_view a, std::string_view b);

/// The candidate that `word` was probably meant to be: equal but for case, or a few typing errors
/// away, or the only one that begins with it; nothing if there is none.
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates);
/// `did you mean "X"?`, or empty.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

/// A placeholder of a host language that was left in: ${AWS::Region} (but no policy variable such
/// as ${iot:ClientId}), {{name}}, $NAME. The first one in `text`.
std::optional<std::string_view> find_placeholder(std::string_view text);

}  // namespace hatchery::templates
