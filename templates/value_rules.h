// What the registry takes for each kind of name and value (iot 2015-05-28 service model), so that a
// constant is checked when the template is compiled and a computed one when it is resolved.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace hatchery::templates {

/// Length and alphabet of one kind of value.
struct ValueRule {
    std::string_view what;      ///< "a thing name"
    std::size_t minimum = 1;    ///< bytes
    std::size_t maximum = 128;  ///< bytes
    std::string_view alphabet;  ///< as the service model writes it; empty: any
    std::array<bool, 256> is_allowed{};
};

extern const ValueRule kThingName;
extern const ValueRule kThingTypeName;
extern const ValueRule kThingGroupName;
extern const ValueRule kBillingGroupName;
extern const ValueRule kAttributeName;
extern const ValueRule kAttributeValue;
extern const ValueRule kPolicyName;
extern const ValueRule kCertificateId;
extern const ValueRule kCertificateSigningRequest;
extern const ValueRule kCertificatePem;

/// `expected a thing name of 1-128 characters [a-zA-Z0-9:_-], found "Any Company"`; nothing when
/// `value` is legal. Long values are named by their length alone.
std::optional<std::string> violation(const ValueRule& rule, std::string_view value);

/// ACTIVE or INACTIVE in any case: is it ACTIVE? Nothing for another word.
std::optional<bool> parse_status(std::string_view text);
/// EXCLUSIVE_THING or NON_EXCLUSIVE_THING: is it exclusive? Nothing for another word.
std::optional<bool> parse_thing_principal_type(std::string_view text);
std::string status_violation(std::string_view found);
std::string thing_principal_type_violation(std::string_view found);

inline constexpr std::size_t kMaxAttributes = 50;  ///< of a thing with a thing type
inline constexpr std::size_t kMaxAttributesWithoutType = 3;
inline constexpr std::size_t kMaxThingGroups = 10;

}  // namespace hatchery::templates
