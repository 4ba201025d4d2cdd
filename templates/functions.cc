#include "templates/functions.h"

#include "templates/parameter_names.h"
#include "templates/text.h"

#include <algorithm>
#include <array>

namespace hatchery::templates {

namespace {

Expression literal(json::NodeId node, std::string text) {
    return {Op::Text, node, 0, std::move(text), {}};
}

template <class Map>
std::vector<std::string_view> keys_of(const Map& map) {
    std::vector<std::string_view> keys;
    keys.reserve(map.size());
    for (const auto& entry : map)
        keys.push_back(entry.first);
    return keys;
}

}  // namespace

const std::array<FunctionCompiler::Function, 6> FunctionCompiler::kFunctions = {{
    {"Ref", &FunctionCompiler::ref},
    {"Fn::Join", &FunctionCompiler::join},
    {"Fn::Select", &FunctionCompiler::select},
    {"Fn::FindInMap", &FunctionCompiler::find_in_map},
    {"Fn::Split", &FunctionCompiler::split},
    {"Fn::Sub", &FunctionCompiler::substitute},
}};

bool is_constant(const Expression& expression) {
    return expression.op != Op::Parameter &&
           std::all_of(expression.arguments.begin(), expression.arguments.end(), is_constant);
}

bool FunctionCompiler::is_function(json::Value value) {
    if (!value.is(json::Type::Object) || value.size() != 1) return false;
    const std::string_view key = (*value.begin()).key();
    return key == "Ref" || key.starts_with("Fn::");
}

std::optional<Expression> FunctionCompiler::text(json::Value value) {
    if (value.is(json::Type::String)) {
        warn_of_placeholder(value);
        return literal(value.id(), std::string(value.text()));
    }
    if (!value.is(json::Type::Object)) {
        const bool is_scalar = value.is(json::Type::Number) || value.is(json::Type::Boolean);
        report_.add(Finding::WrongValue,
                    value,
                    expected_found("a string or a function", value),
                    is_scalar ? "write it as " + in_quotes(value.text()) : "");
        return std::nullopt;
    }
    auto result = function(value);
    if (result && result->is_list()) {
        report_.add(Finding::WrongValue,
                    value,
                    "expected a string, found a function that gives a list",
                    "take one entry with Fn::Select, or put them together with Fn::Join");
        return std::nullopt;
    }
    return result;
}

std::optional<Expression> FunctionCompiler::list(json::Value value) {
    if (value.is(json::Type::List)) {
        Expression out{Op::List, value.id(), 0, {}, {}};
        bool is_complete = true;
        for (const json::Value entry : value) {
            auto compiled = text(entry);
            is_complete = is_complete && compiled;
            if (is_complete) out.arguments.push_back(*std::move(compiled));
        }
        if (!is_complete) return std::nullopt;
        return out;
    }
    if (!value.is(json::Type::Object)) {
        report_.add(
            Finding::WrongValue,
            value,
            expected_found("a list of strings", value),
            value.is(json::Type::String) ? "write it as [" + in_quotes(value.text()) + "]" : "");
        return std::nullopt;
    }
    auto result = function(value);
    if (result && !result->is_list()) {
        report_.add(Finding::WrongValue,
                    value,
                    "expected a list, found a function that gives a string",
                    "put it in brackets: [{\"Ref\": …}]");
        return std::nullopt;
    }
    return result;
}

std::optional<Expression> FunctionCompiler::function(json::Value value) {
    if (value.size() != 1) {
        report_.add(Finding::WrongValue,
                    value,
                    "expected a string or an object with one function, found an object of " +
                        std::to_string(value.size()) + " members");
        return std::nullopt;
    }
    const json::Value argument = *value.begin();
    const auto found = std::find_if(kFunctions.begin(), kFunctions.end(), [&](const auto& known) {
        return known.name == argument.key();
    });
    if (found == kFunctions.end()) {
        std::array<std::string_view, 6> names;
        std::transform(kFunctions.begin(), kFunctions.end(), names.begin(), [](const auto& known) {
            return known.name;
        });
        report_.add_at_key(Finding::UnknownFunction,
                           argument,
                           "expected Ref, Fn::Join, Fn::Select, Fn::FindInMap, Fn::Split or "
                           "Fn::Sub, found " +
                               in_quotes(argument.key()),
                           did_you_mean(argument.key(), names));
        return std::nullopt;
    }
    if (depth_ >= kMaxFunctionDepth) {
        report_.add(Finding::FunctionDepth,
                    value,
                    "expected functions nested at most " + std::to_string(kMaxFunctionDepth) +
                        " deep, found one more");
        return std::nullopt;
    }
    ++depth_;
    auto compiled = (this->*found->compile)(argument);
    --depth_;
    if (!compiled) return std::nullopt;
    compiled->node = value.id();
    return fold(*std::move(compiled), value);
}

std::optional<Expression> FunctionCompiler::fold(Expression expression, json::Value at) {
    const bool is_plain = expression.op == Op::Text || expression.op == Op::List;
    if (is_plain || !is_constant(expression)) return expression;
    std::string code;
    append_code(code, expression);
    Evaluator evaluator(table_);
    const auto finding = [&] {
        if (expression.op == Op::Select) return Finding::SelectRange;
        if (expression.op == Op::FindInMap) return Finding::MappingMiss;
        return Finding::ValueTooLarge;
    };
    if (!expression.is_list()) {
        auto value = evaluator.text(CodeReader(code));
        if (value) return literal(at.id(), *std::move(value));
        report_.add(finding(), at, value.error().message);
        return std::nullopt;
    }
    auto values = evaluator.list(CodeReader(code));
    if (!values) {
        report_.add(finding(), at, values.error().message);
        return std::nullopt;
    }
    Expression out{Op::List, at.id(), 0, {}, {}};
    for (std::string& value : *values)
        out.arguments.push_back(literal(at.id(), std::move(value)));
    return out;
}

bool FunctionCompiler::is_list_of(json::Value argument, std::size_t size, std::string_view shape) {
    if (argument.is(json::Type::List) && argument.size() == size) return true;
    std::string message = expected_found(shape, argument);
    if (argument.is(json::Type::List)) message += " of " + std::to_string(argument.size());
    report_.add(Finding::FunctionArguments, argument, std::move(message));
    return false;
}

std::optional<std::uint32_t> FunctionCompiler::slot(std::string_view name, json::Value at) {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        if (parameters_[i].name != name) continue;
        parameters_[i].is_used = true;
        return static_cast<std::uint32_t>(i);
    }
    if (name == kCertificateIdParameter && kind_ != Kind::Bulk) {
        parameters_.push_back({std::string(name), {}, at.id(), false, true});
        return static_cast<std::uint32_t>(parameters_.size() - 1);
    }
    report_undeclared(name, at);
    return std::nullopt;
}

void FunctionCompiler::report_undeclared(std::string_view name, json::Value at) {
    if (report_.is_full()) return;
    const std::string message =
        "Cannot resolve reference value: " + printable(name) + "; expected ";
    if (is_certificate_parameter(name)) {
        report_.add(Finding::UndeclaredRef,
                    at,
                    message + "it to be declared in Parameters, found no such declaration",
                    "declare it: " + in_quotes(name) + ": {\"Type\": \"String\"}");
        return;
    }
    const auto resources = document_.root().find("Resources");
    if (resources && resources->find(name)) {
        report_.add(Finding::UndeclaredRef,
                    at,
                    message + "a parameter, found the logical name of a resource");
        return;
    }
    if (name.starts_with("AWS::") && !name.starts_with("AWS::IoT::")) {
        report_.add(Finding::UndeclaredRef,
                    at,
                    message +
                        "a parameter, found a pseudo-parameter of CloudFormation, which does "
                        "not exist in provisioning templates",
                    "write the value itself");
        return;
    }
    std::vector<std::string_view> known(kCertificateParameters.begin(),
                                        kCertificateParameters.end());
    for (const Parameter& parameter : parameters_)
        known.push_back(parameter.name);
    report_.add(Finding::UndeclaredRef,
                at,
                message + "a name that Parameters declares, found " + in_quotes(name),
                did_you_mean(name, known));
}

std::optional<Expression> FunctionCompiler::ref(json::Value argument) {
    if (!argument.is(json::Type::String)) {
        report_.add(Finding::FunctionArguments,
                    argument,
                    expected_found("the name of a parameter for Ref", argument));
        return std::nullopt;
    }
    const auto index = slot(argument.text(), argument);
    if (!index) return std::nullopt;
    return Expression{Op::Parameter, argument.id(), *index, {}, {}};
}

std::optional<Expression> FunctionCompiler::join(json::Value argument) {
    if (!is_list_of(argument, 2, "[delimiter, [values]] for Fn::Join")) return std::nullopt;
    const json::Value delimiter = argument.at(0);
    const bool is_literal = delimiter.is(json::Type::String);
    if (!is_literal) {
        report_.add(Finding::FunctionArguments,
                    delimiter,
                    expected_found("a string as the delimiter of Fn::Join", delimiter));
    }
    auto values = list(argument.at(1));
    if (!is_literal || !values) return std::nullopt;
    Expression out{Op::Join, argument.id(), 0, std::string(delimiter.text()), {}};
    out.arguments.push_back(*std::move(values));
    return out;
}

std::optional<Expression> FunctionCompiler::split(json::Value argument) {
    if (!is_list_of(argument, 2, "[delimiter, text] for Fn::Split")) return std::nullopt;
    const json::Value delimiter = argument.at(0);
    const bool is_literal = delimiter.is(json::Type::String) && !delimiter.text().empty();
    if (!is_literal) {
        report_.add(Finding::FunctionArguments,
                    delimiter,
                    expected_found("a non-empty string as the delimiter of Fn::Split", delimiter));
    }
    auto whole = text(argument.at(1));
    if (!is_literal || !whole) return std::nullopt;
    Expression out{Op::Split, argument.id(), 0, std::string(delimiter.text()), {}};
    out.arguments.push_back(*std::move(whole));
    return out;
}

std::optional<Expression> FunctionCompiler::select_index(json::Value value) {
    const bool is_literal = value.is(json::Type::Number) || value.is(json::Type::String);
    if (!is_literal) return text(value);
    if (parse_index(value.text())) return literal(value.id(), std::string(value.text()));
    report_.add(Finding::FunctionArguments,
                value,
                expected_found("an index of decimal digits for Fn::Select", value));
    return std::nullopt;
}

std::optional<Expression> FunctionCompiler::select(json::Value argument) {
    if (!is_list_of(argument, 2, "[index, list] for Fn::Select")) return std::nullopt;
    auto index = select_index(argument.at(0));
    auto entries = list(argument.at(1));
    if (!index || !entries) return std::nullopt;
    if (!check_index(*index, *entries, argument.at(0))) return std::nullopt;
    Expression out{Op::Select, argument.id(), 0, {}, {}};
    out.arguments.push_back(*std::move(index));
    out.arguments.push_back(*std::move(entries));
    return out;
}

/// An index beyond a literal list fails for every device, whatever the entries are.
bool FunctionCompiler::check_index(const Expression& index,
                                   const Expression& list,
                                   json::Value at) {
    if (index.op != Op::Text || list.op != Op::List) return true;
    const auto number = parse_index(index.text);
    if (number && *number < list.arguments.size()) return true;
    report_.add(Finding::SelectRange,
                at,
                "expected an index, counted from 0, into a list of " +
                    std::to_string(list.arguments.size()) + ", found " + in_quotes(index.text));
    return false;
}

std::optional<Expression> FunctionCompiler::find_in_map(json::Value argument) {
    if (!is_list_of(argument, 3, "[map, key, key] for Fn::FindInMap")) return std::nullopt;
    Expression out{Op::FindInMap, argument.id(), 0, {}, {}};
    bool is_complete = true;
    for (const json::Value key : argument) {
        auto compiled = text(key);
        is_complete = is_complete && compiled;
        if (is_complete) out.arguments.push_back(*std::move(compiled));
    }
    if (!is_complete || !check_mapping(out, argument)) return std::nullopt;
    return out;
}

/// What is literal of the three keys is looked up now, with a suggestion.
bool FunctionCompiler::check_mapping(const Expression& find, json::Value argument) {
    const Expression& map_name = find.arguments[0];
    if (map_name.op != Op::Text) return true;
    const auto map = mappings_.find(map_name.text);
    if (map == mappings_.end()) {
        std::string hint = mappings_.empty() ? "the template has no Mappings section"
                                             : did_you_mean(map_name.text, keys_of(mappings_));
        report_.add(Finding::MappingMiss,
                    argument.at(0),
                    "expected a map of the Mappings section, found " + in_quotes(map_name.text),
                    std::move(hint));
        return false;
    }
    const Expression& top_name = find.arguments[1];
    if (top_name.op != Op::Text) return true;
    const auto top = map->second.find(top_name.text);
    if (top == map->second.end()) {
        report_.add(Finding::MappingMiss,
                    argument.at(1),
                    "expected a key of mapping " + in_quotes(map_name.text) + ", found " +
                        in_quotes(top_name.text),
                    did_you_mean(top_name.text, keys_of(map->second)));
        return false;
    }
    const Expression& second_name = find.arguments[2];
    if (second_name.op != Op::Text || top->second.contains(second_name.text)) return true;
    report_.add(Finding::MappingMiss,
                argument.at(2),
                "expected a key of mapping " + in_quotes(map_name.text) + ", " +
                    in_quotes(top_name.text) + ", found " + in_quotes(second_name.text),
                did_you_mean(second_name.text, keys_of(top->second)));
    return false;
}

void FunctionCompiler::warn_of_placeholder(json::Value value) {
    if (const auto placeholder = find_placeholder(value.text())) {
        report_.add(Finding::Placeholder,
                    value,
                    "expected plain text, found the placeholder " + printable(*placeholder) +
                        ", which nothing replaces");
    }
}

}  // namespace hatchery::templates
