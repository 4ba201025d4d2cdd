#include "provisioning/policy/condition.h"

#include "provisioning/policy/text.h"

#include <algorithm>
#include <array>

namespace hatchery::policy {

namespace {

struct OperatorName {
    std::string_view name;
    Comparison comparison;
    bool is_negated;
};

/// IAM User Guide, "IAM JSON policy elements: Condition operators".
constexpr std::array kOperators{
    OperatorName{"StringEquals", Comparison::StringEquals, false},
    OperatorName{"StringNotEquals", Comparison::StringEquals, true},
    OperatorName{"StringEqualsIgnoreCase", Comparison::StringEqualsIgnoreCase, false},
    OperatorName{"StringNotEqualsIgnoreCase", Comparison::StringEqualsIgnoreCase, true},
    OperatorName{"StringLike", Comparison::StringLike, false},
    OperatorName{"StringNotLike", Comparison::StringLike, true},
    OperatorName{"NumericEquals", Comparison::NumericEquals, false},
    OperatorName{"NumericNotEquals", Comparison::NumericEquals, true},
    OperatorName{"NumericLessThan", Comparison::NumericLessThan, false},
    OperatorName{"NumericLessThanEquals", Comparison::NumericLessThanEquals, false},
    OperatorName{"NumericGreaterThan", Comparison::NumericGreaterThan, false},
    OperatorName{"NumericGreaterThanEquals", Comparison::NumericGreaterThanEquals, false},
    OperatorName{"DateEquals", Comparison::DateEquals, false},
    OperatorName{"DateNotEquals", Comparison::DateEquals, true},
    OperatorName{"DateLessThan", Comparison::DateLessThan, false},
    OperatorName{"DateLessThanEquals", Comparison::DateLessThanEquals, false},
    OperatorName{"DateGreaterThan", Comparison::DateGreaterThan, false},
    OperatorName{"DateGreaterThanEquals", Comparison::DateGreaterThanEquals, false},
    OperatorName{"Bool", Comparison::Bool, false},
    OperatorName{"IpAddress", Comparison::IpAddress, false},
    OperatorName{"NotIpAddress", Comparison::IpAddress, true},
    // "ArnEquals and ArnLike behave identically" (IAM User Guide).
    OperatorName{"ArnEquals", Comparison::Arn, false},
    OperatorName{"ArnLike", Comparison::Arn, false},
    OperatorName{"ArnNotEquals", Comparison::Arn, true},
    OperatorName{"ArnNotLike", Comparison::Arn, true},
    OperatorName{"Null", Comparison::Null, false},
};

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

bool take_suffix(std::string_view& text, std::string_view suffix) {
    if (!text.ends_with(suffix)) return false;
    text.remove_suffix(suffix.size());
    return true;
}

}  // namespace

Result<Operator> parse_operator(std::string_view name) {
    std::string_view rest = name;
    Operator op;
    if (take_prefix(rest, "ForAllValues:")) {
        op.set = Operator::Set::ForAllValues;
    } else if (take_prefix(rest, "ForAnyValue:")) {
        op.set = Operator::Set::ForAnyValue;
    }
    op.if_exists = take_suffix(rest, "IfExists");
    const auto* known = std::find_if(
        kOperators.begin(), kOperators.end(), [&](const auto& o) { return o.name == rest; });
    if (known == kOperators.end()) {
        return fail(Code::MalformedPolicy, "unknown condition operator " + quote(name));
    }
    op.comparison = known->comparison;
    op.is_negated = known->is_negated;
    const bool is_modified = op.if_exists || op.set != Operator::Set::None;
    if (op.comparison == Comparison::Null && is_modified) {
        return fail(Code::MalformedPolicy,
                    "Null takes no IfExists and no set, found " + quote(name));
    }
    return op;
}

namespace {

template <class T>
Typed typed(std::optional<T> value) {
    if (!value) return std::monostate{};
    return *std::move(value);
}

Typed read_typed(Comparison comparison, std::string_view text) {
    switch (comparison) {
        case Comparison::StringEquals:
        case Comparison::StringEqualsIgnoreCase:
        case Comparison::StringLike:
        case Comparison::Arn:
            return std::string(text);
        case Comparison::NumericEquals:
        case Comparison::NumericLessThan:
        case Comparison::NumericLessThanEquals:
        case Comparison::NumericGreaterThan:
        case Comparison::NumericGreaterThanEquals:
            return typed(Decimal::parse(text));
        case Comparison::DateEquals:
        case Comparison::DateLessThan:
        case Comparison::DateLessThanEquals:
        case Comparison::DateGreaterThan:
        case Comparison::DateGreaterThanEquals:
            return typed(parse_instant(text));
        case Comparison::Bool:
        case Comparison::Null:
            return typed(parse_bool(text));
        case Comparison::IpAddress:
            return typed(IpRange::parse(text));
    }
    return std::monostate{};
}

std::string_view type_name(Comparison comparison) {
    switch (comparison) {
        case Comparison::NumericEquals:
        case Comparison::NumericLessThan:
        case Comparison::NumericLessThanEquals:
        case Comparison::NumericGreaterThan:
        case Comparison::NumericGreaterThanEquals:
            return "a decimal number";
        case Comparison::DateEquals:
        case Comparison::DateLessThan:
        case Comparison::DateLessThanEquals:
        case Comparison::DateGreaterThan:
        case Comparison::DateGreaterThanEquals:
            return "an ISO 8601 date or seconds since 1970";
        case Comparison::Bool:
        case Comparison::Null:
            return "true or false";
        case Comparison::IpAddress:
            return "an IP address or range";
        default:
            return "a string";
    }
}

bool has_wildcards(Comparison comparison) {
    return comparison == Comparison::StringLike || comparison == Comparison::Arn;
}

}  // namespace

Result<ConditionValue> parse_condition_value(Comparison comparison,
                                             std::string_view text,
                                             bool substitute_variables,
                                             Variables& variables) {
    auto pattern =
        parse_pattern(text, {has_wildcards(comparison), substitute_variables}, variables);
    if (!pattern) return std::move(pattern).error();
    ConditionValue value{*std::move(pattern), {}, std::nullopt};
    const bool has_variable = std::any_of(value.pattern.begin(), value.pattern.end(), [](auto& t) {
        return t.kind == Token::Kind::Variable;
    });
    if (!has_variable) {
        value.fixed = read_typed(comparison, expand(value.pattern, {}));
        if (std::holds_alternative<std::monostate>(*value.fixed)) {
            return fail(
                Code::MalformedPolicy,
                "expected " + std::string(type_name(comparison)) + ", found " + quote(text));
        }
    }
    if (comparison == Comparison::Arn) value.arn = split_arn(value.pattern);
    return value;
}

namespace {

bool ordered_as(Comparison comparison, std::strong_ordering order) {
    switch (comparison) {
        case Comparison::NumericLessThan:
        case Comparison::DateLessThan:
            return std::is_lt(order);
        case Comparison::NumericLessThanEquals:
        case Comparison::DateLessThanEquals:
            return std::is_lteq(order);
        case Comparison::NumericGreaterThan:
        case Comparison::DateGreaterThan:
            return std::is_gt(order);
        case Comparison::NumericGreaterThanEquals:
        case Comparison::DateGreaterThanEquals:
            return std::is_gteq(order);
        default:
            return std::is_eq(order);
    }
}

/// Is `found` (from the request) to `expected` (from the policy) as the comparison says?
bool compares(Comparison comparison, const Typed& found, const Typed& expected) {
    if (found.index() != expected.index()) return false;
    if (const auto* number = std::get_if<Decimal>(&found)) {
        return ordered_as(comparison, *number <=> std::get<Decimal>(expected));
    }
    if (const auto* instant = std::get_if<Instant>(&found)) {
        return ordered_as(comparison, *instant <=> std::get<Instant>(expected));
    }
    if (const auto* range = std::get_if<IpRange>(&found)) {
        return std::get<IpRange>(expected).contains(*range);
    }
    if (const auto* flag = std::get_if<bool>(&found)) return *flag == std::get<bool>(expected);
    return false;
}

/// As compares() of two texts, without making one.
bool text_matches(Comparison comparison,
                  const ConditionValue& expected,
                  const Values& values,
                  std::string_view found) {
    const auto equal = [&](std::string_view text) {
        return comparison == Comparison::StringEquals ? text == found
                                                      : equal_ignoring_case(text, found);
    };
    if (expected.fixed) return equal(std::get<std::string>(*expected.fixed));
    const bool is_variable_alone =
        expected.pattern.size() == 1 && expected.pattern[0].kind == Token::Kind::Variable;
    if (is_variable_alone) return equal(values[expected.pattern[0].variable]);
    return equal(expand(expected.pattern, values));
}

bool value_matches(Comparison comparison,
                   const ConditionValue& expected,
                   const Values& values,
                   std::string_view found) {
    if (comparison == Comparison::StringLike) return matches(expected.pattern, values, found);
    if (comparison == Comparison::Arn) return matches(expected.arn, values, ArnParts(found));
    if (comparison == Comparison::StringEquals || comparison == Comparison::StringEqualsIgnoreCase)
        return text_matches(comparison, expected, values, found);
    const Typed typed_found = read_typed(comparison, found);
    if (expected.fixed) return compares(comparison, typed_found, *expected.fixed);
    return compares(
        comparison, typed_found, read_typed(comparison, expand(expected.pattern, values)));
}

/// One value of the request against the list in the policy. A negated operator holds when no entry
/// of the list matches (IAM: the values of a negated operator are a NOR).
bool value_holds(const Condition& condition, const Values& values, std::string_view raw) {
    const SeenValue found(condition.key, raw);
    const bool is_any = std::any_of(
        condition.values.begin(), condition.values.end(), [&](const ConditionValue& expected) {
            return value_matches(condition.op.comparison, expected, values, found.text());
        });
    return is_any != condition.op.is_negated;
}

bool null_holds(const Condition& condition, const Values& values, bool is_absent) {
    return std::any_of(condition.values.begin(), condition.values.end(), [&](const auto& expected) {
        const auto wanted = expected.fixed
                                ? *expected.fixed
                                : read_typed(Comparison::Null, expand(expected.pattern, values));
        const auto* flag = std::get_if<bool>(&wanted);
        return flag != nullptr && *flag == is_absent;
    });
}

}  // namespace

bool holds(const Condition& condition, const Values& values, const Context& context) {
    const auto found = condition.key.values(context);
    const auto& op = condition.op;
    if (op.comparison == Comparison::Null) return null_holds(condition, values, found.empty());
    if (found.empty() && op.if_exists) return true;
    const auto one_holds = [&](const std::string& value) {
        return value_holds(condition, values, value);
    };
    if (op.set == Operator::Set::ForAllValues) {
        return std::all_of(found.begin(), found.end(), one_holds);  // true for an empty set
    }
    if (op.set == Operator::Set::ForAnyValue) {
        return std::any_of(found.begin(), found.end(), one_holds);
    }
    // Without a set qualifier: a positive operator needs one value that matches, a negated one that
    // none does; an absent key fails the first and passes the second.
    return op.is_negated ? std::all_of(found.begin(), found.end(), one_holds)
                         : std::any_of(found.begin(), found.end(), one_holds);
}

}  // namespace hatchery::policy
