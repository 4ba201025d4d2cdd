#include "provisioning/policy/policy.h"

#include <gtest/gtest.h>

namespace hatchery::policy {
namespace {

constexpr const char* kArn = "arn:aws:iot:us-east-1:123456789012:";

Document must_compile(const std::string& json) {
    auto document = compile(json);
    if (!document) ADD_FAILURE() << to_string(document.error()) << " in " << json;
    return document ? *document : Document(nullptr);
}

/// One Allow statement for `action` on `resource` (without the ARN's front), Version 2012-10-17.
std::string allow(const std::string& action, const std::string& resource) {
    return R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:)" + action +
           R"(","Resource":")" + kArn + resource + R"("}]})";
}

Effect decide(const std::string& policy,
              Action action,
              const std::string& resource,
              const Context& context = {}) {
    const std::vector documents{must_compile(policy)};
    return evaluate(documents, {action, kArn + resource}, context).effect;
}

struct Case {
    const char* name;
    std::string policy;
    Action action;
    std::string resource;
    Context context;
    Effect expected;
};

Context with(std::map<std::string, std::vector<std::string>, std::less<>> values) {
    return Context{std::move(values)};
}

// The reference's acceptance table.
std::vector<Case> acceptance_table() {
    const std::string by_thing = allow("Connect", "client/${iot:Connection.Thing.ThingName}");
    const std::string attached =
        R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect",)"
        R"("Resource":"*","Condition":{"Bool":{"iot:Connection.Thing.IsAttached":["true"]}}}})";
    const std::string deny_x =
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*",)"
        R"("Resource":"*"},{"Effect":"Deny","Action":"iot:Publish","Resource":")" +
        std::string(kArn) + R"(topic/x"}]})";
    return {
        {"A star spans slashes",
         allow("Publish", "topic/a/*"),
         Action::Publish,
         "topic/a/b/c",
         {},
         Effect::Allowed},
        {"A plus is literal",
         allow("Subscribe", "topicfilter/a/+"),
         Action::Subscribe,
         "topicfilter/a/b",
         {},
         Effect::ImplicitDeny},
        {"A filter's plus matches a plus",
         allow("Subscribe", "topicfilter/a/+"),
         Action::Subscribe,
         "topicfilter/a/+",
         {},
         Effect::Allowed},
        {"A question mark matches a filter's hash",
         allow("Subscribe", "topicfilter/a/?"),
         Action::Subscribe,
         "topicfilter/a/#",
         {},
         Effect::Allowed},
        {"Publish does not grant retain",
         allow("Publish", "topic/*"),
         Action::RetainPublish,
         "topic/a",
         {},
         Effect::ImplicitDeny},
        {"The thing's own client id",
         by_thing,
         Action::Connect,
         "client/t1",
         with({{"iot:Connection.Thing.ThingName", {"t1"}}}),
         Effect::Allowed},
        {"Another client id leaves the variable unset",
         by_thing,
         Action::Connect,
         "client/other",
         {},
         Effect::ImplicitDeny},
        {"Another client id, exclusive attachment",
         by_thing,
         Action::Connect,
         "client/other",
         with({{"iot:Connection.Thing.ThingName", {"t1"}}}),
         Effect::ImplicitDeny},
        {"A thing that is not attached",
         attached,
         Action::Connect,
         "client/t1",
         with({{"iot:Connection.Thing.IsAttached", {"false"}}}),
         Effect::ImplicitDeny},
        {"An attached thing",
         attached,
         Action::Connect,
         "client/t1",
         with({{"iot:Connection.Thing.IsAttached", {"true"}}}),
         Effect::Allowed},
        {"A common name with a star is not substituted",
         allow("Publish", "topic/${iot:Certificate.Subject.CommonName}"),
         Action::Publish,
         "topic/a*b",
         with({{"iot:Certificate.Subject.CommonName", {"a*b"}}}),
         Effect::ImplicitDeny},
        {"Deny wins over allow", deny_x, Action::Publish, "topic/x", {}, Effect::ExplicitDeny},
        {"One organizational unit, the second asked for",
         allow("Publish", "topic/${iot:Certificate.Subject.OrganizationalUnit.1}"),
         Action::Publish,
         "topic/unit",
         with({{"iot:Certificate.Subject.OrganizationalUnit", {"unit"}}}),
         Effect::ImplicitDeny},
    };
}

TEST(Evaluate, FollowsTheAcceptanceTable) {
    for (const auto& c : acceptance_table()) {
        EXPECT_EQ(decide(c.policy, c.action, c.resource, c.context), c.expected) << c.name;
    }
}

TEST(Evaluate, MatchesWildcards) {
    struct Wildcard {
        std::string pattern;
        std::string topic;
        bool matches;
    };
    const std::vector<Wildcard> cases{
        {"a", "a", true},
        {"a", "b", false},
        {"a", "", false},
        {"", "", true},
        {"*", "", true},
        {"*", "a/b/c", true},
        {"a*c", "abc", true},
        {"a*c", "ac", true},
        {"a*c", "acb", false},
        {"a*b*c", "a1b2b3c", true},
        {"*ab", "aab", true},
        {"*ab*ab", "abab", true},
        {"*ab*ab", "aab", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"?", "", false},
        {"a?c", "a/c", true},
        {"?", "\xC3\xA9", true},  // one character of two bytes
        {"??", "\xC3\xA9", false},
        {"*??", "\xC3\xA9", false},  // no half characters behind a star
        {"*?", "\xE2\x82\xAC", true},
        {"A", "a", false},
        {"#", "#", true},
        {"a/#", "a/b", false},
        {"a:b", "a:b", true},
        {"${*}", "*", true},
        {"${*}", "x", false},
        {"${?}", "?", true},
        {"${?}", "x", false},
        {"${$}{x}", "${x}", true},
        {"$aws/things/*", "$aws/things/t", true},
    };
    for (const auto& c : cases) {
        const auto effect =
            decide(allow("Publish", "topic/" + c.pattern), Action::Publish, "topic/" + c.topic);
        EXPECT_EQ(effect == Effect::Allowed, c.matches) << c.pattern << " against " << c.topic;
    }
}

TEST(Evaluate, StaysFastOnPatternsThatMakeMatchersBacktrack) {
    std::string pattern = "topic/";
    for (int i = 0; i < 400; ++i)
        pattern += "a*";
    const std::string topic(256, 'a');
    EXPECT_EQ(decide(allow("Publish", pattern + "b"), Action::Publish, "topic/" + topic),
              Effect::ImplicitDeny);
}

TEST(Evaluate, NeverMatchesAnotherResourceType) {
    const auto topic = allow("*", "topic/a");
    EXPECT_EQ(decide(topic, Action::Subscribe, "topicfilter/a"), Effect::ImplicitDeny);
    EXPECT_EQ(decide(topic, Action::Connect, "client/a"), Effect::ImplicitDeny);
}

TEST(Evaluate, ReadsWildcardRegionAndAccountAsOnePartEach) {
    const std::string policy =
        R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*",)"
        R"("Resource":"arn:aws:iot:*:*:topic/a"}})";
    EXPECT_EQ(decide(policy, Action::Publish, "topic/a"), Effect::Allowed);
    EXPECT_EQ(decide(policy, Action::Subscribe, "topicfilter/x:topic/a"), Effect::ImplicitDeny);
    const std::string other_account =
        R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*",)"
        R"("Resource":"arn:aws:iot:*:999999999999:topic/a"}})";
    EXPECT_EQ(decide(other_account, Action::Publish, "topic/a"), Effect::ImplicitDeny);
}

TEST(Evaluate, TakesActionsWithWildcardsAndWithoutRegardToCase) {
    const auto granted = [](const std::string& action, Action asked) {
        const std::string policy =
            R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":)" + action +
            R"(,"Resource":"*"}})";
        return decide(policy, asked, "client/a") == Effect::Allowed;
    };
    EXPECT_TRUE(granted(R"("*")", Action::Receive));
    EXPECT_TRUE(granted(R"("iot:*")", Action::Receive));
    EXPECT_TRUE(granted(R"("IOT:connect")", Action::Connect));
    EXPECT_TRUE(granted(R"("iot:*Publish")", Action::RetainPublish));
    EXPECT_TRUE(granted(R"("iot:*Publish")", Action::Publish));
    EXPECT_FALSE(granted(R"("iot:Publish")", Action::RetainPublish));
    EXPECT_FALSE(granted(R"("iot:Get*")", Action::Connect));
    EXPECT_FALSE(granted(R"("greengrass:*")", Action::Connect));
    EXPECT_TRUE(granted(R"(["iot:Subscribe","iot:Receive"])", Action::Receive));
}

TEST(Evaluate, TurnsNotActionAndNotResourceRound) {
    const std::string policy =
        R"({"Version":"2012-10-17","Statement":[)"
        R"({"Effect":"Allow","NotAction":"iot:Connect","Resource":"*"},)"
        R"({"Sid":"Only","Effect":"Deny","Action":"iot:Publish","NotResource":")" +
        std::string(kArn) + R"(topic/a*"}]})";
    EXPECT_EQ(decide(policy, Action::Connect, "client/a"), Effect::ImplicitDeny);
    EXPECT_EQ(decide(policy, Action::Receive, "topic/z"), Effect::Allowed);
    EXPECT_EQ(decide(policy, Action::Publish, "topic/ab"), Effect::Allowed);
    EXPECT_EQ(decide(policy, Action::Publish, "topic/z"), Effect::ExplicitDeny);
}

TEST(Evaluate, NamesTheDecidingStatement) {
    const std::vector documents{
        must_compile(allow("Connect", "client/*")),
        must_compile(
            R"({"Version":"2012-10-17","Statement":[)"
            R"({"Effect":"Allow","Action":"iot:Publish","Resource":"*"},)"
            R"({"Sid":"NoSecrets","Effect":"Deny","Action":"*","Resource":"*/secret"}]})")};
    const auto denied =
        evaluate(documents, {Action::Publish, std::string(kArn) + "topic/secret"}, {});
    EXPECT_EQ(denied.effect, Effect::ExplicitDeny);
    EXPECT_EQ(denied.document, 1U);
    EXPECT_EQ(denied.statement, 1U);
    EXPECT_EQ(denied.sid, "NoSecrets");
    const auto allowed =
        evaluate(documents, {Action::Publish, std::string(kArn) + "topic/open"}, {});
    EXPECT_EQ(allowed.effect, Effect::Allowed);
    EXPECT_EQ(allowed.document, 1U);
    EXPECT_EQ(allowed.statement, 0U);
    EXPECT_EQ(evaluate({}, {Action::Publish, std::string(kArn) + "topic/open"}, {}).effect,
              Effect::ImplicitDeny);
}

TEST(Evaluate, SkipsAStatementWithAnUnsetVariable) {
    // Also where another resource of the statement would match, and also a Deny.
    const std::string arn = kArn;
    const std::string policy = R"({"Version":"2012-10-17","Statement":[)"
                               R"({"Effect":"Allow","Action":"iot:Publish","Resource":[")" +
                               arn + R"(topic/a",")" + arn +
                               R"(topic/${iot:Thing.ThingName}"]},)"
                               R"({"Effect":"Allow","Action":"iot:Receive","Resource":"*"},)"
                               R"({"Effect":"Deny","Action":"iot:Receive","Resource":")" +
                               arn + R"(topic/*/${iot:Connection.Thing.ThingTypeName}"}]})";
    EXPECT_EQ(decide(policy, Action::Publish, "topic/a"), Effect::ImplicitDeny);
    EXPECT_EQ(decide(policy, Action::Receive, "topic/a/lamp"), Effect::Allowed);
    EXPECT_EQ(decide(policy,
                     Action::Receive,
                     "topic/a/lamp",
                     with({{"iot:Connection.Thing.ThingTypeName", {"lamp"}}})),
              Effect::ExplicitDeny);
}

TEST(Evaluate, SubstitutesVariablesLiterally) {
    const auto policy = allow("Subscribe", "topicfilter/x/${iot:ClientId}");
    EXPECT_EQ(
        decide(
            policy, Action::Subscribe, "topicfilter/x/everything", with({{"iot:ClientId", {"*"}}})),
        Effect::ImplicitDeny);
    EXPECT_EQ(decide(policy, Action::Subscribe, "topicfilter/x/+", with({{"iot:ClientId", {"+"}}})),
              Effect::Allowed);
    EXPECT_EQ(decide(allow("Publish", "topic/${iot:clientid}/data"),
                     Action::Publish,
                     "topic/d1/data",
                     with({{"iot:ClientId", {"d1"}}})),
              Effect::Allowed);
}

TEST(Evaluate, ReadsThingAttributesWithRegardToCase) {
    const auto policy =
        allow("Publish", "topic/${iot:Connection.Thing.Attributes[line.1]}/${iot:ClientId}");
    const auto context =
        with({{"iot:Connection.Thing.Attributes[line.1]", {"seven"}}, {"iot:ClientId", {"d"}}});
    EXPECT_EQ(decide(policy, Action::Publish, "topic/seven/d", context), Effect::Allowed);
    const auto other =
        with({{"iot:Connection.Thing.Attributes[Line.1]", {"seven"}}, {"iot:ClientId", {"d"}}});
    EXPECT_EQ(decide(policy, Action::Publish, "topic/seven/d", other), Effect::ImplicitDeny);
}

TEST(Evaluate, CountsCertificateValuesFromZero) {
    const auto context = with(
        {{"iot:Certificate.Subject.OrganizationalUnit", {"u0", "u1", "u2", "u3", "u4", "u5"}}});
    const auto granted = [&](const std::string& variable, const std::string& topic) {
        return decide(allow("Publish", "topic/${" + variable + "}"),
                      Action::Publish,
                      "topic/" + topic,
                      context) == Effect::Allowed;
    };
    EXPECT_TRUE(granted("iot:Certificate.Subject.OrganizationalUnit", "u0"));
    EXPECT_FALSE(granted("iot:Certificate.Subject.OrganizationalUnit", "u1"));
    EXPECT_TRUE(granted("iot:Certificate.Subject.OrganizationalUnit.0", "u0"));
    EXPECT_TRUE(granted("iot:Certificate.Subject.OrganizationalUnit.4", "u4"));
    EXPECT_FALSE(granted("iot:Certificate.Subject.OrganizationalUnit.5", "u5"));  // at most five
    EXPECT_FALSE(granted("iot:Certificate.Subject.OrganizationalUnit.List", "u0"));
    EXPECT_FALSE(granted("iot:Certificate.Subject.OrganizationalUnit.99999999999999999999", "u0"));
}

TEST(Evaluate, LeavesDangerousCertificateValuesUnsubstituted) {
    const auto policy = allow("Publish", "topic/${iot:Certificate.Subject.CommonName}");
    for (const std::string value : {"a*b", "a$b", "a+b", "a?b", "a#b"}) {
        const auto context = with({{"iot:Certificate.Subject.CommonName", {value}}});
        EXPECT_EQ(decide(policy, Action::Publish, "topic/" + value, context), Effect::ImplicitDeny)
            << value;
        // The variable's text stays as it is.
        EXPECT_EQ(
            decide(policy, Action::Publish, "topic/${iot:Certificate.Subject.CommonName}", context),
            Effect::Allowed)
            << value;
    }
    const std::string longest(1024, 'x');
    EXPECT_EQ(decide(policy,
                     Action::Publish,
                     "topic/" + longest,
                     with({{"iot:Certificate.Subject.CommonName", {longest}}})),
              Effect::Allowed);
    const std::string too_long(1025, 'x');
    EXPECT_EQ(decide(policy,
                     Action::Publish,
                     "topic/" + too_long,
                     with({{"iot:Certificate.Subject.CommonName", {too_long}}})),
              Effect::ImplicitDeny);
}

TEST(Evaluate, EscapesCertificateValues) {
    const auto context = with({{"iot:Certificate.Issuer.Organization", {"Any, \"Co\" <1>;\\="}}});
    EXPECT_EQ(decide(allow("Publish", "topic/${iot:Certificate.Issuer.Organization}"),
                     Action::Publish,
                     R"(topic/Any\, \"Co\" \<1\>\;\\\=)",
                     context),
              Effect::Allowed);
}

TEST(Evaluate, TakesVariablesForTextUnderTheOldVersion) {
    for (const std::string version : {R"("Version":"2008-10-17",)", ""}) {
        const std::string policy = "{" + version +
                                   R"("Statement":{"Effect":"Allow","Action":"iot:Publish",)"
                                   R"("Resource":")" +
                                   kArn + R"(topic/${iot:ClientId}"}})";
        const auto context = with({{"iot:ClientId", {"d1"}}});
        EXPECT_EQ(decide(policy, Action::Publish, "topic/d1", context), Effect::ImplicitDeny);
        EXPECT_EQ(decide(policy, Action::Publish, "topic/${iot:ClientId}", context),
                  Effect::Allowed);
    }
}

TEST(Evaluate, KeepsTheClaimPolicysSlash) {
    const auto policy = allow("Publish", "topic/$aws/certificates/create/*");
    EXPECT_EQ(decide(policy, Action::Publish, "topic/$aws/certificates/create/json"),
              Effect::Allowed);
    EXPECT_EQ(decide(policy, Action::Publish, "topic/$aws/certificates/create-from-csr/json"),
              Effect::ImplicitDeny);
}

TEST(Evaluate, SpellsActionsAndEffectsAsAwsDoes) {
    EXPECT_EQ(to_string(Action::Connect), "iot:Connect");
    EXPECT_EQ(to_string(Action::Publish), "iot:Publish");
    EXPECT_EQ(to_string(Action::RetainPublish), "iot:RetainPublish");
    EXPECT_EQ(to_string(Action::Subscribe), "iot:Subscribe");
    EXPECT_EQ(to_string(Action::Receive), "iot:Receive");
    EXPECT_EQ(to_string(Effect::Allowed), "ALLOWED");
    EXPECT_EQ(to_string(Effect::ExplicitDeny), "EXPLICIT_DENY");
    EXPECT_EQ(to_string(Effect::ImplicitDeny), "IMPLICIT_DENY");
}

}  // namespace
}  // namespace hatchery::policy
