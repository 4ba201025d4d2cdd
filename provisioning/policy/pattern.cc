#include "provisioning/policy/pattern.h"

#include "provisioning/policy/text.h"

#include <algorithm>
#include <charconv>

namespace hatchery::policy {

namespace {

constexpr std::string_view kEscaped = ",\"\\+=<>;";
constexpr std::string_view kListSuffix = ".List";
constexpr std::string_view kCertificatePrefix = "iot:Certificate.";
/// "up to five values per attribute" (Developer Guide, "X.509 certificate policy variables").
constexpr std::size_t kMaxValues = 5;
constexpr std::size_t kMaxSubstitutedCharacters = 1024;

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

/// Key names are compared without regard to case (IAM), except a thing attribute's own name.
const std::vector<std::string>* find_values(const Context& context, std::string_view name) {
    if (auto it = context.values.find(name); it != context.values.end()) return &it->second;
    if (name.find('[') != std::string_view::npos) return nullptr;
    for (const auto& [key, values] : context.values) {
        if (equal_ignoring_case(key, name)) return &values;
    }
    return nullptr;
}

bool may_substitute(const KeyName& key, std::string_view value) {
    if (!key.is_certificate()) return true;
    return value.find_first_of("*$+?#") == std::string_view::npos &&
           count_characters(value) <= kMaxSubstitutedCharacters;
}

}  // namespace

KeyName::KeyName(std::string_view name)
    : name_(name), reference_("${" + std::string(name) + "}"), base_(name) {
    is_certificate_ = starts_with_ignoring_case(name, kCertificatePrefix);
    is_list_ = !is_certificate_ || equal_ignoring_case(name, "iot:Certificate.AvailableKeys");
    if (ends_with_ignoring_case(name, kListSuffix)) {
        base_ = name.substr(0, name.size() - kListSuffix.size());
        is_list_ = true;
        return;
    }
    const auto dot = name.rfind('.');
    if (dot == std::string_view::npos || dot + 1 == name.size()) return;
    std::size_t index = 0;
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + dot + 1, end, index);
    if (error != std::errc{} || stop != end) return;
    base_ = name.substr(0, dot);
    index_ = index;
    is_list_ = false;
}

std::span<const std::string> KeyName::values(const Context& context) const {
    // A key of just this spelling wins over reading its end as .N or .List.
    if (const auto* values = find_values(context, name_); values != nullptr) {
        std::span<const std::string> all(*values);
        return is_list_ || all.empty() ? all : all.first(1);
    }
    if (base_ == name_) return {};
    const auto* values = find_values(context, base_);
    if (values == nullptr) return {};
    const auto all =
        std::span<const std::string>(*values).first(std::min(values->size(), kMaxValues));
    if (!index_) return all;
    return *index_ < all.size() ? all.subspan(*index_, 1) : std::span<const std::string>{};
}

SeenValue::SeenValue(const KeyName& key, std::string_view value) : value_(value) {
    if (!key.is_certificate() || value.find_first_of(kEscaped) == std::string_view::npos) return;
    for (char c : value) {
        if (kEscaped.find(c) != std::string_view::npos) escaped_ += '\\';
        escaped_ += c;
    }
}

std::optional<Values> substitute(const Variables& variables, const Context& context) {
    Values values;
    for (const auto& variable : variables) {
        const auto found = variable.values(context);
        // A list has no text of its own: NAME.List is for conditions only.
        const bool is_set = variable.is_certificate() && variable.is_list();
        if (found.empty() || is_set) return std::nullopt;
        if (!may_substitute(variable, found.front())) {
            values.add(variable.reference());
            continue;
        }
        const SeenValue seen(variable, found.front());
        if (seen.is_escaped()) {
            values.add_made(std::string(seen.text()));
        } else {
            values.add(found.front());
        }
    }
    return values;
}

namespace {

/// Builds a Pattern: joins neighbouring literals and neighbouring `*`.
class PatternBuilder {
  public:
    void literal(char c) {
        if (pattern_.empty() || pattern_.back().kind != Token::Kind::Literal) {
            pattern_.push_back({Token::Kind::Literal, 0, {}});
        }
        pattern_.back().literal += c;
    }
    void any_run() {
        if (!pattern_.empty() && pattern_.back().kind == Token::Kind::AnyRun) return;
        pattern_.push_back({Token::Kind::AnyRun, 0, {}});
    }
    void any_one() { pattern_.push_back({Token::Kind::AnyOne, 0, {}}); }
    void variable(std::string_view name, Variables& variables) {
        auto it = std::find_if(variables.begin(), variables.end(), [&](const KeyName& known) {
            return known.text() == name;
        });
        if (it == variables.end()) it = variables.insert(it, KeyName(name));
        pattern_.push_back(
            {Token::Kind::Variable, static_cast<std::uint16_t>(it - variables.begin()), {}});
    }
    Pattern take() { return std::move(pattern_); }

  private:
    Pattern pattern_;
};

}  // namespace

Result<Pattern> parse_pattern(std::string_view text, PatternOptions options, Variables& variables) {
    PatternBuilder builder;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (options.variables && text.substr(i, 2) == "${") {
            const auto end = text.find('}', i);
            if (end == std::string_view::npos || end == i + 2) {
                return fail(Code::MalformedPolicy,
                            "expected ${NAME}, found " + quote(text.substr(i)));
            }
            const auto name = text.substr(i + 2, end - i - 2);
            // IAM's escapes for the three special characters.
            if (name == "*" || name == "?" || name == "$") {
                builder.literal(name[0]);
            } else {
                builder.variable(name, variables);
            }
            i = end;
        } else if (options.wildcards && c == '*') {
            builder.any_run();
        } else if (options.wildcards && c == '?') {
            builder.any_one();
        } else {
            builder.literal(c);
        }
    }
    return builder.take();
}

namespace {

/// The length of what `token` (not AnyRun) takes from the front of `text`; nothing if it differs.
std::optional<std::size_t> match_token(const Token& token,
                                       const Values& values,
                                       std::string_view text) {
    if (token.kind == Token::Kind::AnyOne) {
        // One character, not one byte; and never the tail of a character that a `*` cut.
        if (text.empty() || is_continuation(text[0])) return std::nullopt;
        std::size_t length = 1;
        while (length < text.size() && is_continuation(text[length]))
            ++length;
        return length;
    }
    const std::string_view literal = token.kind == Token::Kind::Variable
                                         ? values[token.variable]
                                         : std::string_view(token.literal);
    if (!text.starts_with(literal)) return std::nullopt;
    return literal.size();
}

}  // namespace

bool matches(std::span<const Token> pattern, const Values& values, std::string_view text) {
    // After the last `*` the leftmost match of what follows is as good as any, so going back to
    // that one `*` only is enough: no recursion, no exponential case.
    std::size_t next = 0;
    std::size_t position = 0;
    std::optional<std::size_t> after_star;
    std::size_t star_position = 0;
    while (true) {
        if (next < pattern.size() && pattern[next].kind == Token::Kind::AnyRun) {
            if (++next == pattern.size()) return true;
            after_star = next;
            star_position = position;
            continue;
        }
        if (next < pattern.size()) {
            if (auto taken = match_token(pattern[next], values, text.substr(position)); taken) {
                position += *taken;
                ++next;
                continue;
            }
        } else if (position == text.size()) {
            return true;
        }
        if (!after_star || star_position == text.size()) return false;
        position = ++star_position;
        next = *after_star;
    }
}

std::string expand(const Pattern& pattern, const Values& values) {
    std::string text;
    for (const auto& token : pattern) {
        switch (token.kind) {
            case Token::Kind::Literal:
                text += token.literal;
                break;
            case Token::Kind::Variable:
                text += values[token.variable];
                break;
            case Token::Kind::AnyRun:
                text += '*';
                break;
            case Token::Kind::AnyOne:
                text += '?';
                break;
        }
    }
    return text;
}

ArnParts::ArnParts(std::string_view arn) : whole_(arn) {
    while (count_ < parts_.size() - 1) {
        const auto colon = arn.find(':');
        if (colon == std::string_view::npos) break;
        parts_[count_++] = arn.substr(0, colon);
        arn.remove_prefix(colon + 1);
    }
    parts_[count_++] = arn;
}

ArnPattern split_arn(Pattern pattern) {
    ArnPattern arn;
    arn.parts.emplace_back();
    for (auto& token : pattern) {
        if (token.kind != Token::Kind::Literal) {
            arn.parts.back().push_back(token);
            continue;
        }
        std::string_view rest = token.literal;
        for (auto colon = rest.find(':'); colon != std::string_view::npos && arn.parts.size() < 6;
             colon = rest.find(':')) {
            if (colon > 0) {
                arn.parts.back().push_back(
                    {Token::Kind::Literal, 0, std::string(rest.substr(0, colon))});
            }
            arn.parts.emplace_back();
            rest.remove_prefix(colon + 1);
        }
        if (!rest.empty()) arn.parts.back().push_back({Token::Kind::Literal, 0, std::string(rest)});
    }
    if (arn.parts.size() < 6) {
        arn.parts.clear();
        arn.parts.push_back(std::move(pattern));
    }
    return arn;
}

bool matches(const ArnPattern& pattern, const Values& values, const ArnParts& arn) {
    if (pattern.parts.size() == 1) return matches(pattern.parts.front(), values, arn.whole());
    const auto parts = arn.parts();
    if (parts.size() != pattern.parts.size()) return false;
    // The resource, last, differs most often.
    for (std::size_t i = parts.size(); i-- > 0;) {
        if (!matches(pattern.parts[i], values, parts[i])) return false;
    }
    return true;
}

}  // namespace hatchery::policy
