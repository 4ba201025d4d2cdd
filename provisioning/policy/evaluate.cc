#include "provisioning/policy/document.h"

#include <algorithm>

namespace hatchery::policy {

std::string_view to_string(Action action) {
    switch (action) {
        case Action::Connect:
            return "iot:Connect";
        case Action::Publish:
            return "iot:Publish";
        case Action::RetainPublish:
            return "iot:RetainPublish";
        case Action::Subscribe:
            return "iot:Subscribe";
        case Action::Receive:
            return "iot:Receive";
    }
    return "";
}

std::string_view to_string(Effect effect) {
    switch (effect) {
        case Effect::Allowed:
            return "ALLOWED";
        case Effect::ExplicitDeny:
            return "EXPLICIT_DENY";
        case Effect::ImplicitDeny:
            return "IMPLICIT_DENY";
    }
    return "";
}

namespace {

bool applies(const Statement& statement,
             Action action,
             const ArnParts& resource,
             const Context& context) {
    if ((statement.actions & action_bit(action)) == 0) return false;
    // An unset variable anywhere takes the whole statement out, a Deny too (Developer Guide,
    // "Thing policy variables").
    const auto values = substitute(statement.variables, context);
    if (!values) return false;
    const bool is_listed = std::any_of(
        statement.resources.begin(), statement.resources.end(), [&](const ArnPattern& pattern) {
            return matches(pattern, *values, resource);
        });
    if (is_listed == statement.is_not_resource) return false;
    return std::all_of(statement.conditions.begin(),
                       statement.conditions.end(),
                       [&](const Condition& c) { return holds(c, *values, context); });
}

}  // namespace

Decision evaluate(std::span<const Document> documents,
                  const Request& request,
                  const Context& context) {
    const ArnParts resource(request.resource);
    Decision decision;
    for (std::size_t d = 0; d < documents.size(); ++d) {
        const auto& statements = documents[d].impl().statements;
        for (std::size_t s = 0; s < statements.size(); ++s) {
            const auto& statement = statements[s];
            // Only a Deny can change an Allow that was found.
            if (decision.effect == Effect::Allowed && !statement.is_deny) continue;
            if (!applies(statement, request.action, resource, context)) continue;
            decision = {
                statement.is_deny ? Effect::ExplicitDeny : Effect::Allowed, d, s, statement.sid};
            if (statement.is_deny) return decision;
        }
    }
    return decision;
}

}  // namespace hatchery::policy
