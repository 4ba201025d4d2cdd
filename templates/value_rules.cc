#include "templates/value_rules.h"

#include "templates/text.h"

#include <algorithm>

namespace hatchery::templates {

namespace {

/// The bytes of a character class such as "a-z0-9:_-"; a '-' at the end is itself.
constexpr std::array<bool, 256> allow(std::string_view ranges) {
    std::array<bool, 256> allowed{};
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        const auto from = static_cast<unsigned char>(ranges[i]);
        const bool is_range = i + 2 < ranges.size() && ranges[i + 1] == '-';
        const auto to = is_range ? static_cast<unsigned char>(ranges[i + 2]) : from;
        for (unsigned c = from; c <= to; ++c)
            allowed[c] = true;
        if (is_range) i += 2;
    }
    return allowed;
}

constexpr std::string_view kNameAlphabet = "[a-zA-Z0-9:_-]";
constexpr auto kNameBytes = allow("a-zA-Z0-9:_-");

}  // namespace

constexpr ValueRule kThingName{"a thing name", 1, 128, kNameAlphabet, kNameBytes};
constexpr ValueRule kThingTypeName{"a thing type name", 1, 128, kNameAlphabet, kNameBytes};
constexpr ValueRule kThingGroupName{"a thing group name", 1, 128, kNameAlphabet, kNameBytes};
constexpr ValueRule kBillingGroupName{"a billing group name", 1, 128, kNameAlphabet, kNameBytes};
constexpr ValueRule kAttributeName{
    "an attribute name", 1, 128, "[a-zA-Z0-9_.,@/:#-]", allow("a-zA-Z0-9_.,@/:#-")};
constexpr ValueRule kAttributeValue{
    "an attribute value", 0, 800, "[a-zA-Z0-9_.,@/:#=[]-]", allow("a-zA-Z0-9_.,@/:#=[]-")};
constexpr ValueRule kPolicyName{
    "a policy name", 1, 128, "[a-zA-Z0-9_+=,.@-]", allow("a-zA-Z0-9_+=,.@-")};
constexpr ValueRule kCertificateId{"a certificate id", 64, 64, "[0-9a-fA-F]", allow("0-9a-fA-F")};
constexpr ValueRule kCertificateSigningRequest{
    "a certificate signing request in PEM", 1, 4096, {}, {}};
constexpr ValueRule kCertificatePem{"a certificate in PEM", 1, 65536, {}, {}};

std::optional<std::string> violation(const ValueRule& rule, std::string_view value) {
    const bool is_legal =
        value.size() >= rule.minimum && value.size() <= rule.maximum &&
        (rule.alphabet.empty() || std::all_of(value.begin(), value.end(), [&](char c) {
             return rule.is_allowed[static_cast<unsigned char>(c)];
         }));
    if (is_legal) return std::nullopt;
    std::string message = "expected " + std::string(rule.what) + " of ";
    if (rule.minimum != rule.maximum) message += std::to_string(rule.minimum) + "-";
    message += std::to_string(rule.maximum) + " characters";
    if (!rule.alphabet.empty()) message += " " + std::string(rule.alphabet);
    message += ", found ";
    message += value.size() > rule.maximum ? std::to_string(value.size()) + " characters"
                                           : in_quotes(value);
    return message;
}

std::optional<bool> parse_status(std::string_view text) {
    if (equal_ignoring_case(text, "ACTIVE")) return true;
    if (equal_ignoring_case(text, "INACTIVE")) return false;
    return std::nullopt;
}

std::optional<bool> parse_thing_principal_type(std::string_view text) {
    if (text == "EXCLUSIVE_THING") return true;
    if (text == "NON_EXCLUSIVE_THING") return false;
    return std::nullopt;
}

std::string status_violation(std::string_view found) {
    return "expected the status ACTIVE or INACTIVE, found " + in_quotes(found);
}

std::string thing_principal_type_violation(std::string_view found) {
    return "expected EXCLUSIVE_THING or NON_EXCLUSIVE_THING, found " + in_quotes(found);
}

}  // namespace hatchery::templates
