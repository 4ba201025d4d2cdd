#include "templates/text.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace hatchery::templates {
namespace {

TEST(Text, CountsCharactersNotBytes) {
    EXPECT_EQ(count_characters(""), 0U);
    EXPECT_EQ(count_characters("abc"), 3U);
    EXPECT_EQ(count_characters("äöü"), 3U);
    EXPECT_EQ(count_characters("\xF0\x9F\x94\x91"), 1U);
    EXPECT_EQ(count_characters("a\xFFz"), 3U);
}

TEST(Text, KnowsWellFormedUtf8) {
    const std::vector<std::pair<std::string, std::size_t>> cases = {
        {"a", 1},
        {"\xC3\xA4", 2},
        {"\xE2\x82\xAC", 3},
        {"\xF4\x8F\xBF\xBF", 4},
        {"\xC0\x80", 0},          // overlong NUL
        {"\xE0\x80\x80", 0},      // overlong
        {"\xED\xA0\x80", 0},      // a surrogate
        {"\xF4\x90\x80\x80", 0},  // beyond U+10FFFF
        {"\x80", 0},
        {"\xE2\x82", 0},
        {"", 0},
    };
    for (const auto& [text, length] : cases)
        EXPECT_EQ(utf8_length(text), length) << text;
}

TEST(Text, ShowsControlCharactersAndCutsLongValues) {
    EXPECT_EQ(in_quotes("a\nb\x1B[0m"), "\"a\\x0ab\\x1b[0m\"");
    EXPECT_EQ(in_quotes("\xFF"), "\"\\xff\"");
    EXPECT_EQ(in_quotes(std::string(200, 'x')), '"' + std::string(80, 'x') + "…\"");
}

TEST(Text, FindsTheNearestWord) {
    constexpr std::array<std::string_view, 4> kWords = {
        "ThingName", "ThingGroups", "ThingTypeName", "AWS::IoT::Certificate::SerialNumber"};
    EXPECT_EQ(nearest("thingname", kWords), "ThingName");
    EXPECT_EQ(nearest("ThnigName", kWords), "ThingName");
    EXPECT_EQ(nearest("ThingGroup", kWords), "ThingGroups");
    EXPECT_EQ(nearest("AWS::IoT::Certificate::Serial", kWords),
              "AWS::IoT::Certificate::SerialNumber");
    EXPECT_EQ(nearest("Thing", kWords), std::nullopt);  // begins three of them
    EXPECT_EQ(nearest("Billing", kWords), std::nullopt);
    EXPECT_EQ(nearest("", kWords), std::nullopt);
    EXPECT_EQ(nearest(std::string(10'000, 'T'), kWords), std::nullopt);
}

TEST(Text, FindsPlaceholdersOfHostLanguagesOnly) {
    const std::vector<std::pair<std::string, std::optional<std::string>>> cases = {
        {"arn:aws:iot:${AWS::Region}:x", "${AWS::Region}"},
        {"{{ name }}-x", "{{ name }}"},
        {"a-$SERIAL_2-b", "$SERIAL_2"},
        {"${var.name}", "${var.name}"},
        {"topic/${iot:ClientId}/x", std::nullopt},
        {"${aws:SourceIp}", std::nullopt},
        {"$aws/things/x", std::nullopt},
        {"$SYS/broker", std::nullopt},
        {"${*}", std::nullopt},
        {"costs $5", std::nullopt},
        {"${open", std::nullopt},
        {"$", std::nullopt},
        {"", std::nullopt},
    };
    for (const auto& [text, expected] : cases)
        EXPECT_EQ(find_placeholder(text), expected) << text;
}

}  // namespace
}  // namespace hatchery::templates
