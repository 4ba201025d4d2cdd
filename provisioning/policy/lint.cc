// What is probably not meant. The rules follow AWS IoT Device Defender's audit check "IoT policies
// overly permissive" and the Developer Guide's warnings about policy variables and wildcards.
#include "provisioning/policy/document.h"
#include "provisioning/policy/text.h"

#include <algorithm>
#include <array>

namespace hatchery::policy {

namespace {

constexpr std::string_view kAnyName = "*";

/// "topic" and "a/b" of "arn:aws:iot:REGION:ACCOUNT:topic/a/b"; "*" and "*" of "*".
struct ResourceText {
    std::string_view type, name;
};
ResourceText split_resource(std::string_view text) {
    for (int colons = 0; colons < 5; ++colons) {
        const auto colon = text.find(':');
        if (colon == std::string_view::npos) return {kAnyName, kAnyName};
        text.remove_prefix(colon + 1);
    }
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return {text, text == "*" ? kAnyName : ""};
    return {text.substr(0, slash), text.substr(slash + 1)};
}

struct ActionType {
    Action action;
    std::string_view type;
};
constexpr std::array<ActionType, kActionCount> kTypeOfAction{
    {{Action::Connect, "client"},
     {Action::Publish, "topic"},
     {Action::RetainPublish, "topic"},
     {Action::Subscribe, "topicfilter"},
     {Action::Receive, "topic"},
     {Action::DescribeJobExecution, "thing"},
     {Action::GetPendingJobExecutions, "thing"},
     {Action::StartNextPendingJobExecution, "thing"},
     {Action::UpdateJobExecution, "thing"}}};

/// Developer Guide, "AWS IoT Core policy variables"; a name without its .N or .List.
constexpr std::array<std::string_view, 8> kVariables{"iot:ClientId",
                                                     "aws:SourceIp",
                                                     "iot:LastWillTopic",
                                                     "iot:ConnectAttributes",
                                                     "iot:Connection.Thing.ThingName",
                                                     "iot:Connection.Thing.ThingTypeName",
                                                     "iot:Connection.Thing.IsAttached",
                                                     "iot:Connection.Thing.Attributes["};

bool is_variable(std::string_view name) {
    if (starts_with_ignoring_case(name, "iot:Certificate.")) return true;
    return std::any_of(kVariables.begin(), kVariables.end(), [&](std::string_view known) {
        return known.ends_with('[') ? starts_with_ignoring_case(name, known)
                                    : equal_ignoring_case(name, known);
    });
}

/// Finds what is wrong with one statement.
class StatementLint {
  public:
    StatementLint(const Document::Impl& document, std::size_t index, std::vector<Finding>& findings)
        : document_(document),
          statement_(document.statements[index]),
          index_(index),
          findings_(findings) {}

    void run() {
        if (statement_.is_deny) {
            check_deny();
        } else {
            check_allow();
        }
        check_types();
        check_variables();
    }

  private:
    bool is_about(Action action) const { return (statement_.actions & action_bit(action)) != 0; }
    void add(Finding::Severity severity, std::string rule, std::string message) {
        const bool is_known = std::any_of(findings_.begin(), findings_.end(), [&](const auto& one) {
            return one.statement == index_ && one.rule == rule && one.message == message;
        });
        if (!is_known) findings_.push_back({severity, index_, std::move(rule), std::move(message)});
    }
    void error(std::string rule, std::string message) {
        add(Finding::Severity::Error, std::move(rule), std::move(message));
    }
    void warn(std::string rule, std::string message) {
        add(Finding::Severity::Warning, std::move(rule), std::move(message));
    }

    void check_allow() {
        if (statement_.is_not_action) {
            error("not-action",
                  "Allow with NotAction allows every other action, present and future");
        }
        if (statement_.is_not_resource) {
            error("not-resource", "Allow with NotResource allows every other resource");
            return;
        }
        // A condition may narrow what the resource does not.
        const bool is_narrowed = !statement_.conditions.empty();
        for (const auto& text : statement_.resource_texts) {
            const auto resource = split_resource(text);
            if (!is_narrowed) check_width(text, resource);
            // What may be received is what may be subscribed to.
            const bool is_reserved = resource.name.starts_with("$aws/*") ||
                                     resource.name.starts_with("$aws/things/*") ||
                                     resource.name.starts_with("$aws/things/+");
            if (is_reserved && statement_.actions != action_bit(Action::Receive)) {
                error("reserved-topics",
                      quote(text) + " reaches the shadows and jobs of every thing");
            }
            if (resource.type == "topicfilter" && is_about(Action::Subscribe) &&
                text.find("${iot:ClientId}") != std::string::npos) {
                warn("client-id-in-filter",
                     quote(text) +
                         ": a client named + or # subscribes to a wildcard; "
                         "${iot:Connection.Thing.ThingName} is safe");
            }
        }
    }

    void check_width(const std::string& text, const ResourceText& resource) {
        if (is_about(Action::Connect) && resource.type == "client" &&
            resource.name == "${iot:ClientId}") {
            warn("own-client-id",
                 quote(text) +
                     " is every client id; iot:Connection.Thing.IsAttached or "
                     "${iot:Connection.Thing.ThingName} narrows it");
        }
        if (resource.name != kAnyName && resource.name != "#") return;
        const bool any_type = resource.type == kAnyName;
        if (is_about(Action::Connect) && (any_type || resource.type == "client")) {
            error(
                "any-client",
                quote(text) + " lets the device connect with any client id, another device's too");
        }
        for (const auto& [action, type] : kTypeOfAction) {
            if (action == Action::Connect || !is_about(action)) continue;
            if (!any_type && resource.type != type) continue;
            if (type == "thing") {
                error("every-thing",
                      std::string(to_string(action)) + " on " + quote(text) +
                          " reaches the jobs of every thing");
                break;  // one finding for the four of them, which come last
            }
            error(action == Action::Receive ? "receives-every-topic" : "every-topic",
                  std::string(to_string(action)) + " on " + quote(text) +
                      " reaches the topics of every device");
        }
    }

    void check_deny() {
        if (!statement_.variables.empty()) {
            warn("deny-with-variable",
                 "where " + quote(statement_.variables.front().reference()) +
                     " is not set, this Deny is skipped");
        }
        for (const auto& text : statement_.resource_texts) {
            const auto resource = split_resource(text);
            const bool is_topic = resource.type == "topicfilter" || resource.type == "topic";
            if (is_topic && resource.name.find_first_of("+#") != std::string_view::npos) {
                warn("deny-with-mqtt-wildcard",
                     quote(text) + ": + and # are plain characters in a policy; write * or ?");
            }
        }
        if (!is_about(Action::Subscribe) || is_about(Action::Receive)) return;
        for (const auto& text : statement_.resource_texts) {
            if (split_resource(text).name == kAnyName) return;
        }
        warn("deny-subscribe-alone",
             "a wider filter (a/#) passes a Deny on a/b: deny iot:Receive on the topics as well");
    }

    /// A resource of a type that none of the actions has.
    void check_types() {
        if (statement_.is_not_resource || statement_.actions == 0) return;
        for (const auto& text : statement_.resource_texts) {
            const auto resource = split_resource(text);
            if (resource.type.find_first_of("*?$") != std::string_view::npos) continue;
            const bool fits =
                std::any_of(kTypeOfAction.begin(), kTypeOfAction.end(), [&](const ActionType& one) {
                    return one.type == resource.type && is_about(one.action);
                });
            if (!fits) {
                warn("never-matches",
                     quote(text) + " is of type " + std::string(resource.type) +
                         ", which none of the actions has");
            }
            if (!statement_.is_deny && resource.type == "topic" &&
                resource.name.find_first_of("+#") != std::string_view::npos) {
                warn("never-matches",
                     quote(text) + ": + and # are plain characters in a policy; write * or ?");
            }
        }
    }

    void check_variables() {
        if (!document_.has_variables) {
            for (const auto& text : statement_.resource_texts) {
                if (text.find("${") == std::string::npos) continue;
                warn("old-version",
                     quote(text) + ": without Version 2012-10-17 a variable is plain text");
            }
        }
        for (const auto& variable : statement_.variables) {
            if (is_variable(variable.text())) continue;
            warn("unknown-variable",
                 quote(variable.reference()) + " is never set: the statement never applies");
        }
    }

    const Document::Impl& document_;
    const Statement& statement_;
    std::size_t index_;
    std::vector<Finding>& findings_;
};

}  // namespace

std::string_view to_string(Finding::Severity severity) {
    return severity == Finding::Severity::Error ? "error" : "warning";
}

std::vector<Finding> lint(const Document& document) {
    std::vector<Finding> findings;
    const auto& impl = document.impl();
    for (std::size_t index = 0; index < impl.statements.size(); ++index)
        StatementLint(impl, index, findings).run();
    return findings;
}

}  // namespace hatchery::policy
