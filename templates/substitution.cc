// Fn::Sub, and functions inside a policy document that is written as an object: both become a
// Concat of literal pieces and values.
#include "templates/functions.h"
#include "templates/text.h"

#include <algorithm>

namespace hatchery::templates {

std::optional<Expression> FunctionCompiler::substitute(json::Value argument) {
    constexpr std::string_view shape = "a string, or [string, {name: value}], for Fn::Sub";
    Expression bindings{Op::List, argument.id(), 0, {}, {}};
    if (argument.is(json::Type::String)) return pieces(argument, {}, std::move(bindings));
    if (!is_list_of(argument, 2, shape)) return std::nullopt;
    const json::Value pattern = argument.at(0);
    const json::Value values = argument.at(1);
    if (!pattern.is(json::Type::String) || !values.is(json::Type::Object)) {
        const json::Value wrong = pattern.is(json::Type::String) ? values : pattern;
        report_.add(Finding::FunctionArguments, wrong, expected_found(shape, wrong));
        return std::nullopt;
    }
    std::vector<std::string_view> names;
    bool is_complete = true;
    for (const json::Value value : values) {
        names.push_back(value.key());
        auto compiled = text(value);
        is_complete = is_complete && compiled;
        if (is_complete) bindings.arguments.push_back(*std::move(compiled));
    }
    auto compiled = pieces(pattern, names, std::move(bindings));
    if (!is_complete) return std::nullopt;
    return compiled;
}

std::optional<Expression> FunctionCompiler::pieces(json::Value pattern,
                                                   const std::vector<std::string_view>& bound,
                                                   Expression bindings) {
    Expression out{Op::Concat, pattern.id(), 0, {}, {}};
    out.arguments.push_back(std::move(bindings));
    std::string plain;
    const auto flush = [&] {
        if (plain.empty()) return;
        out.arguments.push_back({Op::Text, pattern.id(), 0, std::move(plain), {}});
        plain.clear();
    };
    bool is_complete = true;
    std::string_view rest = pattern.text();
    while (true) {
        const std::size_t start = rest.find("${");
        plain += rest.substr(0, start);
        if (start == std::string_view::npos) break;
        rest.remove_prefix(start);
        const std::size_t end = rest.find('}');
        if (end == std::string_view::npos) {
            report_.add(Finding::SubstitutionSyntax,
                        pattern,
                        "expected '}' after \"${\" in Fn::Sub, found the end of the string");
            return std::nullopt;
        }
        const std::string_view name = rest.substr(2, end - 2);
        rest.remove_prefix(end + 1);
        if (name.starts_with('!')) {  // ${!name} stands for the text ${name}
            plain += "${";
            plain += name.substr(1);
            plain += '}';
            continue;
        }
        flush();
        auto piece = substitution(pattern, name, bound);
        is_complete = is_complete && piece;
        if (is_complete) out.arguments.push_back(*std::move(piece));
    }
    flush();
    if (!is_complete) return std::nullopt;
    return out;
}

std::optional<Expression> FunctionCompiler::substitution(
    json::Value pattern, std::string_view name, const std::vector<std::string_view>& bound) {
    const auto binding = std::find(bound.begin(), bound.end(), name);
    if (binding != bound.end()) {
        const auto index = static_cast<std::uint32_t>(binding - bound.begin());
        return Expression{Op::Bound, pattern.id(), index, {}, {}};
    }
    const bool is_policy_variable = name.starts_with("iot:");
    if (name.empty() || is_policy_variable) {
        report_.add(
            Finding::SubstitutionSyntax,
            pattern,
            "expected the name of a parameter between \"${\" and '}' in Fn::Sub, found " +
                (is_policy_variable ? "the policy variable " + in_quotes(name) : "nothing"),
            is_policy_variable ? "write ${!" + printable(name) + "} to keep it as it is" : "");
        return std::nullopt;
    }
    const auto index = slot(name, pattern);
    if (!index) return std::nullopt;
    return Expression{Op::Parameter, pattern.id(), *index, {}, {}};
}

std::optional<Expression> FunctionCompiler::json_text(json::Value value) {
    Expression out{Op::Concat, value.id(), 0, {}, {}};
    out.arguments.push_back({Op::List, value.id(), 0, {}, {}});
    if (!append_json(out, value)) return std::nullopt;
    return fold(std::move(out), value);
}

namespace {

void append_literal(Expression& out, json::NodeId node, std::string_view text) {
    if (out.arguments.size() == 1 || out.arguments.back().op != Op::Text) {
        out.arguments.push_back({Op::Text, node, 0, {}, {}});
    }
    out.arguments.back().text += text;
}

}  // namespace

bool FunctionCompiler::append_json(Expression& out, json::Value value) {
    if (is_function(value)) {
        auto compiled = function(value);
        if (!compiled) return false;
        Expression quote{Op::Quote, value.id(), 0, {}, {}};
        quote.arguments.push_back(*std::move(compiled));
        out.arguments.push_back(std::move(quote));
        return true;
    }
    if (!value.is(json::Type::Object) && !value.is(json::Type::List)) {
        if (value.is(json::Type::String)) warn_of_placeholder(value);
        append_literal(out, value.id(), json::compact(value));
        return true;
    }
    const bool is_object = value.is(json::Type::Object);
    append_literal(out, value.id(), is_object ? "{" : "[");
    bool is_complete = true;
    bool is_first = true;
    for (const json::Value child : value) {
        std::string before = is_first ? "" : ",";
        is_first = false;
        if (is_object) {
            json::append_quoted(before, child.key());
            before += ':';
        }
        append_literal(out, child.id(), before);
        is_complete = append_json(out, child) && is_complete;
    }
    append_literal(out, value.id(), is_object ? "}" : "]");
    return is_complete;
}

}  // namespace hatchery::templates
