// evaluate() against a second evaluator that is as plain as possible, on random policies, and what
// must hold whatever the policies say.
#include "provisioning/policy/policy.h"
#include "tests/provisioning/policy/counted_allocations.h"

#include <gtest/gtest.h>

#include <random>

namespace hatchery::policy {
namespace {

using Random = std::mt19937;
const std::string kArn = "arn:aws:iot:us-east-1:123456789012:";

struct PlainCondition {
    bool is_negated = false;
    bool is_like = false;
    std::string key, value;
};
/// One statement as the generator knows it; the text that is compiled is made from it.
struct PlainStatement {
    bool is_deny = false, is_not_action = false, is_not_resource = false;
    std::vector<std::string> actions, resources;
    std::vector<PlainCondition> conditions;
};
using PlainPolicy = std::vector<PlainStatement>;

const std::vector<std::string> kActions{"iot:Connect",
                                        "iot:Publish",
                                        "iot:Subscribe",
                                        "iot:Receive",
                                        "iot:RetainPublish",
                                        "iot:*",
                                        "*",
                                        "iot:?ublish",
                                        "iot:*Publish"};
const std::vector<std::string> kResources{"*",
                                          kArn + "topic/a",
                                          kArn + "topic/a/*",
                                          kArn + "topic/*/b",
                                          kArn + "topic/?",
                                          kArn + "topic/${iot:ClientId}",
                                          kArn + "topic/${iot:Unset}/x",
                                          kArn + "client/${iot:ClientId}",
                                          kArn + "topicfilter/a/+",
                                          kArn + "*"};
const std::vector<std::string> kNames{
    "topic/a", "topic/a/b", "topic/b", "topic/c1", "client/c1", "topicfilter/a/+", "topic/a/c/b"};
const std::vector<std::string> kKeys{"iot:ClientId", "aws:SourceIp", "iot:Absent"};
const std::vector<std::string> kValues{"c1", "c*", "10.0.0.1", "${iot:ClientId}", "x"};

template <class T>
const T& pick(Random& random, const std::vector<T>& from) {
    return from[std::uniform_int_distribution<std::size_t>(0, from.size() - 1)(random)];
}
bool chance(Random& random, int percent) {
    return std::uniform_int_distribution<int>(1, 100)(random) <= percent;
}

PlainStatement random_statement(Random& random) {
    PlainStatement statement;
    statement.is_deny = chance(random, 30);
    statement.is_not_action = chance(random, 15);
    statement.is_not_resource = chance(random, 15);
    do {
        statement.actions.push_back(pick(random, kActions));
    } while (statement.actions.size() < 3 && chance(random, 40));
    do {
        statement.resources.push_back(pick(random, kResources));
    } while (statement.resources.size() < 3 && chance(random, 40));
    while (statement.conditions.size() < 2 && chance(random, 25)) {
        statement.conditions.push_back(
            {chance(random, 40), chance(random, 50), pick(random, kKeys), pick(random, kValues)});
    }
    return statement;
}

std::string quoted(const std::string& text) {
    return '"' + text + '"';
}
std::string list_of(const std::vector<std::string>& texts) {
    std::string list;
    for (const auto& text : texts)
        list += (list.empty() ? "[" : ",") + quoted(text);
    return list + "]";
}
std::string document_of(const PlainPolicy& policy) {
    std::string text;
    for (const auto& statement : policy) {
        text += text.empty() ? "" : ",";
        text += R"({"Effect":)" + quoted(statement.is_deny ? "Deny" : "Allow");
        text += std::string(",\"") + (statement.is_not_action ? "Not" : "") + "Action\":";
        text += list_of(statement.actions);
        text += std::string(",\"") + (statement.is_not_resource ? "Not" : "") + "Resource\":";
        text += list_of(statement.resources);
        // One operator block each may hold a key once, so only one condition an operator is kept.
        std::map<std::string, std::string> blocks;
        for (const auto& condition : statement.conditions) {
            const std::string op = std::string("String") + (condition.is_negated ? "Not" : "") +
                                   (condition.is_like ? "Like" : "Equals");
            blocks.emplace(op, "{" + quoted(condition.key) + ":" + quoted(condition.value) + "}");
        }
        std::string conditions;
        for (const auto& [op, block] : blocks)
            conditions += (conditions.empty() ? "" : ",") + quoted(op) + ":" + block;
        if (!conditions.empty()) text += ",\"Condition\":{" + conditions + "}";
        text += "}";
    }
    return R"({"Version":"2012-10-17","Statement":[)" + text + "]}";
}

/// Recursive on purpose: obviously right.
bool plain_match(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '*') {
        return plain_match(pattern.substr(1), text) ||
               (!text.empty() && plain_match(pattern, text.substr(1)));
    }
    if (text.empty()) return false;
    return (pattern[0] == '?' || pattern[0] == text[0]) &&
           plain_match(pattern.substr(1), text.substr(1));
}

using PlainContext = std::map<std::string, std::string>;

/// The text with its one kind of variable filled in, or nothing.
std::optional<std::string> fill(std::string text, const PlainContext& context) {
    for (auto at = text.find("${"); at != std::string::npos; at = text.find("${", at)) {
        const auto end = text.find('}', at);
        const auto value = context.find(text.substr(at + 2, end - at - 2));
        if (value == context.end()) return std::nullopt;
        text.replace(at, end + 1 - at, value->second);
        at += value->second.size();
    }
    return text;
}

bool plain_arn_match(const std::string& pattern, const std::string& arn) {
    if (pattern == "*") return true;
    // Our patterns and names have the same five colons before the name.
    return plain_match(pattern.substr(kArn.size()), arn.substr(kArn.size()));
}

std::string lowered(std::string text) {
    for (char& c : text)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

bool plain_applies(const PlainStatement& statement,
                   const Request& request,
                   const PlainContext& context) {
    // An unset variable anywhere takes the statement out.
    std::map<std::string, PlainCondition> kept;
    for (const auto& condition : statement.conditions) {
        kept.emplace(std::string(condition.is_negated ? "Not" : "") +
                         (condition.is_like ? "Like" : "Equals"),
                     condition);
    }
    for (const auto& resource : statement.resources) {
        if (!fill(resource, context)) return false;
    }
    for (const auto& [op, condition] : kept) {
        if (!fill(condition.value, context)) return false;
    }
    bool is_listed = false;
    for (const auto& action : statement.actions) {
        is_listed = is_listed ||
                    plain_match(lowered(action), lowered(std::string(to_string(request.action))));
    }
    if (is_listed == statement.is_not_action) return false;
    bool is_resource = false;
    for (const auto& resource : statement.resources)
        is_resource = is_resource || plain_arn_match(*fill(resource, context), request.resource);
    if (is_resource == statement.is_not_resource) return false;
    for (const auto& [op, condition] : kept) {
        const auto found = context.find(condition.key);
        const auto value = *fill(condition.value, context);
        const bool is_same =
            found != context.end() &&
            (condition.is_like ? plain_match(value, found->second) : value == found->second);
        if (is_same == condition.is_negated) return false;
    }
    return true;
}

Effect plain_evaluate(const std::vector<PlainPolicy>& policies,
                      const Request& request,
                      const PlainContext& context) {
    bool is_allowed = false;
    for (const auto& policy : policies) {
        for (const auto& statement : policy) {
            if (!plain_applies(statement, request, context)) continue;
            if (statement.is_deny) return Effect::ExplicitDeny;
            is_allowed = true;
        }
    }
    return is_allowed ? Effect::Allowed : Effect::ImplicitDeny;
}

struct RandomCase {
    std::vector<PlainPolicy> plain;
    std::vector<Document> documents;
    Request request{Action::Connect, ""};
    PlainContext plain_context;
    Context context;
};
RandomCase random_case(Random& random) {
    RandomCase made;
    do {
        PlainPolicy policy;
        do {
            policy.push_back(random_statement(random));
        } while (policy.size() < 4 && chance(random, 60));  // at most 2,048 characters
        auto compiled = compile(document_of(policy));
        EXPECT_TRUE(compiled) << document_of(policy) << to_string(compiled.error());
        if (!compiled) continue;
        made.documents.push_back(*compiled);
        made.plain.push_back(std::move(policy));
    } while (chance(random, 40));
    made.request = {static_cast<Action>(std::uniform_int_distribution<int>(0, 4)(random)),
                    kArn + pick(random, kNames)};
    if (chance(random, 80)) made.plain_context["iot:ClientId"] = "c1";
    if (chance(random, 50)) made.plain_context["aws:SourceIp"] = "10.0.0.1";
    for (const auto& [key, value] : made.plain_context)
        made.context.set(key, value);
    return made;
}

std::string texts_of(const RandomCase& one) {
    std::string text = std::string(to_string(one.request.action)) + " " + one.request.resource;
    for (const auto& policy : one.plain)
        text += "\n" + document_of(policy);
    return text;
}

TEST(Reference, AgreesOnRandomPolicies) {
    Random random(20'261'123);
    std::map<Effect, int> seen;
    for (int i = 0; i < 4'000; ++i) {
        const RandomCase one = random_case(random);
        const auto expected = plain_evaluate(one.plain, one.request, one.plain_context);
        const auto found = evaluate(one.documents, one.request, one.context);
        ASSERT_EQ(to_string(found.effect), to_string(expected)) << texts_of(one);
        const auto explained = explain(one.documents, one.request, one.context);
        ASSERT_EQ(explained.decision.effect, found.effect);
        ASSERT_EQ(explained.decision.document, found.document);
        ASSERT_EQ(explained.decision.statement, found.statement);
        ++seen[expected];
    }
    for (const auto& [effect, count] : seen)
        EXPECT_GT(count, 200) << to_string(effect);
    EXPECT_EQ(seen.size(), 3U);
}

TEST(Reference, NeverOverrulesADenyAndNeverTakesAccessByAnAllow) {
    Random random(7);
    for (int i = 0; i < 800; ++i) {
        RandomCase one = random_case(random);
        const auto before = evaluate(one.documents, one.request, one.context).effect;
        PlainStatement allow = random_statement(random);
        allow.is_deny = false;
        one.documents.push_back(*compile(document_of({allow})));
        const auto after = evaluate(one.documents, one.request, one.context).effect;
        if (before != Effect::ImplicitDeny) {
            ASSERT_EQ(after, before) << texts_of(one);
        }
        one.documents.push_back(*compile(
            R"({"Statement":{"Effect":"Deny","Action":"*","Resource":"*"},"Version":"2012-10-17"})"));
        ASSERT_EQ(evaluate(one.documents, one.request, one.context).effect, Effect::ExplicitDeny);
    }
}

TEST(Reference, AllocatesNothing) {
    // The device policy of the tutorial: four statements, thing variables.
    const std::string thing = "${iot:Connection.Thing.ThingName}";
    PlainPolicy policy;
    for (const auto& [action, resource] :
         std::vector<std::pair<std::string, std::string>>{{"iot:Connect", "client/" + thing},
                                                          {"iot:Publish", "topic/a/" + thing},
                                                          {"iot:Subscribe", "topicfilter/a/*"},
                                                          {"iot:Receive", "topic/a/" + thing}}) {
        PlainStatement statement;
        statement.actions = {action};
        statement.resources = {kArn + resource};
        policy.push_back(statement);
    }
    const std::vector<Document> documents{*compile(document_of(policy))};
    Context context;
    context.set("iot:Connection.Thing.ThingName", "a-thing-with-a-name-of-some-length-0123456789");
    context.set("iot:Certificate.Subject.CommonName", "a-thing-with-a-name");
    const Request publish{Action::Publish,
                          kArn + "topic/a/a-thing-with-a-name-of-some-length-0123456789"};
    const std::size_t before = testing::allocations();
    const auto decision = evaluate(documents, publish, context);
    EXPECT_EQ(testing::allocations(), before);
    EXPECT_EQ(decision.effect, Effect::Allowed);
    EXPECT_EQ(decision.statement, 1U);
}

TEST(Explain, SaysOfEveryStatementWhy) {
    const auto document = compile(R"({"Version":"2012-10-17","Statement":[
        {"Sid":"a","Effect":"Allow","Action":"iot:Connect","Resource":"*"},
        {"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/b"},
        {"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/${iot:ClientId}"},
        {"Effect":"Allow","Action":"iot:Publish","Resource":"*",
         "Condition":{"StringEquals":{"aws:SourceIp":"10.0.0.1"}}},
        {"Sid":"e","Effect":"Allow","Action":"iot:*","Resource":"arn:aws:iot:r:1:topic/*"}]})");
    ASSERT_TRUE(document);
    const auto explained =
        explain(std::vector{*document}, {Action::Publish, "arn:aws:iot:r:1:topic/a"}, Context{});
    EXPECT_EQ(explained.decision.effect, Effect::Allowed);
    EXPECT_EQ(explained.decision.statement, 4U);
    EXPECT_EQ(explained.decision.sid, "e");
    std::vector<std::string_view> outcomes;
    for (const auto& one : explained.statements)
        outcomes.push_back(to_string(one.outcome));
    EXPECT_EQ(outcomes,
              (std::vector<std::string_view>{"is about other actions",
                                             "is about other resources",
                                             "names a policy variable that is not set",
                                             "has a condition that does not hold",
                                             "applies"}));
    EXPECT_EQ(explained.statements[2].unset, std::vector<std::string>{"iot:ClientId"});
    EXPECT_TRUE(explained.statements[2].is_deny);
}

struct LintCase {
    const char* statement;
    const char* expected;  // "severity rule", one a line
};
const LintCase kLintCases[] = {
    {R"("Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:r:1:client/${iot:ClientId}")",
     "warning own-client-id\n"},
    {R"("Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:r:1:client/${iot:ClientId}",
        "Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"}})",
     ""},
    {R"("Effect":"Allow","Action":"iot:Connect","Resource":"*")", "error any-client\n"},
    {R"("Effect":"Allow","Action":"iot:Connect","Resource":"*",
        "Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"}})",
     ""},
    {R"("Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"arn:aws:iot:r:1:topic/*")",
     "error every-topic\nerror receives-every-topic\n"},
    {R"("Effect":"Allow","Action":"iot:Receive","Resource":"arn:aws:iot:r:1:topic/$aws/things/*")",
     ""},
    {R"("Effect":"Allow","Action":["iot:UpdateJobExecution","iot:DescribeJobExecution"],"Resource":"arn:aws:iot:r:1:thing/*")",
     "error every-thing\n"},
    {R"("Effect":"Allow","Action":"iot:UpdateJobExecution","Resource":"arn:aws:iot:r:1:thing/pump-1")",
     ""},
    {R"("Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:r:1:topicfilter/$aws/things/+/jobs/*")",
     "error reserved-topics\n"},
    {R"("Effect":"Deny","Action":["iot:Subscribe","iot:Receive"],"Resource":"arn:aws:iot:r:1:topicfilter/a/#")",
     "warning deny-with-mqtt-wildcard\n"},
    {R"("Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/a/*")", ""},
    {R"("Effect":"Allow","NotAction":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/a")",
     "error not-action\n"},
    {R"("Effect":"Allow","Action":"iot:Publish","NotResource":"arn:aws:iot:r:1:topic/a")",
     "error not-resource\n"},
    {R"("Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:r:1:topic/a")",
     "warning never-matches\n"},
    {R"("Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/a/+")",
     "warning never-matches\n"},
    {R"("Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/$aws/things/*")",
     "error reserved-topics\n"},
    {R"("Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:r:1:topicfilter/${iot:ClientId}/x")",
     "warning client-id-in-filter\n"},
    {R"("Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/${iot:Thing.ThingName}")",
     "warning unknown-variable\n"},
    {R"("Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/${iot:ClientId}")",
     "warning deny-with-variable\n"},
    {R"("Effect":"Deny","Action":"iot:Subscribe","Resource":"arn:aws:iot:r:1:topicfilter/a/b")",
     "warning deny-subscribe-alone\n"},
    {R"("Effect":"Deny","Action":"iot:*","Resource":"*")", ""},
};

TEST(Lint, FindsWhatIsProbablyNotMeant) {
    for (const auto& one : kLintCases) {
        const auto document = compile(std::string(R"({"Version":"2012-10-17","Statement":[{)") +
                                      one.statement + "}]}");
        ASSERT_TRUE(document) << one.statement << to_string(document.error());
        std::string found;
        for (const auto& finding : lint(*document))
            found += std::string(to_string(finding.severity)) + " " + finding.rule + "\n";
        EXPECT_EQ(found, one.expected) << one.statement;
    }
    const auto old = compile(
        R"({"Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/${x}"}})");
    ASSERT_TRUE(old);
    const auto findings = lint(*old);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].rule, "old-version");
    EXPECT_EQ(findings[0].message,
              "\"arn:aws:iot:r:1:topic/${x}\": without Version 2012-10-17 a variable is plain "
              "text");
}

TEST(Action, ReadsNames) {
    EXPECT_EQ(parse_action("iot:publish"), Action::Publish);
    EXPECT_EQ(parse_action("RetainPublish"), Action::RetainPublish);
    EXPECT_EQ(parse_action("iot:Fly"), std::nullopt);
}

}  // namespace
}  // namespace hatchery::policy
