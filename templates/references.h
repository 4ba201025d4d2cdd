// What a template expects to exist in the registry before the first device comes.
#pragma once

#include "templates/template.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::templates {

enum class ReferenceKind : std::uint8_t { ThingType, ThingGroup, BillingGroup, Policy };
std::string_view to_string(ReferenceKind kind);  ///< "thing type", "policy" …

struct Reference {
    ReferenceKind kind = ReferenceKind::ThingType;
    std::string name;
    bool is_default = false;  ///< the Default of a parameter: a device may bring another value
    std::string pointer;      ///< of the property's value in the template
    Range range;
};

/// The names that a template says outright, or as the Default of a parameter; computed ones are
/// known at a device only. Policies that the template creates itself are left out.
std::vector<Reference> references(const Template& value);

/// The finding that `missing` is not there.
Diagnostic missing_reference(const Reference& missing);

/// A policy document that depends on no parameter, as it will be stored.
struct PolicyText {
    std::string document;  ///< JSON
    std::string pointer;   ///< of PolicyDocument in the template
    Range range;
};
std::vector<PolicyText> policy_texts(const Template& value);

/// The finding that `policy` would be refused (an error), or deserves a second look.
Diagnostic policy_finding(const PolicyText& policy, Severity severity, std::string message);

}  // namespace hatchery::templates
