#include "provisioning/api/input.h"

#include <gtest/gtest.h>

namespace hatchery::api {
namespace {

Input input(std::string_view body) {
    auto parsed = Input::parse(body);
    EXPECT_TRUE(parsed) << to_string(parsed.error());
    return std::move(*parsed);
}

template <class T>
void expect_error(const Result<T>& result, std::string_view where, std::string_view message) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::InvalidRequest);
    EXPECT_EQ(result.error().where, where);
    EXPECT_EQ(result.error().message, message);
}

TEST(Input, ReadsMembersByType) {
    const Input body = input(
        R"({"t": "x", "f": true, "i": 7, "o": {"n": {"a": "b"}}, "l": ["p", "q"], "z": null})");
    EXPECT_EQ(body.text("t").value(), "x");
    EXPECT_EQ(body.optional_flag("f").value(), true);
    EXPECT_EQ(body.optional_integer("i").value(), 7);
    EXPECT_EQ(body.texts("l").value(), (std::vector<std::string>{"p", "q"}));
    EXPECT_EQ(body.object("o").value().optional_text_map("n").value(),
              (std::map<std::string, std::string>{{"a", "b"}}));
    EXPECT_EQ(body.optional_text("z").value(), std::nullopt);
    EXPECT_FALSE(body.has("z"));
    EXPECT_EQ(body.optional_text("absent").value(), std::nullopt);
}

TEST(Input, TakesAnEmptyBodyAsAnEmptyObject) {
    EXPECT_EQ(input("").optional_text("a").value(), std::nullopt);
}

TEST(Input, SaysWhichMemberWasExpectedToBeWhat) {
    const Input body =
        input(R"({"a": 1, "o": {"t": [], "m": {"k~/": 2}}, "big": 18446744073709551615})");
    expect_error(body.text("a"), "/a", "expected a string, found a number");
    expect_error(body.text("b"), "/b", "expected a string, found nothing");
    expect_error(body.object("a"), "/a", "expected an object, found a number");
    expect_error(body.object("b"), "/b", "expected an object, found nothing");
    expect_error(body.optional_flag("a"), "/a", "expected a boolean, found a number");
    expect_error(body.texts("a"), "/a", "expected an array of strings, found a number");
    expect_error(body.optional_integer("big"), "/big", "expected an integer, found a number");
    const Input nested = body.object("o").value();
    expect_error(nested.text("t"), "/o/t", "expected a string, found an array");
    expect_error(nested.optional_text_map("m"), "/o/m/k~0~1", "expected a string, found a number");
}

TEST(Input, RefusesWhatIsNoObject) {
    EXPECT_EQ(Input::parse("[]").error().message, "expected a JSON object as the request body");
    EXPECT_EQ(Input::parse("\"{}\"").error().message, "expected a JSON object as the request body");
    EXPECT_TRUE(Input::parse("{\"a\":").error().message.starts_with(
        "expected a JSON request body, found: "));
    EXPECT_FALSE(Input::parse("{} {}"));
    EXPECT_FALSE(Input::parse("{\"a\": \"\xff\"}"));
}

TEST(Input, RefusesDeepNesting) {
    std::string deep = R"({"a": )" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
    EXPECT_EQ(Input::parse(deep).error().message, "expected JSON nested at most 32 deep");
}

}  // namespace
}  // namespace hatchery::api
