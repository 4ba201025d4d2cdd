#include "provisioning/policy/policy.h"

#include <gtest/gtest.h>

namespace hatchery::policy {
namespace {

struct Refused {
    std::string document;
    std::string where;
    std::string message;
};

void expect_refused(const Refused& c) {
    auto document = compile(c.document);
    ASSERT_FALSE(document) << c.document;
    EXPECT_EQ(document.error().code, Code::MalformedPolicy) << c.document;
    EXPECT_EQ(document.error().where, c.where) << c.document;
    EXPECT_EQ(document.error().message, c.message) << c.document;
}

/// A document with one statement of these members.
std::string statement(const std::string& members) {
    return R"({"Version":"2012-10-17","Statement":[{)" + members + "}]}";
}

/// … whose Condition is `block`.
std::string condition(const std::string& block) {
    return statement(R"("Effect":"Allow","Action":"*","Resource":"*","Condition":)" + block);
}

TEST(Compile, RefusesWhatIsNoDocument) {
    const std::string ok = R"({"Effect":"Allow","Action":"*","Resource":"*"})";
    for (const auto& c : std::vector<Refused>{
             {"", "1:1", "expected JSON"},
             {"{\n  \"Version\": x\n}", "2:14", "expected JSON"},
             {"{} {}", "1:4", "expected JSON"},
             {"[]", "", "expected an object, found a list"},
             {"5", "", "expected an object, found 5"},
             {"{}", "", "Statement is missing"},
             {R"({"Statement":[]})",
              "/Statement",
              "expected at least one statement, found an empty list"},
             {R"({"Statement":"x"})", "/Statement", "expected an object, found \"x\""},
             {R"({"Statement":[)" + ok + R"(,7]})", "/Statement/1", "expected an object, found 7"},
             {R"({"Version":"2012-10-18","Statement":)" + ok + "}",
              "/Version",
              R"(expected "2012-10-17" or "2008-10-17", found "2012-10-18")"},
             {R"({"Version":20121017,"Statement":)" + ok + "}",
              "/Version",
              R"(expected "2012-10-17" or "2008-10-17", found 20121017)"},
             {R"({"a/b~c":1,"Statement":)" + ok + "}", "/a~1b~0c", R"(unknown element "a/b~c")"},
             {R"({"Id":1,"Statement":)" + ok + "}", "/Id", "expected a string, found 1"},
             {R"({"Statement":)" + ok + R"(,"Statement":)" + ok + "}",
              "",
              R"(the key "Statement" is repeated)"},
         }) {
        expect_refused(c);
    }
}

TEST(Compile, RefusesAStatement) {
    for (const auto& c : std::vector<Refused>{
             {statement(R"("Action":"*","Resource":"*")"), "/Statement/0", "Effect is missing"},
             {statement(R"("Effect":"allow","Action":"*","Resource":"*")"),
              "/Statement/0/Effect",
              R"(expected "Allow" or "Deny", found "allow")"},
             {statement(R"("Effect":"Allow","Action":"*","Resource":"*","Principal":"*")"),
              "/Statement/0/Principal",
              R"(unknown element "Principal")"},
             {statement(R"("Effect":"Allow","Resource":"*")"),
              "/Statement/0",
              "expected either Action or NotAction, found neither"},
             {statement(R"("Effect":"Allow","Action":"*","NotAction":"*","Resource":"*")"),
              "/Statement/0",
              "expected either Action or NotAction, found both"},
             {statement(R"("Effect":"Allow","Action":"*")"),
              "/Statement/0",
              "expected either Resource or NotResource, found neither"},
             {statement(R"("Effect":"Allow","Action":[],"Resource":"*")"),
              "/Statement/0/Action",
              "expected at least one string, found an empty list"},
             {statement(R"("Effect":"Allow","Action":["iot:Connect",true],"Resource":"*")"),
              "/Statement/0/Action/1",
              "expected a string, found true"},
             {statement(R"("Effect":"Allow","Action":"Connect","Resource":"*")"),
              "/Statement/0/Action",
              R"(expected an action such as "iot:Connect", found "Connect")"},
             {statement(R"("Effect":"Allow","Action":"iot:${x}","Resource":"*")"),
              "/Statement/0/Action",
              R"(expected an action such as "iot:Connect", found "iot:${x}")"},
             {statement(R"("Effect":"Allow","Action":"*","Resource":["*","topic/a"])"),
              "/Statement/0/Resource/1",
              R"(expected an ARN or "*", found "topic/a")"},
             {statement(R"("Effect":"Allow","Action":"*","Resource":"")"),
              "/Statement/0/Resource",
              R"(expected an ARN or "*", found "")"},
             {statement(R"("Effect":"Allow","Action":"*","Resource":"arn:${iot:ClientId")"),
              "/Statement/0/Resource",
              R"(expected ${NAME}, found "${iot:ClientId")"},
             {statement(R"("Effect":"Allow","Action":"*","Resource":"arn:${}")"),
              "/Statement/0/Resource",
              R"(expected ${NAME}, found "${}")"},
             {statement(R"("Effect":"Allow","Action":"*","Resource":{})"),
              "/Statement/0/Resource",
              "expected a string, found an object"},
             {statement(R"("Sid":1,"Effect":"Allow","Action":"*","Resource":"*")"),
              "/Statement/0/Sid",
              "expected a string, found 1"},
         }) {
        expect_refused(c);
    }
}

TEST(Compile, RefusesACondition) {
    const std::string at = "/Statement/0/Condition";
    for (const auto& c : std::vector<Refused>{
             {condition("[]"), at, "expected an object, found a list"},
             {condition(R"({"StringEqual":{"k":"v"}})"),
              at + "/StringEqual",
              R"(unknown condition operator "StringEqual")"},
             {condition(R"({"BinaryEquals":{"k":"v"}})"),
              at + "/BinaryEquals",
              R"(unknown condition operator "BinaryEquals")"},
             {condition(R"({"ForSomeValues:StringEquals":{"k":"v"}})"),
              at + "/ForSomeValues:StringEquals",
              R"(unknown condition operator "ForSomeValues:StringEquals")"},
             {condition(R"({"NullIfExists":{"k":"true"}})"),
              at + "/NullIfExists",
              R"(Null takes no IfExists and no set, found "NullIfExists")"},
             {condition(R"({"StringEquals":"v"})"),
              at + "/StringEquals",
              R"(expected an object, found "v")"},
             {condition(R"({"StringEquals":{"":"v"}})"),
              at + "/StringEquals/",
              "expected the name of a condition key"},
             {condition(R"({"StringEquals":{"k":[]}})"),
              at + "/StringEquals/k",
              "expected at least one string, found an empty list"},
             {condition(R"({"StringEquals":{"k":["v",null]}})"),
              at + "/StringEquals/k/1",
              "expected a string, found null"},
             {condition(R"({"NumericEquals":{"k":"1e3"}})"),
              at + "/NumericEquals/k",
              R"(expected a decimal number, found "1e3")"},
             {condition(R"({"DateLessThan":{"k":"2026-13-01"}})"),
              at + "/DateLessThan/k",
              R"(expected an ISO 8601 date or seconds since 1970, found "2026-13-01")"},
             {condition(R"({"DateLessThan":{"k":"2026-02-30"}})"),
              at + "/DateLessThan/k",
              R"(expected an ISO 8601 date or seconds since 1970, found "2026-02-30")"},
             {condition(R"({"Bool":{"k":"yes"}})"),
              at + "/Bool/k",
              R"(expected true or false, found "yes")"},
             {condition(R"({"IpAddress":{"aws:SourceIp":"203.0.113.0/33"}})"),
              at + "/IpAddress/aws:SourceIp",
              R"(expected an IP address or range, found "203.0.113.0/33")"},
             {condition(R"({"IpAddress":{"k":"203.0.113"}})"),
              at + "/IpAddress/k",
              R"(expected an IP address or range, found "203.0.113")"},
             {condition(R"({"StringEquals":{"k":"v","k":"w"}})"), "", R"(the key "k" is repeated)"},
         }) {
        expect_refused(c);
    }
}

TEST(Compile, CountsCharactersWithoutWhiteSpace) {
    const std::string front =
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":")";
    const std::string back = "\"}]}";
    const auto of_size = [&](std::size_t size) {
        return front + "*" + std::string(size - front.size() - back.size() - 1, 'x') + back;
    };
    EXPECT_TRUE(compile(of_size(2048)));
    EXPECT_TRUE(compile(of_size(2048) + std::string(3000, ' ') + "\n\t\r"));
    expect_refused(
        {of_size(2049), "", "expected at most 2048 characters without white space, found 2049"});
    // A character may have several bytes.
    std::string wide = of_size(2048);
    wide.replace(wide.find('x'), 1, "\xE2\x82\xAC");
    EXPECT_TRUE(compile(wide));
    EXPECT_FALSE(compile(std::string(500'000, ' ')));
}

TEST(Compile, CutsWhatItQuotesAtACharactersEnd) {
    std::string effect = std::string(79, 'x') + "\xE2\x82\xAC" + "yyy";
    expect_refused({statement(R"("Effect":")" + effect + R"(","Action":"*","Resource":"*")"),
                    "/Statement/0/Effect",
                    R"(expected "Allow" or "Deny", found ")" + std::string(79, 'x') + R"(...")"});
}

TEST(Compile, AcceptsRealDocuments) {
    for (
        const std::string document :
        {R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})",
         R"({"Version":"2012-10-17","Id":"x","Statement":{"Sid":"","Effect":"Deny",
                "NotAction":["greengrass:Discover"],"NotResource":["arn:aws:iot:*:*:*"]}})",
         R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect",
                "Resource":"*","Condition":{"Bool":{"iot:Connection.Thing.IsAttached":true}}}]})",
         R"({"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}]})"}) {
        auto compiled = compile(document);
        EXPECT_TRUE(compiled) << to_string(compiled.error()) << " in " << document;
    }
}

}  // namespace
}  // namespace hatchery::policy
