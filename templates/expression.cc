#include "templates/expression.h"

#include "templates/text.h"

#include <algorithm>
#include <charconv>

namespace hatchery::templates {

bool is_constant(const Expression& expression) {
    return expression.op != Op::Parameter &&
           std::all_of(expression.arguments.begin(), expression.arguments.end(), is_constant);
}

std::optional<std::size_t> parse_index(std::string_view text) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return index;
}

void Evaluator::bind(const Parameters& parameters) {
    values_.assign(declared_.size(), nullptr);
    for (std::size_t i = 0; i < declared_.size(); ++i) {
        const Parameter& parameter = declared_[i];
        const auto supplied = parameters.find(parameter.name);
        if (supplied != parameters.end() && !supplied->second.empty()) {
            values_[i] = &supplied->second;
        } else if (parameter.default_value) {
            values_[i] = &*parameter.default_value;
        }
    }
}

Error Evaluator::at(const Expression& expression, std::string message) {
    failed_node_ = expression.node;
    return fail(Code::InvalidRequest, std::move(message));
}

Error Evaluator::unresolved(const Expression& expression) {
    return at(expression, "Cannot resolve reference value: " + declared_[expression.index].name);
}

Result<std::string> Evaluator::charge(const Expression& expression, std::string produced) {
    produced_ += produced.size();
    if (produced_ <= kMaxProduced) return produced;
    return at(
        expression,
        "expected values of at most " + std::to_string(kMaxProduced) + " bytes in all, found more");
}

Result<std::string> Evaluator::text(const Expression& expression) {
    switch (expression.op) {
        case Op::Text:
            return expression.text;
        case Op::Parameter: {
            const std::string* found = value(expression.index);
            if (found == nullptr) return unresolved(expression);
            return charge(expression, *found);
        }
        case Op::Join:
            return join(expression);
        case Op::Select:
            return select(expression);
        case Op::FindInMap:
            return find_in_map(expression);
        case Op::Concat:
            return concat(expression);
        case Op::Quote:
            return quote(expression);
        case Op::Bound:
        case Op::List:
        case Op::Split:
            break;
    }
    // compile puts none of these where a text is wanted.
    return fail(Code::Internal, "an expression of the wrong type was compiled");
}

Result<std::vector<std::string>> Evaluator::list(const Expression& expression) {
    if (expression.op == Op::Split) return split(expression);
    std::vector<std::string> entries;
    entries.reserve(expression.arguments.size());
    for (const Expression& argument : expression.arguments) {
        auto entry = text(argument);
        if (!entry) return std::move(entry).error();
        entries.push_back(*std::move(entry));
    }
    return entries;
}

Result<std::vector<std::string>> Evaluator::split(const Expression& expression) {
    auto whole = text(expression.arguments[0]);
    if (!whole) return std::move(whole).error();
    std::vector<std::string> parts;
    std::string_view rest = *whole;
    while (true) {
        const std::size_t end = rest.find(expression.text);
        auto part = charge(expression, std::string(rest.substr(0, end)));
        if (!part) return std::move(part).error();
        parts.push_back(*std::move(part));
        if (end == std::string_view::npos) return parts;
        rest.remove_prefix(end + expression.text.size());
    }
}

Result<std::string> Evaluator::join(const Expression& expression) {
    auto entries = list(expression.arguments[0]);
    if (!entries) return std::move(entries).error();
    std::string out;
    for (std::size_t i = 0; i < entries->size(); ++i) {
        if (i > 0) out += expression.text;
        out += (*entries)[i];
        // Checked at each entry: a long delimiter between many empty entries grows fast.
        if (out.size() > kMaxProduced) break;
    }
    return charge(expression, std::move(out));
}

Result<std::string> Evaluator::select(const Expression& expression) {
    auto index_text = text(expression.arguments[0]);
    if (!index_text) return std::move(index_text).error();
    auto entries = list(expression.arguments[1]);
    if (!entries) return std::move(entries).error();
    const auto index = parse_index(*index_text);
    if (index && *index < entries->size()) {
        return charge(expression, std::move((*entries)[*index]));
    }
    return at(expression,
              "expected an index, counted from 0, into a list of " +
                  std::to_string(entries->size()) + ", found " + in_quotes(*index_text));
}

Result<std::string> Evaluator::find_in_map(const Expression& expression) {
    std::vector<std::string> keys;
    for (const Expression& argument : expression.arguments) {
        auto key = text(argument);
        if (!key) return std::move(key).error();
        keys.push_back(*std::move(key));
    }
    const auto map = mappings_.find(keys[0]);
    if (map == mappings_.end()) {
        return at(expression,
                  "expected a map of the Mappings section, found " + in_quotes(keys[0]));
    }
    const auto top = map->second.find(keys[1]);
    if (top == map->second.end()) {
        return at(
            expression,
            "expected a key of mapping " + in_quotes(keys[0]) + ", found " + in_quotes(keys[1]));
    }
    const auto second = top->second.find(keys[2]);
    if (second == top->second.end()) {
        return at(expression,
                  "expected a key of mapping " + in_quotes(keys[0]) + ", " + in_quotes(keys[1]) +
                      ", found " + in_quotes(keys[2]));
    }
    return charge(expression, second->second);
}

Result<std::string> Evaluator::concat(const Expression& expression) {
    auto bindings = list(expression.arguments[0]);
    if (!bindings) return std::move(bindings).error();
    std::string out;
    for (std::size_t i = 1; i < expression.arguments.size(); ++i) {
        const Expression& piece = expression.arguments[i];
        if (piece.op == Op::Text) {
            out += piece.text;
        } else if (piece.op == Op::Bound) {
            out += (*bindings)[piece.index];
        } else {
            auto value = text(piece);
            if (!value) return std::move(value).error();
            out += *value;
        }
        // Checked at each piece: a binding may be repeated two thousand times.
        if (out.size() > kMaxProduced) return charge(expression, std::move(out));
    }
    return charge(expression, std::move(out));
}

Result<std::string> Evaluator::quote(const Expression& expression) {
    const Expression& argument = expression.arguments[0];
    std::string out;
    if (!argument.is_list()) {
        auto value = text(argument);
        if (!value) return std::move(value).error();
        json::append_quoted(out, *value);
        return charge(expression, std::move(out));
    }
    auto entries = list(argument);
    if (!entries) return std::move(entries).error();
    out += '[';
    for (const std::string& entry : *entries) {
        if (out.size() > 1) out += ',';
        json::append_quoted(out, entry);
    }
    out += ']';
    return charge(expression, std::move(out));
}

}  // namespace hatchery::templates
