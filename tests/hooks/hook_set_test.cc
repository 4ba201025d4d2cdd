#include "tests/hooks/scratch.h"

#include <gmock/gmock.h>

namespace hatchery::hooks {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

HookConfig allow_list(std::vector<std::string> serial_numbers,
                      std::vector<std::string> prefixes = {}) {
    HookConfig config;
    config.name = "FleetProvisioningHook";
    config.kind = "allow-list";
    config.serial_numbers = std::move(serial_numbers);
    config.prefixes = std::move(prefixes);
    return config;
}

HookSet must_make(const std::vector<HookConfig>& configs) {
    auto set = HookSet::make(configs);
    if (!set) ADD_FAILURE() << to_string(set.error());
    return set ? *std::move(set) : HookSet();
}

TEST(AllowList, DecidesByExactNumberAndPrefix) {
    const auto set = must_make({allow_list({"SN1", "SN 2"}, {"123456"})});
    for (const auto& [serial, allowed] : std::map<std::string, bool>{{"SN1", true},
                                                                     {"SN 2", true},
                                                                     {"SN", false},
                                                                     {"SN11", false},
                                                                     {"sn1", false},
                                                                     {"", false},
                                                                     {"123456", true},
                                                                     {"1234567", true},
                                                                     {"12345", false},
                                                                     {"0123456", false}}) {
        const auto decision = set.decide("FleetProvisioningHook", event_of(serial));
        ASSERT_TRUE(decision);
        EXPECT_EQ(decision->allow, allowed) << serial;
        EXPECT_EQ(decision->reason,
                  allowed ? "" : "SerialNumber " + serial + " is not on the list");
        EXPECT_TRUE(decision->parameter_overrides.empty());
    }
}

TEST(AllowList, RefusesADeviceWithoutTheParameter) {
    auto config = allow_list({"x"});
    config.parameter = "Badge";
    const auto decision = must_make({config}).decide(config.name, event_of("x"));
    ASSERT_TRUE(decision);
    EXPECT_FALSE(decision->allow);
    EXPECT_EQ(decision->reason, "the parameter Badge is missing");
}

TEST(AllowList, ReadsAFile) {
    const Scratch scratch;
    auto config = allow_list({});
    config.file = scratch.write("serials", "# ours\nSN1\r\n\n  SN2 \t# late\n#SN3\nSN4");
    const auto set = must_make({config});
    for (const auto& [serial, allowed] : std::map<std::string, bool>{{"SN1", true},
                                                                     {"SN2", true},
                                                                     {"SN3", false},
                                                                     {"SN4", true},
                                                                     {"", false},
                                                                     {"# ours", false}}) {
        EXPECT_EQ(set.decide(config.name, event_of(serial))->allow, allowed) << serial;
    }
}

TEST(HookSet, FindsAHookByNameAndByLambdaArn) {
    const auto set = must_make({allow_list({"SN1"})});
    for (const char* name :
         {"FleetProvisioningHook",
          "arn:aws:lambda:us-east-1:123456789012:function:FleetProvisioningHook",
          "arn:aws-cn:lambda:cn-north-1:1:function:FleetProvisioningHook:$LATEST"}) {
        EXPECT_TRUE(set.has(name)) << name;
        EXPECT_TRUE(set.decide(name, event_of("SN1"))->allow) << name;
    }
    for (const char* name : {"",
                             "Other",
                             "arn:aws:lambda:us-east-1:123456789012:function:Other",
                             "arn:aws:lambda:us-east-1:123456789012:layer:FleetProvisioningHook",
                             "arn:aws:lambda:us-east-1:123456789012:function"}) {
        EXPECT_FALSE(set.has(name)) << name;
        const auto decision = set.decide(name, event_of("SN1"));
        ASSERT_FALSE(decision) << name;
        EXPECT_EQ(decision.error().code, Code::NotFound) << name;
    }
}

TEST(HookSet, LogsEachDecisionOnce) {
    const CapturedLog log;
    const auto set = must_make({allow_list({"SN1"})});
    ASSERT_TRUE(set.decide("FleetProvisioningHook", event_of("SN1")));
    ASSERT_TRUE(set.decide("FleetProvisioningHook", event_of("bad\"\n2", "c\n1")));
    ASSERT_FALSE(set.decide("Other", event_of("SN1")));
    std::istringstream lines(log.text());
    std::string line;
    std::getline(lines, line);
    EXPECT_THAT(line,
                MatchesRegex("info decided hook=FleetProvisioningHook outcome=allow "
                             "ms=[0-9.]+ client_id=d serial=SN1 certificate_id=certificate "
                             "template=arn:template reason=\"\""));
    std::getline(lines, line);
    EXPECT_THAT(line, HasSubstr(R"(outcome=refuse)"));
    EXPECT_THAT(line, HasSubstr(R"(client_id="c\x0a1")"));
    EXPECT_THAT(line, HasSubstr(R"(reason="SerialNumber bad\"\x0a2 is not on the list")"));
    std::getline(lines, line);
    EXPECT_THAT(line, HasSubstr("hook=Other outcome=error"));
    EXPECT_THAT(line, HasSubstr(R"(reason="no hook named Other")"));
    EXPECT_FALSE(std::getline(lines, line));
}

HookConfig changed(void (*change)(HookConfig&)) {
    auto config = allow_list({"SN1"});
    change(config);
    return config;
}

TEST(HookSet, RefusesAWrongConfiguration) {
    struct Case {
        HookConfig config;
        const char* where;
        const char* message;
    };
    const std::string list = "hooks.FleetProvisioningHook.";
    for (const auto& c : std::vector<Case>{
             {changed([](auto& c) { c.kind = "magic"; }),
              "kind",
              "expected one of allow-list, command, lambda, http, library, rules, chain, found "
              "\"magic\""},
             {changed([](auto& c) { c.command = {"/bin/true"}; }),
              "command",
              "a hook of the kind allow-list has no command"},
             {changed([](auto& c) { c.kind = "command"; }),
              "serial_numbers",
              "a hook of the kind command has no serial_numbers"},
             {changed([](auto& c) { c.serial_numbers = {}; }),
              "serial_numbers",
              "an allow-list needs list, serial_numbers, prefixes or file"},
             {changed([](auto& c) {
                  c.prefixes = {"a", ""};
              }),
              "prefixes",
              "an empty prefix would allow everything"},
             {changed([](auto& c) { c.parameter = ""; }),
              "parameter",
              "expected the name of a parameter"},
             {changed([](auto& c) { c.file = "/nowhere/at/all"; }),
              "file",
              "can't read /nowhere/at/all"},
             {changed([](auto& c) { c.file = "/"; }), "file", "can't read /"},
             {changed([](auto& c) { c.timeout = std::chrono::milliseconds(0); }),
              "timeout",
              "expected a timeout of 1 to 5000 ms, found 0"},
             {changed([](auto& c) { c.timeout = std::chrono::milliseconds(5001); }),
              "timeout",
              "expected a timeout of 1 to 5000 ms, found 5001"},
             {changed([](auto& c) {
                  c.kind = "command";
                  c.serial_numbers = {};
              }),
              "command",
              "expected a program and its arguments"},
             {changed([](auto& c) {
                  c.kind = "command";
                  c.serial_numbers = {};
                  c.command = {"/nowhere/at/all"};
              }),
              "command",
              "expected an executable program, found /nowhere/at/all"},
             {changed([](auto& c) {
                  c.kind = "command";
                  c.serial_numbers = {};
                  c.command = {"/bin/sh"};
                  c.workers = 65;
              }),
              "workers",
              "expected 1 to 64 workers, found 65"},
         }) {
        const auto set = HookSet::make({c.config});
        ASSERT_FALSE(set) << c.message;
        EXPECT_EQ(set.error().code, Code::InvalidRequest);
        EXPECT_EQ(set.error().where, list + c.where);
        EXPECT_EQ(set.error().message, c.message);
    }
}

TEST(HookSet, RefusesTwoHooksOfOneNameAndNamesThatLookLikeArns) {
    const auto twice = HookSet::make({allow_list({"a"}), allow_list({"b"})});
    ASSERT_FALSE(twice);
    EXPECT_EQ(to_string(twice.error()),
              "hooks.FleetProvisioningHook: there are two hooks of this name");
    auto config = allow_list({"a"});
    config.name = "";
    EXPECT_FALSE(HookSet::make({config}));
    config.name = "arn:aws:lambda:r:1:function:x";
    EXPECT_FALSE(HookSet::make({config}));
}

}  // namespace
}  // namespace hatchery::hooks
