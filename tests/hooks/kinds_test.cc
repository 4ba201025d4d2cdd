// The kinds that need no process of ours to test: chain, library, rules, http's configuration.
#include "hooks/pattern.h"
#include "hooks/rules.h"
#include "tests/hooks/scratch.h"

#include <gmock/gmock.h>

namespace hatchery::hooks {
namespace {

using testing::HasSubstr;

HookSet made(const std::vector<HookConfig>& configs) {
    auto set = HookSet::make(configs);
    if (!set) ADD_FAILURE() << to_string(set.error());
    return set ? *std::move(set) : HookSet();
}

std::string refusal_of(const std::vector<HookConfig>& configs) {
    const auto set = HookSet::make(configs);
    return set ? "made" : to_string(set.error());
}

/// "allow A=1", "refuse: REASON" or "error: TEXT".
std::string outcome(const Result<HookDecision>& decision) {
    if (!decision) return "error: " + to_string(decision.error());
    if (!decision->allow) return "refuse: " + decision->reason;
    std::string text = "allow";
    for (const auto& [name, value] : decision->parameter_overrides)
        text += " " + name + "=" + value;
    return text;
}

HookConfig config_of(const std::string& name, const std::string& kind) {
    HookConfig config;
    config.name = name;
    config.kind = kind;
    return config;
}

HookConfig rules_config(const Scratch& scratch, const std::string& name, const std::string& text) {
    auto config = config_of(name, "rules");
    config.rules = scratch.write(name + ".toml", text);
    return config;
}

HookConfig prefix_plugin(const std::string& prefix) {
    auto config = config_of("Plugin", "library");
    config.library = std::string(HATCHERY_BINARY_DIR) + "/serial_prefix.so";
    config.configuration = prefix;
    return config;
}

TEST(Chain, StopsAtTheFirstRefusalAndAddsOverridesUp) {
    const Scratch scratch;
    const auto first = rules_config(
        scratch, "First", "[[rule]]\nallow = true\noverride = { A = \"1\", B = \"1\" }\n");
    const auto second = rules_config(scratch,
                                     "Second",
                                     "[[rule]]\nallow = true\noverride = { B = \"2\" }\n"
                                     "when = { parameter = \"A\", equals = \"1\" }\n");
    const auto never =
        rules_config(scratch, "Never", "[[rule]]\nallow = false\nreason = \"closed\"\n");
    auto good = config_of("Good", "chain");
    good.hooks = {"First", "Second"};
    auto bad = config_of("Bad", "chain");
    bad.hooks = {"Second", "Never", "First"};
    auto closed = config_of("Closed", "chain");
    closed.hooks = {"First", "Never"};
    const auto set = made({good, bad, closed, first, second, never});
    EXPECT_EQ(outcome(set.decide("Good", event_of("1"))), "allow A=1 B=2");
    EXPECT_EQ(outcome(set.decide("Bad", event_of("1"))), "refuse: Second: no rule allows it");
    EXPECT_EQ(outcome(set.decide("Closed", event_of("1"))), "refuse: Never: closed");
}

TEST(Chain, NamesHooksThatAreThereAndAreNoChains) {
    auto chain = config_of("C", "chain");
    EXPECT_EQ(refusal_of({chain}), "hooks.C.hooks: expected the names of other hooks");
    chain.hooks = {"X"};
    EXPECT_EQ(refusal_of({chain}), "hooks.C.hooks: there is no hook named X");
    chain.hooks = {"C"};
    EXPECT_EQ(refusal_of({chain}), "hooks.C.hooks: C is a chain itself");
}

TEST(HookSet, RefusesAnOverrideThatTheTemplateDoesNotDeclare) {
    const Scratch scratch;
    const CapturedLog log;
    const auto set = made(
        {rules_config(scratch, "R", "[[rule]]\nallow = true\noverride = { Place = \"x\" }\n")});
    const auto declares = [](const std::string& name) { return name == "SerialNumber"; };
    EXPECT_EQ(outcome(set.decide("R", event_of("1"), declares)),
              "error: it overrides the parameter Place, which the template does not declare");
    EXPECT_THAT(log.text(), HasSubstr("decided hook=R outcome=error"));
    EXPECT_THAT(log.text(), HasSubstr("which the template does not declare\""));
    EXPECT_EQ(outcome(set.decide("R", event_of("1"))), "allow Place=x");
}

TEST(Library, RunsTheExamplePlugin) {
    const auto set = made({prefix_plugin("123456")});
    EXPECT_EQ(outcome(set.decide("Plugin", event_of("1234567"))), "allow");
    EXPECT_EQ(outcome(set.decide("Plugin", event_of("999999"))), "refuse: unknown serial number");
    EXPECT_EQ(outcome(set.decide("Plugin", HookEvent{})), "refuse: unknown serial number");
}

TEST(Library, RefusesWhatIsNoPlugin) {
    EXPECT_EQ(refusal_of({prefix_plugin("")}),
              "hooks.Plugin.configuration: the plugin refused its configuration: it returned 1");
    auto config = config_of("P", "library");
    EXPECT_EQ(refusal_of({config}), "hooks.P.library: expected a shared object");
    config.library = "/nowhere/plugin.so";
    EXPECT_THAT(refusal_of({config}), HasSubstr("hooks.P.library: can't load it: /nowhere"));
    config.library = "libm.so.6";
    EXPECT_EQ(refusal_of({config}),
              "hooks.P.library: libm.so.6 is no hook: it has no function "
              "hatchery_hook_abi_version");
}

TEST(Pattern, MatchesWholeTexts) {
    struct Case {
        const char* pattern;
        const char* yes;
        const char* no;
    };
    for (const auto& c : std::vector<Case>{{"abc", "abc", "abcd"},
                                           {"a.c", "axc", "ac"},
                                           {"a*", "aaaa", "b"},
                                           {"a*", "", "ab"},
                                           {"a+b?", "aa", "b"},
                                           {"SN-\\d{4}", "SN-0123", "SN-012"},
                                           {"\\d{2,3}", "123", "1234"},
                                           {"\\d{2,}", "12345", "1"},
                                           {"x{0}", "", "x"},
                                           {"(ab|cd)+e", "abcde", "abce"},
                                           {"a|b|c", "c", "d"},
                                           {"[A-F0-9]+", "0AF9", "g"},
                                           {"[^a-c]", "d", "a"},
                                           {"[]x]", "]", "y"},
                                           {"[a-]", "-", "b"},
                                           {"\\.\\*", ".*", "aa"},
                                           {"\\w\\s\\w", "a b", "a-b"},
                                           {"(a|)b", "b", "c"},
                                           {"", "", "a"}}) {
        const auto pattern = Pattern::compile(c.pattern);
        ASSERT_TRUE(pattern) << c.pattern << ": " << to_string(pattern.error());
        EXPECT_TRUE(pattern->matches(c.yes)) << c.pattern << " " << c.yes;
        EXPECT_FALSE(pattern->matches(c.no)) << c.pattern << " " << c.no;
    }
}

TEST(Pattern, TakesLinearTimeWhereOthersRunAway) {
    const auto pattern = Pattern::compile("(a*)*(a|a)*(a?){30}a{30}c");
    ASSERT_TRUE(pattern);
    EXPECT_FALSE(pattern->matches(std::string(5000, 'a')));
}

TEST(Pattern, SaysWhatIsWrong) {
    for (const auto& [text, message] : std::map<std::string, std::string>{
             {"a)", "1: expected nothing more, found )"},
             {"(a", "2: expected )"},
             {"*a", "0: nothing to repeat before *"},
             {"^a", "0: the whole text has to match: leave out ^ and $"},
             {"[a", "2: expected ]"},
             {"[b-a]", "4: a range that runs backwards"},
             {"a{2,1}", "5: expected {n}, {n,} or {n,m} of at most 256"},
             {"\\q", "0: unknown escape \\q"},
             {"((a{100}){100}){100}", "14: the expression is too large"}}) {
        const auto pattern = Pattern::compile(text);
        ASSERT_FALSE(pattern) << text;
        EXPECT_EQ(to_string(pattern.error()), message) << text;
    }
    EXPECT_FALSE(Pattern::compile(std::string(1000, '(')));
}

/// The only rule allows where `when` holds.
std::string told_by(const std::string& when, const HookEvent& event) {
    Rules rules;
    const auto findings = Rules::parse("[[rule]]\nallow = true\nwhen = " + when + "\n", rules);
    for (const auto& found : findings)
        return std::to_string(found.line) + ":" + std::to_string(found.column) + ": " +
               found.message;
    return outcome(rules.decide(event));
}

HookEvent event_with_certificate() {
    auto event = event_of("1234567", "device-7");
    std::ifstream file(std::string(HATCHERY_TEST_DATA) + "/hooks/device.pem");
    std::ostringstream text;
    text << file.rdbuf();
    event.certificate_pem = text.str();
    event.template_arn = "arn:aws:iot:us-east-1:123456789012:provisioningtemplate/fleet";
    event.parameters["Batch"] = "0042";
    event.now = Time(std::chrono::sys_days(std::chrono::year(2027) / 6 / 1));
    return event;
}

TEST(Rules, KnowsEveryTest) {
    const auto event = event_with_certificate();
    for (
        const char* when : {
            R"({ parameter = "SerialNumber", equals = "1234567" })",
            R"({ parameter = "SerialNumber", prefix = "123456", suffix = "7" })",
            R"({ parameter = "SerialNumber", matches = "\\d{7}" })",
            R"({ parameter = "SerialNumber", in = ["x", "1234567"] })",
            R"({ parameter = "Batch", at_least = 42, at_most = "0042" })",
            R"({ parameter = "Absent", present = false })",
            R"({ parameter = "Batch", present = true })",
            R"({ event = "client_id", prefix = "device-" })",
            R"({ event = "template", equals = "fleet" })",
            R"({ event = "time", after = 2027-05-31, before = 2027-06-01T00:00:01Z })",
            R"({ event = "time", before = 2027-06-01T02:00:00+01:00 })",
            R"({ certificate = "common_name", equals = "HW-100" })",
            R"({ certificate = "organization", in = ["AnyCompany"] })",
            R"({ certificate = "organizational_unit", equals = "Dev" })",
            R"({ certificate = "country", present = false })",
            R"({ certificate = "key_algorithm", equals = "EC" })",
            R"({ certificate = "curve", equals = "P-256" })",
            R"({ certificate = "key_bits", at_least = 256 })",
            R"({ certificate = "certificate_serial_number", equals = "4711" })",
            R"({ certificate = "certificate_serial_number", at_most = "99999999999999999999999" })",
            R"({ certificate = "not_after", after = 2030-01-01 })",
            R"({ certificate = "not_before", before = 2030-01-01 })",
            R"({ all = [ { event = "client_id", present = true }, { parameter = "Batch", present = true } ] })",
            R"({ any = [ { event = "client_id", equals = "x" }, { parameter = "Batch", present = true } ] })",
            R"({ not = { any = [ { event = "client_id", equals = "x" } ] } })",
        }) {
        EXPECT_EQ(told_by(when, event), "allow") << when;
    }
    for (const char* when : {
             R"({ parameter = "SerialNumber", equals = "123456" })",
             R"({ parameter = "SerialNumber", prefix = "123456", suffix = "8" })",
             R"({ parameter = "SerialNumber", matches = "\\d{6}" })",
             R"({ parameter = "Absent", prefix = "1" })",
             R"({ parameter = "Batch", at_least = 43 })",
             R"({ event = "client_id", at_least = 0 })",
             R"({ event = "time", after = 2027-06-01 })",
             R"({ certificate = "not_after", before = 2030-01-01 })",
             R"({ not = { parameter = "Batch", present = true } })",
         }) {
        EXPECT_EQ(told_by(when, event), "refuse: no rule allows it") << when;
    }
    EXPECT_THAT(told_by(R"({ certificate = "common_name", equals = "x" })", event_of("1")),
                HasSubstr("error: "));
}

TEST(Rules, TakesTheFirstThatHolds) {
    Rules rules;
    const auto findings = Rules::parse(R"(
[[rule]]
name = "stolen"
allow = false
when = { parameter = "SerialNumber", in = ["1234566"] }
[[rule]]
allow = false
reason = "not on a Sunday"
when = { event = "client_id", equals = "sunday" }
[[rule]]
allow = true
when = { parameter = "SerialNumber", prefix = "123456" }
override = { DeviceLocation = "Seattle" }
)",
                                       rules);
    ASSERT_TRUE(findings.empty());
    EXPECT_EQ(outcome(rules.decide(event_of("1234566"))), "refuse: rule stolen");
    EXPECT_EQ(outcome(rules.decide(event_of("1234567", "sunday"))), "refuse: not on a Sunday");
    EXPECT_EQ(outcome(rules.decide(event_of("1234567"))), "allow DeviceLocation=Seattle");
    EXPECT_EQ(outcome(rules.decide(event_of("99"))), "refuse: no rule allows it");
}

TEST(Rules, NamesThePlaceOfEveryMistake) {
    Rules rules;
    const auto findings = Rules::parse(R"([[rule]]
alow = true
when = { parameter = "S", prefx = "1" }
[[rule]]
allow = true
reason = "x"
when = { certificate = "comon_name", equals = 1 }
[[rule]]
allow = false
override = { A = "1" }
when = { all = [ { parameter = "S", matches = "a(" }, { parameter = "S", before = 2030-01-01 } ] }
)",
                                       rules);
    std::vector<std::string> told;
    for (const auto& found : findings) {
        told.push_back(std::to_string(found.line) + ":" + std::to_string(found.column) + ": " +
                       found.message);
    }
    EXPECT_THAT(
        told,
        testing::ElementsAre(
            "1:1: expected allow = true or allow = false in this rule",
            "2:1: unknown key: expected one of name, allow, when, override, reason, found "
            "\"alow\"; did you mean allow?",
            "3:8: expected a test in this condition: equals, prefix, suffix, matches, in, "
            "at_least, at_most, before, after, present",
            testing::AllOf(testing::StartsWith("3:27: unknown key: expected one of parameter, "),
                           testing::EndsWith("found \"prefx\"; did you mean prefix?")),
            "6:10: reason: a rule that allows has none",
            testing::EndsWith("found \"comon_name\"; did you mean common_name?"),
            "7:47: expected a string",
            "10:12: override: a rule that refuses has none",
            "11:47: matches: expected ) at character 3 of \"a(\"",
            "11:83: before: only certificate = not_before, not_after and event = time are times"));
}

TEST(Rules, RefusesWhatIsNoRulesFile) {
    for (const auto& [text, message] : std::map<std::string, std::string>{
             {"", "1:1: expected at least one [[rule]]"},
             {"[rule]\n", "1:1: expected [[rule]], with two brackets"},
             {"[[rule]]\nallow = true\nwhen = {}\n",
              "3:8: expected a condition such as { parameter = \"SerialNumber\", prefix = "
              "\"123456\" }"}}) {
        Rules rules;
        const auto findings = Rules::parse(text, rules);
        ASSERT_FALSE(findings.empty()) << text;
        EXPECT_EQ(std::to_string(findings[0].line) + ":" + std::to_string(findings[0].column) +
                      ": " + findings[0].message,
                  message);
    }
    Rules rules;
    EXPECT_EQ(Rules::parse("a = \n", rules).size(), 1U);
    const Scratch scratch;
    const auto config = rules_config(scratch, "R", "[[rule]]\nallow = 1\n");
    EXPECT_EQ(refusal_of({config}),
              "hooks.R.rules: " + config.rules + ":2:9: allow: expected true or false");
}

TEST(Http, RefusesAWrongConfiguration) {
    auto config = config_of("H", "http");
    for (const char* url : {"", "ftp://h/", "http://", "http:///x", "https://h/a b"}) {
        config.url = url;
        EXPECT_THAT(refusal_of({config}), HasSubstr("hooks.H.url: expected http://HOST/")) << url;
    }
    config.url = "http://127.0.0.1:1/x";
    config.ca_file = "/nowhere/ca";
    EXPECT_EQ(refusal_of({config}), "hooks.H.ca_file: can't read /nowhere/ca");
    config.ca_file = "";
    config.bearer_file = "/nowhere/token";
    EXPECT_EQ(refusal_of({config}), "hooks.H.bearer_file: can't read a line of /nowhere/token");
}

}  // namespace
}  // namespace hatchery::hooks
