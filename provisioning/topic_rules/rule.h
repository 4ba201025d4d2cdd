// A rule as the control plane keeps it (topicRulePayload), read: its SQL and its actions.
#pragma once

#include "provisioning/topic_rules/statement.h"

#include <map>
#include <vector>

namespace hatchery::topic_rules {

/// What a rule can do with what its SQL made. The names are AWS's; three of them stand for what
/// there is here: cloudwatchLogs appends to a file, sns sends an e-mail, s3 takes any endpoint.
enum class ActionKind { Republish, Http, S3, CloudwatchLogs, Sns };
std::string_view to_string(ActionKind kind);  ///< the member of an action: "republish" …
/// @errors InvalidRequest
Result<ActionKind> parse_action_kind(std::string_view text);

/// An action for one message, with every ${…} put in: texts by AWS's names of the members. Headers
/// of HTTP are "header:NAME".
struct ResolvedAction {
    ActionKind kind = ActionKind::Republish;
    std::map<std::string, std::string> texts;
};

/// An action as the rule states it.
class Action {
  public:
    Action(ActionKind kind, std::map<std::string, Substitution> texts)
        : kind_(kind), texts_(std::move(texts)) {}
    ActionKind kind() const { return kind_; }
    ResolvedAction resolve(const Message& message) const;

  private:
    ActionKind kind_;
    std::map<std::string, Substitution> texts_;
};

struct Rule {
    Statement statement;
    std::vector<Action> actions;
    std::optional<Action> error_action;

    /// Reads a topicRulePayload, JSON. Members that nothing here needs (roleArn …) are ignored.
    /// @errors InvalidRequest  no object, a kind of action that there is none of, a missing member;
    /// `where` = JSON pointer: "/sql LINE:COLUMN" for a mistake in the SQL
    static Result<Rule> parse(std::string_view payload);
};

/// `where` of an error in the SQL itself starts with it.
inline constexpr std::string_view kSqlPointer = "/sql";

}  // namespace hatchery::topic_rules
