// The real interpreters, python3 and node, and the handlers in tests/data/hooks.
#include "hooks/command.h"
#include "tests/hooks/scratch.h"

#include <gmock/gmock.h>

namespace hatchery::hooks {
namespace {

using testing::HasSubstr;

constexpr std::chrono::milliseconds kLambdaPatience{60'000};

HookConfig lambda_config(const std::string& handler) {
    HookConfig config;
    config.name = "Fleet";
    config.kind = "lambda";
    config.handler = std::string(HATCHERY_TEST_DATA) + "/hooks/" + handler;
    config.workers = 1;
    if (handler.find(".py:") != std::string::npos) config.interpreter = "/usr/bin/python3";
    config.environment = {{"PYTHONDONTWRITEBYTECODE", "1"}};
    return config;
}

std::unique_ptr<Hook> lambda(const std::string& handler) {
    auto hook = make_lambda(lambda_config(handler));
    if (!hook) ADD_FAILURE() << to_string(hook.error());
    return hook ? *std::move(hook) : nullptr;
}

/// "allow", "refuse: REASON" or "error: TEXT".
std::string told(const Result<HookDecision>& decision) {
    if (!decision) return "error: " + to_string(decision.error());
    return decision->allow ? "allow" : "refuse: " + decision->reason;
}

std::string ask(Hook& hook, const std::string& wish, const std::string& serial = "1234567") {
    auto event = event_of(serial);
    event.parameters["Wish"] = wish;
    return told(hook.decide(event, kLambdaPatience));
}

class LambdaFile : public testing::TestWithParam<const char*> {};

TEST_P(LambdaFile, GetsAwsEventAndContextAndKeepsItsState) {
    const CapturedLog log;
    const auto hook = lambda(GetParam());
    for (const char* calls : {"1", "2"}) {
        const auto decision = hook->decide(event_of("1234567"), kLambdaPatience);
        ASSERT_TRUE(decision) << to_string(decision.error());
        EXPECT_TRUE(decision->allow);
        auto overrides = decision->parameter_overrides;
        EXPECT_EQ(overrides["Calls"], calls);
        EXPECT_EQ(overrides["Function"], "Fleet");
        EXPECT_THAT(overrides["HasTime"], testing::AnyOf("True", "true"));
        EXPECT_EQ(overrides["Id"], "36");
        EXPECT_EQ(
            overrides["Keys"],
            "certificateId,certificatePem,claimCertificateId,clientId,parameters,templateArn");
    }
    EXPECT_EQ(ask(*hook, "", "999999"), "refuse: the hook answered allowProvisioning false");
}

TEST_P(LambdaFile, RefusesInEveryWayThatHandlersHave) {
    const CapturedLog log;
    const auto hook = lambda(GetParam());
    EXPECT_EQ(ask(*hook, "extra"), "refuse: badge expired");
    EXPECT_EQ(ask(*hook, "missing"),
              "error: /allowProvisioning: expected allowProvisioning to be true or false");
    EXPECT_THAT(ask(*hook, "raise"),
                testing::MatchesRegex("error: /errorMessage: the function raised "
                                      "(ValueError|RangeError): no such badge"));
    EXPECT_THAT(ask(*hook, "list"), HasSubstr("the function raised TypeError: expected the"));
    // What it prints is no answer, even where it looks like one.
    EXPECT_EQ(ask(*hook, "stdout", "999999"), "refuse: the hook answered allowProvisioning false");
    EXPECT_EQ(ask(*hook, ""), "allow");
}

TEST_P(LambdaFile, PrintsToTheLog) {
    const CapturedLog log;
    {
        const auto hook = lambda(GetParam());
        EXPECT_EQ(ask(*hook, ""), "allow");
        EXPECT_THAT(ask(*hook, "raise"), HasSubstr("raised"));
    }
    EXPECT_THAT(log.text(), HasSubstr("line=\"event for 1234567\""));
    EXPECT_THAT(log.text(), HasSubstr("no such badge"));
}

INSTANTIATE_TEST_SUITE_P(All,
                         LambdaFile,
                         testing::Values("handler.py:handler", "handler.mjs:handler"),
                         [](const auto& tested) {
                             return std::string(tested.index == 0 ? "Python" : "Node");
                         });

TEST(Lambda, KeepsAPythonHandlersChildrenAndValuesToItself) {
    const CapturedLog log;
    const auto hook = lambda("handler.py:handler");
    EXPECT_EQ(ask(*hook, "stdin"), "allow");
    EXPECT_THAT(ask(*hook, "unserialisable"), HasSubstr("raised TypeError: Object of type object"));
    EXPECT_EQ(ask(*hook, "exit"), "error: the worker did not answer: it exited with status 4");
    EXPECT_EQ(ask(*hook, ""), "allow");
}

TEST(Lambda, KnowsTheFormsOfOldNodeHandlers) {
    const CapturedLog log;
    for (const auto& [handler, expected] : std::map<std::string, std::string>{
             {"handler.mjs:byCallback", "allow"},
             {"handler.mjs:byFailingCallback",
              "error: /errorMessage: the function raised Error: not today"},
             {"handler.mjs:bySucceed", "allow"},
             {"handler.mjs:byReturn", "allow"},
             {"handler.cjs:handler", "allow"}}) {
        EXPECT_EQ(told(lambda(handler)->decide(event_of("1"), kLambdaPatience)), expected)
            << handler;
    }
}

TEST(Lambda, SaysWhyAFileDoesNotLoad) {
    const CapturedLog log;
    EXPECT_EQ(ask(*lambda("handler_broken.py:handler"), ""),
              "error: /errorMessage: the function raised ModuleNotFoundError: No module named "
              "'no_such_module_of_hatchery'");
    EXPECT_THAT(ask(*lambda("handler.py:absent"), ""), HasSubstr("has no attribute 'absent'"));
    EXPECT_THAT(ask(*lambda("handler.mjs:absent"), ""), HasSubstr("exports no function absent"));
}

TEST(Lambda, RefusesAHandlerThatItCannotRun) {
    for (const auto& [handler, message] : std::map<std::string, std::string>{
             {"handler.py", "expected FILE:FUNCTION, found \""},
             {"absent.py:handler", "can't read "},
             {"serial.sh:handler", "expected a file .py, .mjs, .cjs or .js, found "}}) {
        const auto hook = make_lambda(lambda_config(handler));
        ASSERT_FALSE(hook) << handler;
        EXPECT_EQ(hook.error().where, "handler");
        EXPECT_THAT(hook.error().message, testing::StartsWith(message));
    }
}

}  // namespace
}  // namespace hatchery::hooks
