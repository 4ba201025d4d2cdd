// Policy text that is matched: literals, wildcards and policy variables, parsed once.
#pragma once

#include "provisioning/policy/policy.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::policy {

/// A context key as policy text names it: NAME, NAME.N (the N-th value, from zero) or NAME.List.
class KeyName {
  public:
    explicit KeyName(std::string_view name);
    const std::string& text() const { return name_; }
    /// "${NAME}", as it stays where the value is not substituted.
    const std::string& reference() const { return reference_; }
    /// All values that the name stands for, in order; empty if the key is unset.
    std::span<const std::string> values(const Context& context) const;
    /// Does NAME.List or a key of several values (iot:ConnectAttributes) stand here?
    bool is_list() const { return is_list_; }
    /// Values of the certificate are escaped and sometimes not substituted (Developer Guide, "X.509
    /// certificate policy variables").
    bool is_certificate() const { return is_certificate_; }

  private:
    std::string name_;
    std::string reference_;
    std::string base_;                  ///< the name without .N or .List
    std::optional<std::size_t> index_;  ///< of NAME.N
    bool is_list_ = false;
    bool is_certificate_ = false;
};

/// A value as policies see it: with `, " \ + = < > ;` escaped if it comes from a certificate.
class SeenValue {
  public:
    SeenValue(const KeyName& key, std::string_view value);
    std::string_view text() const { return escaped_.empty() ? value_ : std::string_view(escaped_); }
    bool is_escaped() const { return !escaped_.empty(); }

  private:
    std::string_view value_;
    std::string escaped_;
};

/// The variables of one statement, each once. Patterns refer to them by index.
using Variables = std::vector<KeyName>;
/// The values of a statement's Variables for one request. Views into the Context and the document;
/// a few need no memory of their own, only escaped ones do.
class Values {
  public:
    Values() = default;
    Values(Values&&) = default;
    Values& operator=(Values&&) = delete;
    Values(const Values&) = delete;
    Values& operator=(const Values&) = delete;
    ~Values() = default;

    std::string_view operator[](std::size_t index) const {
        return index < kFew ? few_[index] : more_[index - kFew];
    }
    void add(std::string_view value) {
        if (count_++ < kFew) {
            few_[count_ - 1] = value;
        } else {
            more_.push_back(value);
        }
    }
    void add_made(std::string value) { add(made_.emplace_back(std::move(value))); }

  private:
    static constexpr std::size_t kFew = 8;
    std::array<std::string_view, kFew> few_{};
    std::size_t count_ = 0;
    std::vector<std::string_view> more_;
    std::list<std::string> made_;  // stays in place when the others move
};

/// Substitutes `variables`; nothing if one of them is unset. A certificate value over 1,024
/// characters or with one of * $ + ? # is not substituted: its ${...} text stays as it is.
std::optional<Values> substitute(const Variables& variables, const Context& context);

struct Token {
    enum class Kind : std::uint8_t { Literal, Variable, AnyRun, AnyOne };
    Kind kind = Kind::Literal;
    std::uint16_t variable = 0;  ///< index into Variables
    std::string literal;
};
using Pattern = std::vector<Token>;

struct PatternOptions {
    bool wildcards = true;
    bool variables = true;  ///< false under Version 2008-10-17: ${...} is plain text
};

/// @errors MalformedPolicy  "${" without a name and "}"; `where` is left to the caller
Result<Pattern> parse_pattern(std::string_view text, PatternOptions options, Variables& variables);

/// Does all of `text` match? Time is at most length of pattern times length of text; no recursion.
bool matches(std::span<const Token> pattern, const Values& values, std::string_view text);
/// The pattern's text with its variables filled in; wildcards stay.
std::string expand(const Pattern& pattern, const Values& values);

/// An ARN split at its first five colons, so that a `*` for the account can't swallow the resource
/// type. A text with fewer colons is one part.
class ArnParts {
  public:
    explicit ArnParts(std::string_view arn);
    std::string_view whole() const { return whole_; }
    std::span<const std::string_view> parts() const { return {parts_.data(), count_}; }

  private:
    std::string_view whole_;
    std::array<std::string_view, 6> parts_;
    std::size_t count_ = 0;
};

/// A resource or ARN pattern: six parts that match one by one, or one part for the whole ("*").
struct ArnPattern {
    std::vector<Pattern> parts;
};
ArnPattern split_arn(Pattern pattern);
bool matches(const ArnPattern& pattern, const Values& values, const ArnParts& arn);

}  // namespace hatchery::policy
