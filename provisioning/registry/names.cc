#include "provisioning/registry/names.h"

#include "provisioning/registry/account.h"

#include <algorithm>
#include <string>

namespace hatchery::registry {

namespace {

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// What a name may be: `pattern` is for the message, `others` are allowed beside letters and
/// digits.
struct Rule {
    std::string_view pattern;
    std::string_view others;
    std::size_t shortest, longest;
};
constexpr Rule kThingRule{"[a-zA-Z0-9:_-]", ":_-", 1, 128};
constexpr Rule kAttributeNameRule{"[a-zA-Z0-9_.,@/:#-]", "_.,@/:#-", 1, 128};
constexpr Rule kAttributeValueRule{"[a-zA-Z0-9_.,@/:#=[]-]", "_.,@/:#=[]-", 0, 800};
constexpr Rule kPolicyRule{"[a-zA-Z0-9_+=,.@-]", "_+=,.@-", 1, 128};
constexpr Rule kTemplateRule{"[a-zA-Z0-9_-]", "_-", 1, 36};

/// Part of a message: shortened, with everything that is not printable ASCII replaced.
std::string quoted(std::string_view text) {
    constexpr std::size_t kLongest = 140;
    std::string out = "\"";
    for (char c : text.substr(0, kLongest))
        out += c >= ' ' && c <= '~' ? c : '?';
    out += text.size() > kLongest ? "…\"" : "\"";
    return out;
}

Result<> check(std::string_view text, const Rule& rule, std::string_view where) {
    const bool is_allowed = std::all_of(text.begin(), text.end(), [&](char c) {
        return is_word(c) || rule.others.find(c) != std::string_view::npos;
    });
    if (is_allowed && text.size() >= rule.shortest && text.size() <= rule.longest) return {};
    return fail(Code::InvalidRequest,
                "expected " + std::to_string(rule.shortest) + " to " +
                    std::to_string(rule.longest) + " characters of " + std::string(rule.pattern) +
                    ", found " + quoted(text),
                std::string(where));
}

}  // namespace

Result<> check_thing_name(std::string_view name) {
    return check(name, kThingRule, "thingName");
}

Result<> check_thing_type_name(std::string_view name) {
    return check(name, kThingRule, "thingTypeName");
}

Result<> check_group_name(std::string_view name, std::string_view where) {
    return check(name, kThingRule, where);
}

Result<> check_attribute(std::string_view name, std::string_view value) {
    if (auto good = check(name, kAttributeNameRule, "attributePayload"); !good) return good;
    return check(value, kAttributeValueRule, "attributePayload/attributes/" + std::string(name));
}

Result<> check_policy_name(std::string_view name) {
    return check(name, kPolicyRule, "policyName");
}

Result<> check_template_name(std::string_view name) {
    return check(name, kTemplateRule, "templateName");
}

std::string_view name_from_arn(const Account& account,
                               std::string_view type,
                               std::string_view arn) {
    const std::string prefix = account.arn(type, "");
    return arn.starts_with(prefix) ? arn.substr(prefix.size()) : std::string_view{};
}

}  // namespace hatchery::registry
