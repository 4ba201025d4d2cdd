// What no template may cost, whatever its text does; bench_templates measures the same ones.
#include "tests/templates/hostile.h"

#include "templates/program.h"
#include "tests/templates/rendering.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hatchery::templates {
namespace {

TEST(Hostile, CompiledTemplatesKeepAtMostThirtyTwoKilobytesOrAreRefused) {
    for (const HostileTemplate& hostile : hostile_templates()) {
        const Compiled compiled = compile(hostile.text, Kind::Bulk);
        if (compiled.value) {
            EXPECT_LE(compiled.value->impl().memory(), kMaxKept) << hostile.name;
            continue;
        }
        const auto error = std::find_if(
            compiled.diagnostics.begin(), compiled.diagnostics.end(), [](const auto& found) {
                return found.severity == Severity::Error;
            });
        ASSERT_NE(error, compiled.diagnostics.end()) << hostile.name;
        const std::string refused = std::string(hostile.name) + ": " + error->code;
        EXPECT_TRUE(refused == "a long delimiter: T209" ||
                    refused == "a mapping found again and again: T011" ||
                    refused == "characters of four bytes: T011" ||
                    refused == "a doubling chain of Joins: T002" || refused == "brackets: T003")
            << refused << " " << error->message;
    }
}

TEST(Hostile, SaysHowMuchATemplateWouldKeep) {
    std::string value;
    for (int i = 0; i < 9'000; ++i)
        value += "\xF0\x9F\x94\x91";
    const Compiled compiled = compile(
        R"({"Resources": {}, "DeviceConfiguration": {"v": ")" + value + "\"}}", Kind::Claim);
    ASSERT_FALSE(compiled.value);
    const Error error = to_error(compiled);
    EXPECT_TRUE(error.message.starts_with(
        "Invalid registration template. expected a template that takes at most 32768 bytes when "
        "compiled, found one of 7"))
        << error.message;
    EXPECT_EQ(error.where, "1:1");
}

TEST(Hostile, ResolvesWithinItsBudgetWhateverTheParametersHold) {
    const Parameters parameters = {{"P", std::string(4'096, 'x')}};
    for (const HostileTemplate& hostile : hostile_templates()) {
        const Compiled compiled = compile(hostile.text, Kind::Bulk);
        if (!compiled.value) continue;
        const auto plan = resolve(*compiled.value, parameters);
        if (plan) continue;
        EXPECT_EQ(plan.error().code, Code::InvalidRequest) << hostile.name;
        EXPECT_NE(plan.error().where, "") << hostile.name;
    }
}

}  // namespace
}  // namespace hatchery::templates
