#include "provisioning/policy/document.h"
#include "provisioning/policy/text.h"

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
        case Action::DescribeJobExecution:
            return "iot:DescribeJobExecution";
        case Action::GetPendingJobExecutions:
            return "iot:GetPendingJobExecutions";
        case Action::StartNextPendingJobExecution:
            return "iot:StartNextPendingJobExecution";
        case Action::UpdateJobExecution:
            return "iot:UpdateJobExecution";
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

/// evaluate() and explain() ask the same question of each statement.
template <class Visit>
Decision decide(std::span<const Document> documents, const Request& request, Visit visit) {
    const ArnParts resource(request.resource);
    Decision decision;
    const Statement* decisive = nullptr;
    for (std::size_t d = 0; d < documents.size(); ++d) {
        const auto& statements = documents[d].impl().statements;
        for (std::size_t s = 0; s < statements.size(); ++s) {
            const Statement& statement = statements[s];
            // Only a Deny can change an Allow that was found, and nothing changes a Deny.
            const bool is_settled = decision.effect == Effect::ExplicitDeny ||
                                    (decision.effect == Effect::Allowed && !statement.is_deny);
            if (!visit(d, s, statement, resource, is_settled) || is_settled) continue;
            decision.effect = statement.is_deny ? Effect::ExplicitDeny : Effect::Allowed;
            decision.document = d;
            decision.statement = s;
            decisive = &statement;
        }
    }
    if (decisive != nullptr) decision.sid = decisive->sid;
    return decision;
}

}  // namespace

Outcome judge(const Statement& statement,
              Action action,
              const ArnParts& resource,
              const Context& context) {
    if ((statement.actions & action_bit(action)) == 0) return Outcome::OtherAction;
    // An unset variable anywhere takes the whole statement out, a Deny too (Developer Guide,
    // "Thing policy variables").
    const auto values = substitute(statement.variables, context);
    if (!values) return Outcome::VariableUnset;
    const bool is_listed = std::any_of(
        statement.resources.begin(), statement.resources.end(), [&](const ArnPattern& pattern) {
            return matches(pattern, *values, resource);
        });
    if (is_listed == statement.is_not_resource) return Outcome::OtherResource;
    const bool all_hold = std::all_of(
        statement.conditions.begin(), statement.conditions.end(), [&](const Condition& c) {
            return holds(c, *values, context);
        });
    return all_hold ? Outcome::Applies : Outcome::ConditionFails;
}

Decision evaluate(std::span<const Document> documents,
                  const Request& request,
                  const Context& context) {
    return decide(documents,
                  request,
                  [&](std::size_t,
                      std::size_t,
                      const Statement& statement,
                      const ArnParts& resource,
                      bool is_settled) {
                      return !is_settled && judge(statement, request.action, resource, context) ==
                                                Outcome::Applies;
                  });
}

Explanation explain(std::span<const Document> documents,
                    const Request& request,
                    const Context& context) {
    Explanation explanation;
    explanation.decision =
        decide(documents,
               request,
               [&](std::size_t document,
                   std::size_t index,
                   const Statement& statement,
                   const ArnParts& resource,
                   bool) {
                   StatementOutcome one;
                   one.document = document;
                   one.statement = index;
                   one.is_deny = statement.is_deny;
                   one.sid = statement.sid;
                   one.outcome = judge(statement, request.action, resource, context);
                   if (one.outcome == Outcome::VariableUnset) {
                       for (const auto& variable : statement.variables) {
                           const bool is_set = variable.is_certificate() && variable.is_list();
                           if (is_set || variable.values(context).empty())
                               one.unset.push_back(variable.text());
                       }
                   }
                   const bool applies = one.outcome == Outcome::Applies;
                   explanation.statements.push_back(std::move(one));
                   return applies;
               });
    return explanation;
}

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::Applies:
            return "applies";
        case Outcome::OtherAction:
            return "is about other actions";
        case Outcome::OtherResource:
            return "is about other resources";
        case Outcome::ConditionFails:
            return "has a condition that does not hold";
        case Outcome::VariableUnset:
            return "names a policy variable that is not set";
    }
    return "";
}

std::optional<Action> parse_action(std::string_view name) {
    for (std::size_t i = 0; i < kActionCount; ++i) {
        const auto action = static_cast<Action>(i);
        const auto full = to_string(action);
        if (equal_ignoring_case(name, full) || equal_ignoring_case(name, full.substr(4)))
            return action;
    }
    return std::nullopt;
}

}  // namespace hatchery::policy
