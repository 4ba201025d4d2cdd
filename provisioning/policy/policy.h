// AWS IoT Core policies: compile a document once, evaluate it per packet. Pure: no I/O, no
// registry. Facts: AWS IoT Developer Guide, "AWS IoT Core policies". In: document text, Request,
// Context. Out: Decision.
#pragma once

#include "ca/base/error.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::policy {

/// A compiled policy document; immutable, cheap to copy, safe from any thread.
class Document {
  public:
    class Impl;
    explicit Document(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
    const Impl& impl() const { return *impl_; }

  private:
    std::shared_ptr<const Impl> impl_;
};

/// @errors MalformedPolicy  not JSON, over 2,048 characters without white space, unknown element,
/// effect, action form or
///                          condition operator; `where` = JSON pointer, with line:column for JSON
///                          errors
Result<Document> compile(std::string_view json);

enum class Action {
    Connect,
    Publish,
    RetainPublish,
    Subscribe,
    Receive,
    // Of jobs over HTTPS only; over MQTT they are topics.
    DescribeJobExecution,
    GetPendingJobExecutions,
    StartNextPendingJobExecution,
    UpdateJobExecution
};
std::string_view to_string(Action action);  ///< "iot:Connect" …
/// "iot:Connect" or "Connect", without regard to case; nothing for any other text.
std::optional<Action> parse_action(std::string_view name);

/// What is asked. `resource` is the full ARN: …:client/ID, …:topic/T, …:topicfilter/F, …:thing/T.
struct Request {
    Action action;
    std::string resource;
};

/// Values of policy variables and condition keys: "iot:ClientId", "iot:Connection.Thing.ThingName",
/// "iot:Certificate.Subject.CommonName", "aws:SourceIp", … Several values of one attribute keep
/// their order; a plain variable takes the first, "NAME.N" the N-th from zero, "NAME.List" all. An
/// absent key is unset: a statement whose resource or condition value names it does not apply.
/// Values are given as they are: evaluate() escapes `, " \ + = < > ;` in those of iot:Certificate.*
/// and leaves out the ones that AWS does not substitute.
struct Context {
    std::map<std::string, std::vector<std::string>, std::less<>> values;
    void set(std::string key, std::string value) { values[std::move(key)] = {std::move(value)}; }
};

enum class Effect { Allowed, ExplicitDeny, ImplicitDeny };
std::string_view to_string(Effect effect);  ///< "ALLOWED", "EXPLICIT_DENY", "IMPLICIT_DENY"

struct Decision {
    Effect effect = Effect::ImplicitDeny;
    std::size_t document =
        0;  ///< index of the deciding document and statement; meaningless on ImplicitDeny
    std::size_t statement = 0;
    std::string sid;
};

/// Any matching Deny, else any matching Allow, else ImplicitDeny. Thread-safe. Allocates nothing,
/// except for certificate values that have to be escaped, for typed conditions (numbers, condition
/// values made of text and variables), over eight variables in a statement, and a long Sid.
Decision evaluate(std::span<const Document> documents,
                  const Request& request,
                  const Context& context);

/// Why a statement applies, or not.
enum class Outcome : std::uint8_t {
    Applies,
    OtherAction,
    VariableUnset,  ///< takes the whole statement out, a Deny too
    OtherResource,
    ConditionFails
};
std::string_view to_string(Outcome outcome);  ///< "is about other actions" …

struct StatementOutcome {
    std::size_t document = 0, statement = 0;
    bool is_deny = false;
    std::string sid;
    Outcome outcome = Outcome::OtherAction;
    std::vector<std::string> unset;  ///< variables, of Outcome::VariableUnset
};
struct Explanation {
    Decision decision;                         ///< what evaluate() says
    std::vector<StatementOutcome> statements;  ///< every statement, in order
};
/// evaluate() at length, for people.
Explanation explain(std::span<const Document> documents,
                    const Request& request,
                    const Context& context);

/// Something in a policy that allows more, or does less, than its author may think.
struct Finding {
    enum class Severity : std::uint8_t { Warning, Error };
    Severity severity = Severity::Warning;
    std::size_t statement = 0;  ///< index
    std::string rule;           ///< "any-client", "every-topic" … (docs/api.md lists them)
    std::string message;
};
std::string_view to_string(Finding::Severity severity);  ///< "warning", "error"
/// Over-permissive statements (errors), and those that never match or deny less than they seem to
/// (warnings), by statement.
std::vector<Finding> lint(const Document& document);

}  // namespace hatchery::policy
