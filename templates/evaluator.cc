#include "templates/evaluator.h"

#include "templates/text.h"

#include <array>
#include <charconv>

namespace hatchery::templates {

std::optional<std::size_t> parse_index(std::string_view text) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return index;
}

void Evaluator::bind(const ParameterSlot& slot, const Parameters& parameters) {
    const auto supplied = parameters.find(slot.name);
    const bool is_supplied = supplied != parameters.end() && !supplied->second.empty();
    slots_.push_back({slot.name, is_supplied ? supplied->second : slot.default_value});
}

Error Evaluator::at(const Instruction& instruction, std::string message) {
    failed_node_ = instruction.node;
    return fail(Code::InvalidRequest, std::move(message));
}

Result<std::string> Evaluator::charge(const Instruction& instruction, std::string produced) {
    produced_ += produced.size();
    if (produced_ <= kMaxProduced) return produced;
    return at(
        instruction,
        "expected values of at most " + std::to_string(kMaxProduced) + " bytes in all, found more");
}

Result<std::string> Evaluator::text(CodeReader code) {
    return next_text(code);
}

Result<std::vector<std::string>> Evaluator::list(CodeReader code) {
    return next_list(code);
}

Result<std::string> Evaluator::next_text(CodeReader& in) {
    const Instruction instruction = in.next();
    switch (instruction.op) {
        case Op::Text:
            return std::string(instruction.text);
        case Op::Parameter:
            return parameter(instruction);
        case Op::Join:
            return join(in, instruction);
        case Op::Select:
            return select(in, instruction);
        case Op::FindInMap:
            return find_in_map(in, instruction);
        case Op::Concat:
            return concat(in, instruction);
        case Op::Quote:
            return quote(in, instruction);
        case Op::Bound:
        case Op::List:
        case Op::Split:
            break;
    }
    // compile puts none of these where a text is wanted.
    return fail(Code::Internal, "an expression of the wrong type was compiled");
}

Result<std::vector<std::string>> Evaluator::next_list(CodeReader& in) {
    const Instruction instruction = in.next();
    if (instruction.op == Op::Split) return split(in, instruction);
    Texts entries;
    entries.reserve(instruction.count);
    for (std::uint32_t i = 0; i < instruction.count; ++i) {
        auto entry = next_text(in);
        if (!entry) return std::move(entry).error();
        entries.push_back(*std::move(entry));
    }
    return entries;
}

Result<std::string> Evaluator::parameter(const Instruction& parameter) {
    const Slot& slot = slots_[parameter.index];
    if (slot.value) return charge(parameter, std::string(*slot.value));
    return at(parameter, "Cannot resolve reference value: " + std::string(slot.name));
}

Result<std::vector<std::string>> Evaluator::split(CodeReader& in, const Instruction& split) {
    auto whole = next_text(in);
    if (!whole) return std::move(whole).error();
    Texts parts;
    std::string_view rest = *whole;
    while (true) {
        const std::size_t end = rest.find(split.text);
        auto part = charge(split, std::string(rest.substr(0, end)));
        if (!part) return std::move(part).error();
        parts.push_back(*std::move(part));
        if (end == std::string_view::npos) return parts;
        rest.remove_prefix(end + split.text.size());
    }
}

Result<std::string> Evaluator::join(CodeReader& in, const Instruction& join) {
    auto entries = next_list(in);
    if (!entries) return std::move(entries).error();
    std::string out;
    for (std::size_t i = 0; i < entries->size(); ++i) {
        if (i > 0) out += join.text;
        out += (*entries)[i];
        // Checked at each entry: a long delimiter between many empty entries grows fast.
        if (out.size() > kMaxProduced) break;
    }
    return charge(join, std::move(out));
}

Result<std::string> Evaluator::select(CodeReader& in, const Instruction& select) {
    auto index_text = next_text(in);
    if (!index_text) return std::move(index_text).error();
    auto entries = next_list(in);
    if (!entries) return std::move(entries).error();
    const auto index = parse_index(*index_text);
    if (index && *index < entries->size()) return charge(select, std::move((*entries)[*index]));
    return at(select,
              "expected an index, counted from 0, into a list of " +
                  std::to_string(entries->size()) + ", found " + in_quotes(*index_text));
}

Result<std::string> Evaluator::find_in_map(CodeReader& in, const Instruction& find) {
    std::array<std::string, 3> keys;
    for (std::string& key : keys) {
        auto value = next_text(in);
        if (!value) return std::move(value).error();
        key = *std::move(value);
    }
    std::string_view table = mappings_;
    std::string expected = "expected a map of the Mappings section";
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto found = find_in_table(table, keys[i]);
        if (!found) return at(find, expected + ", found " + in_quotes(keys[i]));
        table = *found;
        expected = (i == 0 ? "expected a key of mapping " : expected + ", ") + in_quotes(keys[i]);
    }
    return charge(find, std::string(table));
}

Result<std::string> Evaluator::concat(CodeReader& in, const Instruction& concat) {
    auto bindings = next_list(in);
    if (!bindings) return std::move(bindings).error();
    std::string out;
    for (std::uint32_t i = 1; i < concat.count; ++i) {
        CodeReader ahead = in;
        const Instruction piece = ahead.next();
        if (piece.op == Op::Text || piece.op == Op::Bound) {
            out += piece.op == Op::Text ? piece.text : std::string_view((*bindings)[piece.index]);
            in = ahead;
        } else {
            auto value = next_text(in);
            if (!value) return std::move(value).error();
            out += *value;
        }
        // Checked at each piece: a binding may be repeated two thousand times.
        if (out.size() > kMaxProduced) break;
    }
    return charge(concat, std::move(out));
}

Result<std::string> Evaluator::quote(CodeReader& in, const Instruction& quote) {
    std::string out;
    CodeReader ahead = in;
    if (!ahead.next().is_list()) {
        auto value = next_text(in);
        if (!value) return std::move(value).error();
        json::append_quoted(out, *value);
        return charge(quote, std::move(out));
    }
    auto entries = next_list(in);
    if (!entries) return std::move(entries).error();
    out += '[';
    for (const std::string& entry : *entries) {
        if (out.size() > 1) out += ',';
        json::append_quoted(out, entry);
    }
    out += ']';
    return charge(quote, std::move(out));
}

}  // namespace hatchery::templates
