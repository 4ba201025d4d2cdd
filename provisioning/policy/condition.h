// One condition of a statement: an operator, a context key, the values it may have.
#pragma once

#include "provisioning/policy/pattern.h"
#include "provisioning/policy/values.h"

#include <variant>

namespace hatchery::policy {

enum class Comparison : std::uint8_t {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    NumericEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    DateEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    Bool,
    IpAddress,
    Arn,
    Null,
};

/// "ForAllValues:StringNotEqualsIfExists" taken apart.
struct Operator {
    enum class Set : std::uint8_t { None, ForAllValues, ForAnyValue };
    Set set = Set::None;
    Comparison comparison = Comparison::StringEquals;
    bool is_negated = false;
    bool if_exists = false;
};
/// @errors MalformedPolicy  no operator of IAM's that IoT knows; `where` is left to the caller
Result<Operator> parse_operator(std::string_view name);

/// A value after its variables are filled in and it is read as the operator's type; monostate where
/// it is no such type, which equals nothing.
using Typed = std::variant<std::monostate, std::string, Decimal, Instant, bool, IpRange>;

struct ConditionValue {
    Pattern pattern;
    ArnPattern arn;              ///< of Comparison::Arn
    std::optional<Typed> fixed;  ///< read once, where the pattern has no variable
};

struct Condition {
    Operator op;
    KeyName key;
    std::vector<ConditionValue> values;  ///< any of them
};

/// @errors MalformedPolicy  a value without variables that is not of the operator's type; `where`
/// is left to the caller
Result<ConditionValue> parse_condition_value(Comparison comparison,
                                             std::string_view text,
                                             bool substitute_variables,
                                             Variables& variables);

bool holds(const Condition& condition, const Values& values, const Context& context);

}  // namespace hatchery::policy
