#include "tools/hatchery/table_reader.h"

#include "ca/base/text_place.h"
#include "tools/hatchery/config.h"

#include <algorithm>

namespace hatchery::command {

namespace {

std::string join(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

}  // namespace

std::string place(std::string_view source, const toml::source_region& region) {
    return place_in(source, {region.begin.line, region.begin.column});
}

std::string_view type_name(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::table:
            return "a table";
        case toml::node_type::array:
            return "an array";
        case toml::node_type::string:
            return "a string";
        case toml::node_type::integer:
            return "an integer";
        case toml::node_type::floating_point:
            return "a float";
        case toml::node_type::boolean:
            return "a boolean";
        default:
            return "a date or time";
    }
}

void TableReader::text(std::string_view key, std::string& out, Check check) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const auto* value = node->as_string();
    if (value == nullptr) return expected("a string", key, *node);
    if (check != nullptr) {
        if (auto checked = check(value->get()); !checked) {
            return complain(std::string(key) + ": " + checked.error().message, *node);
        }
    }
    out = value->get();
}

std::optional<std::int64_t> TableReader::integer_within(std::string_view key,
                                                        std::int64_t least,
                                                        std::int64_t most) {
    const toml::node* node = find(key);
    if (node == nullptr) return std::nullopt;
    const auto* value = node->as_integer();
    if (value == nullptr) {
        expected("an integer", key, *node);
        return std::nullopt;
    }
    if (value->get() < least || value->get() > most) {
        complain(std::string(key) + ": expected " + std::to_string(least) + " to " +
                     std::to_string(most) + ", found " + std::to_string(value->get()),
                 *node);
        return std::nullopt;
    }
    return value->get();
}

void TableReader::boolean(std::string_view key, bool& out) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const auto* value = node->as_boolean();
    if (value == nullptr) return expected("true or false", key, *node);
    out = value->get();
}

void TableReader::texts(std::string_view key, std::vector<std::string>& out) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const auto* array = node->as_array();
    if (array == nullptr) return expected("an array of strings", key, *node);
    std::vector<std::string> values;
    for (const auto& item : *array) {
        const auto* value = item.as_string();
        if (value == nullptr) return expected("strings only", key, item);
        values.push_back(value->get());
    }
    out = std::move(values);
}

void TableReader::text_table(std::string_view key, std::map<std::string, std::string>& out) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const auto* table = node->as_table();
    if (table == nullptr) return expected("a table of strings", key, *node);
    for (const auto& [name, value] : *table) {
        const auto* text = value.as_string();
        if (text == nullptr) return expected("strings only", key, value);
        out.insert_or_assign(std::string(name.str()), text->get());
    }
}

void TableReader::duration(std::string_view key, std::chrono::seconds& out) {
    std::string value;
    text(key, value, [](std::string_view text) -> Result<> {
        if (auto parsed = parse_duration(text); !parsed) return std::move(parsed).error();
        return {};
    });
    if (auto parsed = parse_duration(value); parsed) out = *parsed;
}

const toml::table* TableReader::table(std::string_view key) {
    const toml::node* node = find(key);
    if (node == nullptr) return nullptr;
    if (!node->is_table()) expected("a table", key, *node);
    return node->as_table();
}

void TableReader::refuse(std::string_view key, std::string message) {
    const toml::node* node = table_.get(key);
    complain(std::move(message), node == nullptr ? static_cast<const toml::node&>(table_) : *node);
}

Result<> TableReader::finish() {
    if (error_) return *error_;
    for (const auto& [key, value] : table_) {
        if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
        const std::string in = name_.empty() ? "" : " in [" + name_ + "]";
        return fail(Code::InvalidRequest,
                    "unknown key \"" + std::string(key.str()) + "\"" + in + ", expected one of " +
                        join(known_),
                    place(source_, key.source()));
    }
    return {};
}

const toml::node* TableReader::find(std::string_view key) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
    return table_.get(key);
}

void TableReader::not_one_of(std::string_view key,
                             const std::vector<std::string>& known,
                             const std::string& word) {
    complain(std::string(key) + ": expected one of " + join(known) + ", found \"" + word + "\"",
             *find(key));
}

void TableReader::expected(std::string_view what, std::string_view key, const toml::node& node) {
    complain(std::string(key) + ": expected " + std::string(what) + ", found " +
                 std::string(type_name(node)),
             node);
}

void TableReader::complain(std::string message, const toml::node& node) {
    if (!error_) {
        error_ = fail(Code::InvalidRequest, std::move(message), place(source_, node.source()));
    }
}

}  // namespace hatchery::command
