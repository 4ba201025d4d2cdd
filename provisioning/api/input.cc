#include "provisioning/api/input.h"

#include <nlohmann/json.hpp>

namespace hatchery::api {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 32;

std::string_view kind_of(const json& value) {
    if (value.is_string()) return "a string";
    if (value.is_boolean()) return "a boolean";
    if (value.is_number()) return "a number";
    if (value.is_array()) return "an array";
    if (value.is_object()) return "an object";
    return "null";
}

/// RFC 6901: '~' and '/' of a member name are escaped.
std::string escaped(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == '~') {
            out += "~0";
        } else if (c == '/') {
            out += "~1";
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace

Input::Input(std::shared_ptr<const json> root, const json* node, std::string at)
    : root_(std::move(root)), node_(node), at_(std::move(at)) {}

Result<Input> Input::parse(std::string_view body) {
    bool too_deep = false;
    const auto watch_depth = [&](int depth, json::parse_event_t, json&) {
        too_deep = too_deep || depth > kMaxDepth;
        return depth <= kMaxDepth;  // what lies deeper is dropped, then refused below
    };
    json document = json::object();
    if (!body.empty()) {
        try {
            document = json::parse(body, watch_depth);
        } catch (const json::exception& e) {
            return fail(Code::InvalidRequest,
                        std::string("expected a JSON request body, found: ") + e.what());
        }
    }
    if (too_deep) return fail(Code::InvalidRequest, "expected JSON nested at most 32 deep");
    if (!document.is_object()) {
        return fail(Code::InvalidRequest, "expected a JSON object as the request body");
    }
    auto root = std::make_shared<const json>(std::move(document));
    const json* node = root.get();
    return Input(std::move(root), node, "");
}

const json* Input::find(std::string_view name) const {
    const auto member = node_->find(name);
    return member == node_->end() || member->is_null() ? nullptr : &*member;
}

bool Input::has(std::string_view name) const {
    return find(name) != nullptr;
}

std::string Input::pointer_to(std::string_view name) const {
    return at_ + "/" + escaped(name);
}

Error Input::wrong_type(std::string_view name, std::string_view expected, const json& found) const {
    return fail(Code::InvalidRequest,
                "expected " + std::string(expected) + ", found " + std::string(kind_of(found)),
                pointer_to(name));
}

Result<std::optional<std::string>> Input::optional_text(std::string_view name) const {
    const json* member = find(name);
    if (member == nullptr) return std::optional<std::string>();
    if (!member->is_string()) return wrong_type(name, "a string", *member);
    return std::optional(member->get_ref<const std::string&>());
}

Result<std::optional<bool>> Input::optional_flag(std::string_view name) const {
    const json* member = find(name);
    if (member == nullptr) return std::optional<bool>();
    if (!member->is_boolean()) return wrong_type(name, "a boolean", *member);
    return std::optional(member->get<bool>());
}

Result<std::optional<std::int64_t>> Input::optional_integer(std::string_view name) const {
    const json* member = find(name);
    if (member == nullptr) return std::optional<std::int64_t>();
    const bool fits =
        member->is_number_integer() &&
        (!member->is_number_unsigned() || member->get<std::uint64_t>() <= std::uint64_t{INT64_MAX});
    if (!fits) return wrong_type(name, "an integer", *member);
    return std::optional(member->get<std::int64_t>());
}

Result<std::optional<Input>> Input::optional_object(std::string_view name) const {
    const json* member = find(name);
    if (member == nullptr) return std::optional<Input>();
    if (!member->is_object()) return wrong_type(name, "an object", *member);
    return std::optional(Input(root_, member, pointer_to(name)));
}

Result<std::vector<std::string>> Input::texts(std::string_view name) const {
    const json* member = find(name);
    if (member == nullptr) return std::vector<std::string>();
    if (!member->is_array()) return wrong_type(name, "an array of strings", *member);
    std::vector<std::string> values;
    values.reserve(member->size());
    for (const auto& item : *member) {
        if (!item.is_string()) return wrong_type(name, "an array of strings", item);
        values.push_back(item.get_ref<const std::string&>());
    }
    return values;
}

Result<std::optional<std::map<std::string, std::string>>> Input::optional_text_map(
    std::string_view name) const {
    const json* member = find(name);
    if (member == nullptr) return std::optional<std::map<std::string, std::string>>();
    if (!member->is_object()) return wrong_type(name, "an object of strings", *member);
    std::map<std::string, std::string> values;
    for (const auto& [key, value] : member->items()) {
        if (!value.is_string()) {
            return fail(Code::InvalidRequest,
                        "expected a string, found " + std::string(kind_of(value)),
                        pointer_to(name) + "/" + escaped(key));
        }
        values.emplace(key, value.get_ref<const std::string&>());
    }
    return std::optional(std::move(values));
}

Result<std::vector<Input>> Input::objects(std::string_view name) const {
    const json* member = find(name);
    if (member == nullptr) return std::vector<Input>();
    if (!member->is_array()) return wrong_type(name, "an array of objects", *member);
    std::vector<Input> items;
    for (std::size_t i = 0; i < member->size(); ++i) {
        const auto& item = (*member)[i];
        if (!item.is_object()) return wrong_type(name, "an array of objects", item);
        items.push_back(Input(root_, &item, pointer_to(name) + "/" + std::to_string(i)));
    }
    return items;
}

std::vector<std::string> Input::member_names() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : node_->items()) {
        if (!value.is_null()) names.push_back(name);
    }
    return names;
}

Result<std::string> Input::text(std::string_view name) const {
    auto value = optional_text(name);
    if (!value) return std::move(value).error();
    if (!*value)
        return fail(Code::InvalidRequest, "expected a string, found nothing", pointer_to(name));
    return std::move(**value);
}

Result<Input> Input::object(std::string_view name) const {
    auto value = optional_object(name);
    if (!value) return std::move(value).error();
    if (!*value) {
        return fail(Code::InvalidRequest, "expected an object, found nothing", pointer_to(name));
    }
    return std::move(**value);
}

}  // namespace hatchery::api
