#include "provisioning/api/target.h"

#include "ca/base/bytes.h"

#include <gtest/gtest.h>

namespace hatchery::api {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Case {
    std::string name, raw, path;
    std::vector<std::string> segments;
    Pairs query;
};

class TargetTable : public testing::TestWithParam<Case> {};

TEST_P(TargetTable, SplitsBeforeItDecodes) {
    const auto target = parse_target(GetParam().raw);
    ASSERT_TRUE(target) << to_string(target.error());
    EXPECT_EQ(target->path, GetParam().path);
    EXPECT_EQ(target->segments, GetParam().segments);
    EXPECT_EQ(target->query, GetParam().query);
}

INSTANTIATE_TEST_SUITE_P(
    Target,
    TargetTable,
    testing::Values(
        Case{"root", "/", "/", {}, {}},
        Case{"plain", "/things/t1", "/things/t1", {"things", "t1"}, {}},
        Case{"arn_stays_one_segment",
             "/attached-policies/arn%3Aaws%3Aiot%3Aus-east-1%3A1%3Acert%2Fab",
             "/attached-policies/arn%3Aaws%3Aiot%3Aus-east-1%3A1%3Acert%2Fab",
             {"attached-policies", "arn:aws:iot:us-east-1:1:cert/ab"},
             {}},
        Case{"lower_case_digits", "/a%2fb", "/a%2fb", {"a/b"}, {}},
        Case{"plus_is_plus", "/a+b?c=d+e", "/a+b", {"a+b"}, {{"c", "d+e"}}},
        Case{"encoded_dots_are_a_name",
             "/policies/%2E%2E",
             "/policies/%2E%2E",
             {"policies", ".."},
             {}},
        Case{"dot_segments", "/things/../policies/./p", "/policies/p", {"policies", "p"}, {}},
        Case{"dots_above_the_root", "/../../a", "/a", {"a"}, {}},
        Case{"repeated_slashes", "//things///t1", "/things/t1", {"things", "t1"}, {}},
        Case{"trailing_slash",
             "/certificate-providers/",
             "/certificate-providers/",
             {"certificate-providers"},
             {}},
        Case{"query",
             "/endpoint?endpointType=iot%3AData-ATS&flag&empty=&a=b=c&&x=%26",
             "/endpoint",
             {"endpoint"},
             {{"endpointType", "iot:Data-ATS"},
              {"flag", ""},
              {"empty", ""},
              {"a", "b=c"},
              {"x", "&"}}},
        Case{"newline_in_a_name", "/things/a%0Ab", "/things/a%0Ab", {"things", "a\nb"}, {}}),
    [](const auto& one) { return one.param.name; });

TEST(Target, RefusesWhatIsNotOriginForm) {
    for (const char* raw : {"", "things", "http://host/things", "*"}) {
        const auto target = parse_target(raw);
        ASSERT_FALSE(target) << raw;
        EXPECT_EQ(target.error().message, "expected a request target that begins with '/'");
    }
}

TEST(Target, RefusesBrokenEscapes) {
    for (const char* raw : {"/a%", "/a%4", "/a%zz", "/a?b=%", "/a?%g1=c"}) {
        const auto target = parse_target(raw);
        ASSERT_FALSE(target) << raw;
        EXPECT_EQ(target.error().message, "expected two hexadecimal digits after '%'");
    }
    EXPECT_EQ(parse_target("/a%00b").error().message, "expected no %00 in a request target");
}

TEST(Target, IsBounded) {
    EXPECT_EQ(parse_target("/" + std::string(8192, 'a')).error().message,
              "expected a request target of at most 8192 bytes, found 8193");
    std::string deep, wide = "/?";
    for (int i = 0; i < 65; ++i) {
        deep += "/a";
        wide += "a&";
    }
    EXPECT_EQ(parse_target(deep).error().message, "expected at most 64 path segments");
    EXPECT_EQ(parse_target(wide).error().message, "expected at most 64 query parameters");
}

TEST(Target, FindsTheFirstValueOfAParameter) {
    const auto target = parse_target("/a?b=1&b=2");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->parameter("b"), "1");
    EXPECT_EQ(target->parameter("c"), std::nullopt);
}

TEST(Target, EncodesAndDecodesEveryByteButNul) {
    std::string all;
    for (int byte = 1; byte < 256; ++byte)
        all += static_cast<char>(byte);
    EXPECT_EQ(percent_decode(percent_encode(all, Slash::Encode)).value(), all);
    EXPECT_EQ(percent_encode("a/b %~", Slash::Keep), "a/b%20%25~");
    EXPECT_EQ(percent_encode("a/b", Slash::Encode), "a%2Fb");
}

}  // namespace
}  // namespace hatchery::api
