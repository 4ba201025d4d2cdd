#include "provisioning/audit/inspection.h"
#include "provisioning/policy/policy.h"
#include "provisioning/registry/policies.h"

#include <algorithm>
#include <array>

namespace hatchery::audit {
namespace {

std::string policy_identifier(const registry::Policy& policy) {
    return identifier({{"policyVersionIdentifier",
                        {{"policyName", policy.name},
                         {"policyVersionId", std::to_string(policy.default_version)}}}});
}

/// Every policy with its default version, the one in use.
template <class Look>
Result<> walk_policies(const Inspection& in, Look look) {
    return walk(
        in,
        [](store::Reader& reader, const registry::PageRequest& request) {
            return registry::list_policies(reader, request, true);
        },
        look);
}

/// The findings of lint that are of one of `rules`, as one text.
std::string lint_text(const registry::Policy& policy,
                      std::span<const std::string_view> rules,
                      std::string* first_rule = nullptr) {
    // What does not compile is not in force: the gateway leaves it out.
    const auto document = policy::compile(policy.document);
    std::string text;
    if (!document) return text;
    for (const auto& finding : policy::lint(*document)) {
        if (std::find(rules.begin(), rules.end(), finding.rule) == rules.end()) continue;
        if (text.empty() && first_rule != nullptr) *first_rule = finding.rule;
        if (!text.empty()) text += "; ";
        text += "statement " + std::to_string(finding.statement + 1) + ": " + finding.message;
    }
    return text;
}

}  // namespace

Result<> policy_permissive(const Check& check, const Inspection& in) {
    static constexpr std::array<std::string_view, 7> kRules{"any-client",
                                                            "own-client-id",
                                                            "every-topic",
                                                            "every-thing",
                                                            "not-action",
                                                            "not-resource",
                                                            "reserved-topics"};
    return walk_policies(in, [&](const registry::Policy& policy) -> Result<> {
        std::string text = lint_text(policy, kRules);
        if (text.empty()) return {};
        return report(check,
                      in,
                      {policy_identifier(policy),
                       std::move(text),
                       "ALLOWS_BROAD_ACCESS_TO_IOT_DATA_PLANE_ACTIONS"});
    });
}

Result<> policy_misconfigured(const Check& check, const Inspection& in) {
    static constexpr std::array<std::string_view, 2> kRules{"deny-subscribe-alone",
                                                            "deny-with-mqtt-wildcard"};
    return walk_policies(in, [&](const registry::Policy& policy) -> Result<> {
        std::string rule;
        std::string text = lint_text(policy, kRules, &rule);
        if (text.empty()) return {};
        return report(check,
                      in,
                      {policy_identifier(policy),
                       std::move(text),
                       rule == kRules[0] ? "TOPIC_FILTERS_INTENDED_TO_DENY_ALLOWED_USING_WILDCARDS"
                                         : "POLICY_CONTAINS_MQTT_WILDCARDS_IN_DENY_STATEMENT"});
    });
}

Result<> policy_unused(const Check& check, const Inspection& in) {
    return walk_policies(in, [&](const registry::Policy& policy) -> Result<> {
        auto targets = in.store.read([&](store::Reader& reader) {
            return registry::targets_of_policy(reader, policy.name);
        });
        if (!targets && targets.error().code == Code::NotFound) return {};  // deleted meanwhile
        if (!targets) return std::move(targets).error();
        if (!targets->certificates.empty() || !targets->thing_groups.empty()) return {};
        return report(
            check,
            in,
            {policy_identifier(policy), "is attached to nothing", "POLICY_WITHOUT_TARGET"});
    });
}

}  // namespace hatchery::audit
