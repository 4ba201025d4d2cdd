#include "ca/base/toml_guard.h"

#include <algorithm>
#include <string>

namespace hatchery {

namespace {

bool is_toml_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/// May `c` follow the bracket, or brackets, of a table header?
bool begins_table_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '"' || c == '\'';
}

/// Does a character that is not ASCII follow the backslash at `at`, or the line break that it
/// hides? No escape of TOML's, and toml++ asks whether it is white space, which it cannot tell of
/// "é".
bool escapes_unicode(std::string_view toml, std::size_t at) {
    const std::size_t next = toml.find_first_not_of(" \t\r\n", at + 1);
    return next != std::string_view::npos && static_cast<unsigned char>(toml[next]) >= 0x80;
}

/// The end of the string that begins at `at`, behind its quotes; the text's end if it has none,
/// nothing if toml++ must not see it.
std::optional<std::size_t> end_of_string(std::string_view toml, std::size_t at) {
    const char quote = toml[at];
    const std::string_view three = quote == '"' ? "\"\"\"" : "'''";
    const bool is_long = toml.substr(at).starts_with(three);
    at += is_long ? 3 : 1;
    while (at < toml.size()) {
        if (toml[at] == '\\' && quote == '"') {
            if (escapes_unicode(toml, at)) return std::nullopt;
            at += 2;
        } else if (is_long && toml.substr(at).starts_with(three)) {
            at += 3;
            // Up to two quotes more belong to the content.
            for (int more = 0; more < 2 && at < toml.size() && toml[at] == quote; ++more)
                ++at;
            return at;
        } else if (!is_long && (toml[at] == quote || toml[at] == '\n')) {
            return toml[at] == quote ? at + 1 : at;
        } else {
            ++at;
        }
    }
    return toml.size();
}

/// Where the name of the table header at `at` should be and is not; nothing if it is there.
std::optional<std::size_t> missing_table_name(std::string_view toml, std::size_t at) {
    static constexpr std::string_view blanks = " \t";
    std::size_t name = toml.find_first_not_of(blanks, at + 1);
    if (name != std::string_view::npos && toml[name] == '[') {
        name = toml.find_first_not_of(blanks, name + 1);
    }
    if (name == std::string_view::npos) return toml.size();
    if (begins_table_name(toml[name]) || toml[name] == ']') return std::nullopt;
    return name;
}

/// Follows TOML's tokens just so far that what toml++ must not see is found.
class TomlScan {
  public:
    explicit TomlScan(std::string_view toml) : toml_(toml) {}
    /// Where the first offence is, or nothing.
    std::optional<std::size_t> find();

  private:
    bool step();
    bool header();
    bool string();
    bool bracket(char c);
    bool equals();
    bool dot();
    /// A string or bracket that touches what is before it is read on as part of a number or key.
    bool stands_alone() const;

    std::string_view toml_;
    std::size_t at_ = 0;
    std::string open_;      ///< brackets: one at the start of a line inside another is no header
    std::size_t dots_ = 0;  ///< of this key
    bool is_line_start_ = true;
    bool is_value_ = false;  ///< behind "="
};

bool TomlScan::stands_alone() const {
    static constexpr std::string_view separators = "=[{,";
    if (at_ == 0) return true;
    const char before = toml_[at_ - 1];
    return is_toml_blank(before) || separators.find(before) != std::string_view::npos ||
           (before == '.' && !is_value_);
}

bool TomlScan::header() {
    if (const auto name = missing_table_name(toml_, at_); name) {
        at_ = *name;
        return false;
    }
    at_ = std::min(toml_.find_first_not_of("[ \t", at_), toml_.size());
    return true;
}

bool TomlScan::string() {
    const auto end = stands_alone() ? end_of_string(toml_, at_) : std::nullopt;
    if (end) at_ = *end;
    return end.has_value();
}

/// "]" alone is the end of a table header.
bool TomlScan::bracket(char c) {
    static constexpr std::size_t kMaxNesting = 32;
    if (c == '[' || c == '{') {
        if (!stands_alone() || open_.size() >= kMaxNesting) return false;
        open_ += c;
        is_value_ = c == '[' && is_value_;
    } else if (open_.empty()) {
        if (c == '}') return false;
    } else {
        if (open_.back() != (c == ']' ? '[' : '{')) return false;
        open_.pop_back();
        is_value_ = true;
    }
    ++at_;
    return true;
}

bool TomlScan::equals() {
    if (is_value_) return false;
    is_value_ = true;
    ++at_;
    return true;
}

/// A dotted key is a table in a table; toml++ takes them apart by recursion, as deep as they go.
bool TomlScan::dot() {
    static constexpr std::size_t kMaxDots = 16;
    if (dots_ == kMaxDots) return false;
    ++dots_;
    ++at_;
    return true;
}

/// One token. False: it is the offence.
bool TomlScan::step() {
    static constexpr std::string_view key_ends = "\n=,[{";
    const char c = toml_[at_];
    if (key_ends.find(c) != std::string_view::npos) dots_ = 0;
    if (is_toml_blank(c)) {
        const bool is_end = c == '\n' || c == '\r';
        is_line_start_ = is_line_start_ || is_end;
        if (is_end && open_.empty()) is_value_ = false;
        ++at_;
        return true;
    }
    if (c == '#') {
        at_ = std::min(toml_.find('\n', at_), toml_.size());
        return true;
    }
    if (c < ' ' || c > '~') return false;
    if (c == '[' && is_line_start_ && open_.empty()) {
        is_line_start_ = false;
        return header();
    }
    is_line_start_ = false;
    if (c == '"' || c == '\'') return string();
    if (c == '[' || c == ']' || c == '{' || c == '}') return bracket(c);
    if (c == '=') return equals();
    if (c == '.') return dot();
    if (c == ',' && !open_.empty() && open_.back() == '{') is_value_ = false;
    ++at_;
    return true;
}

std::optional<std::size_t> TomlScan::find() {
    const auto control = std::ranges::find_if(
        toml_, [](char c) { return (c >= 0 && c < ' ' && !is_toml_blank(c)) || c == '\x7f'; });
    if (control != toml_.end()) return static_cast<std::size_t>(control - toml_.begin());
    // A byte order mark is the one thing that may stand before the text.
    at_ = toml_.starts_with("\xef\xbb\xbf") ? 3 : 0;
    while (at_ < toml_.size()) {
        if (!step()) return at_;
    }
    return std::nullopt;
}

TextPlace place_of(std::string_view toml, std::size_t at) {
    const std::string_view before = toml.substr(0, std::min(at, toml.size()));
    const auto lines = static_cast<std::size_t>(std::ranges::count(before, '\n'));
    const std::size_t line_end = before.rfind('\n');
    const std::size_t line_at = line_end == std::string_view::npos ? 0 : line_end + 1;
    return {lines + 1, before.size() - line_at + 1};
}

}  // namespace

std::optional<TextPlace> find_unreadable_toml(std::string_view toml) {
    const auto at = TomlScan(toml).find();
    if (!at) return std::nullopt;
    return place_of(toml, *at);
}

}  // namespace hatchery
