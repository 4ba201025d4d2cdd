#include "hooks/hook.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace hatchery::hooks {
namespace {

TEST(HookEvent, IsOneLineOfAwsJson) {
    const HookEvent event{
        "c1", "c2", "-----BEGIN-----\nx\n", "arn:t", "fleet-device", {{"SerialNumber", "S\n\"1"}}};
    const auto text = to_json(event);
    EXPECT_EQ(text.find('\n'), std::string::npos);
    EXPECT_EQ(nlohmann::json::parse(text),
              (nlohmann::json{{"claimCertificateId", "c1"},
                              {"certificateId", "c2"},
                              {"certificatePem", "-----BEGIN-----\nx\n"},
                              {"templateArn", "arn:t"},
                              {"clientId", "fleet-device"},
                              {"parameters", {{"SerialNumber", "S\n\"1"}}}}));
}

TEST(HookEvent, ReplacesWhatIsNoUtf8) {
    HookEvent event;
    event.client_id = "a\xFF";
    EXPECT_EQ(nlohmann::json::parse(to_json(event))["clientId"], "a\xEF\xBF\xBD");
}

TEST(HookEvent, HasAnObjectWithoutParameters) {
    EXPECT_EQ(nlohmann::json::parse(to_json({}))["parameters"], nlohmann::json::object());
}

TEST(HookDecision, ReadsAnswers) {
    struct Case {
        const char* answer;
        bool allow;
        std::map<std::string, std::string> overrides;
        const char* reason;
    };
    const char* said_false = "the hook answered allowProvisioning false";
    for (const auto& c : std::vector<Case>{
             {R"({"allowProvisioning":true,"parameterOverrides":{"a":"1","b":""}})",
              true,
              {{"a", "1"}, {"b", ""}},
              ""},
             {R"({"allowProvisioning":true})", true, {}, ""},
             {R"({"allowProvisioning":true,"parameterOverrides":null})", true, {}, ""},
             {R"({"allowProvisioning":true,"reason":"fine","x":[1]})", true, {}, ""},
             {R"({"allowProvisioning":false})", false, {}, said_false},
             {R"({"allowProvisioning":false,"parameterOverrides":{}})", false, {}, said_false},
             {R"({"allowProvisioning":false,"reason":"stolen"})", false, {}, "stolen"},
             {R"({"allowProvisioning":false,"errorMessage":"boom"})", false, {}, "boom"},
             {R"({"allowProvisioning":false,"reason":5})", false, {}, said_false},
         }) {
        const auto decision = parse_decision(c.answer);
        ASSERT_TRUE(decision) << c.answer;
        EXPECT_EQ(decision->allow, c.allow) << c.answer;
        EXPECT_EQ(decision->parameter_overrides, c.overrides) << c.answer;
        EXPECT_EQ(decision->reason, c.reason) << c.answer;
    }
}

TEST(HookDecision, RefusesMalformedAnswers) {
    struct Case {
        std::string answer;
        const char* where;
        const char* message;
    };
    const char* no_object = "expected the answer to be a JSON object";
    const char* no_boolean = "expected allowProvisioning to be true or false";
    for (const auto& c : std::vector<Case>{
             {"", "", no_object},
             {"yes", "", no_object},
             {"[]", "", no_object},
             {"null", "", no_object},
             {R"({"allowProvisioning":true)", "", no_object},
             {R"({"allowProvisioning":true} x)", "", no_object},
             {"{}", "/allowProvisioning", no_boolean},
             {R"({"allowProvisioning":"true"})", "/allowProvisioning", no_boolean},
             {R"({"allowProvisioning":1})", "/allowProvisioning", no_boolean},
             {R"({"AllowProvisioning":true})", "/allowProvisioning", no_boolean},
             {R"({"allowProvisioning":true,"parameterOverrides":[]})",
              "/parameterOverrides",
              "expected parameterOverrides to be an object"},
             {R"({"allowProvisioning":true,"parameterOverrides":{"n":5}})",
              "/parameterOverrides",
              R"(expected the override of "n" to be a string)"},
             {R"({"allowProvisioning":true,"x":")" + std::string(65536, 'x') + "\"}",
              "",
              "expected an answer of at most 65536 bytes, found 65569"},
             {std::string(65536, '['), "", no_object},
         }) {
        const auto decision = parse_decision(c.answer);
        ASSERT_FALSE(decision) << c.answer.substr(0, 80);
        EXPECT_EQ(decision.error().code, Code::InvalidRequest);
        EXPECT_EQ(decision.error().where, c.where) << c.answer.substr(0, 80);
        EXPECT_EQ(decision.error().message, c.message) << c.answer.substr(0, 80);
    }
}

TEST(HookDecision, CutsALongReasonAtACharactersEnd) {
    const auto decision = parse_decision(R"({"allowProvisioning":false,"reason":")" +
                                         std::string(1023, 'x') + "\xC3\xA9\"}");
    ASSERT_TRUE(decision);
    EXPECT_EQ(decision->reason, std::string(1023, 'x'));
}

}  // namespace
}  // namespace hatchery::hooks
