#include "templates/code.h"

namespace hatchery::templates {

namespace {

/// Seven bits a byte, the lowest first; all but the last byte have the eighth bit.
void append_number(std::string& code, std::size_t value) {
    while (value >= 0x80) {
        code += static_cast<char>(0x80 | (value & 0x7f));
        value >>= 7;
    }
    code += static_cast<char>(value);
}

bool has_index(Op op) {
    return op == Op::Parameter || op == Op::Bound;
}

bool has_text(Op op) {
    return op == Op::Text || op == Op::Join || op == Op::Split;
}

bool has_arguments(Op op) {
    return op != Op::Text && !has_index(op);
}

}  // namespace

void append_text(std::string& code, std::string_view text) {
    append_number(code, text.size());
    code += text;
}

void append_code(std::string& code, const Expression& expression) {
    code += static_cast<char>(expression.op);
    append_number(code, expression.node);
    if (has_index(expression.op)) append_number(code, expression.index);
    if (has_text(expression.op)) append_text(code, expression.text);
    if (!has_arguments(expression.op)) return;
    append_number(code, expression.arguments.size());
    for (const Expression& argument : expression.arguments)
        append_code(code, argument);
}

std::uint32_t CodeReader::number() {
    std::uint32_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        const auto byte = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        value |= static_cast<std::uint32_t>(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
}

std::string_view CodeReader::text() {
    const std::uint32_t size = number();
    const std::string_view found = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return found;
}

Instruction CodeReader::next() {
    Instruction instruction;
    instruction.op = static_cast<Op>(rest_.front());
    rest_.remove_prefix(1);
    instruction.node = number();
    if (has_index(instruction.op)) instruction.index = number();
    if (has_text(instruction.op)) instruction.text = text();
    if (has_arguments(instruction.op)) instruction.count = number();
    return instruction;
}

void CodeReader::skip() {
    for (std::size_t left = 1; left > 0; --left)
        left += next().count;
}

std::string table_of(const Mappings& mappings) {
    std::string table;
    for (const auto& [map_name, map] : mappings) {
        std::string keys;
        for (const auto& [top_name, top] : map) {
            std::string entries;
            for (const auto& [name, value] : top) {
                append_text(entries, name);
                append_text(entries, value);
            }
            append_text(keys, top_name);
            append_text(keys, entries);
        }
        append_text(table, map_name);
        append_text(table, keys);
    }
    return table;
}

std::optional<std::string_view> find_in_table(std::string_view table, std::string_view name) {
    CodeReader in(table);
    while (!in.is_at_end()) {
        const std::string_view entry = in.text();
        const std::string_view value = in.text();
        if (entry == name) return value;
    }
    return std::nullopt;
}

}  // namespace hatchery::templates
