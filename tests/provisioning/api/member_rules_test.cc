#include "provisioning/api/member_rules.h"

#include "provisioning/api/roles.h"
#include "provisioning/api/routes.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace hatchery::api {
namespace {

struct BodyCase {
    const char* body;
    const char* message;
    const char* where;
};
const BodyCase kBodyCases[] = {
    {R"({"thingTypeName":5})", "expected a string, found number", "/thingTypeName"},
    {R"({"thingTypeName":""})",
     "expected 1 to 128 characters of [a-zA-Z0-9:_-], found ''",
     "/thingTypeName"},
    {R"({"thingGroupProperties":{"thingGroupDescription":"a\tb"}})",
     "expected 0 to 2028 characters of printable ASCII, found 'a?b'",
     "/thingGroupProperties/thingGroupDescription"},
    {R"({"tags":[{"Key":"a"},{"Key":7}]})", "expected a string, found number", "/tags/1/Key"},
    {R"({"tags":[{"Key":"a!b"}]})",
     "expected 1 to 128 characters of letters, digits, spaces and _.:/=+-@, found 'a!b'",
     "/tags/0/Key"},
    {R"({"resourceIdentifier":{"account":"12345678901g"}})",
     "expected 12 to 12 characters of [0-9], found '12345678901g'",
     "/resourceIdentifier/account"},
    {R"({"authInfos":[]})", "expected 1 to 10 items, found 0", "/authInfos"},
    {R"({"authInfos":[{"actionType":"FLY"}]})",
     "expected one of PUBLISH, SUBSCRIBE, RECEIVE, CONNECT, found 'FLY'",
     "/authInfos/0/actionType"},
    {R"({"enabled":"yes"})", "expected a boolean, found string", "/enabled"},
    {R"({"expectedVersion":1.5})", "expected an integer, found number", "/expectedVersion"},
    {R"({"provisioningRoleArn":"short"})",
     "expected 20 to 2048 characters, found 5",
     "/provisioningRoleArn"},
    {R"({"preProvisioningHook":{"payloadVersion":"2020-04-0x"}})",
     "expected 10 to 32 characters of [0-9-], found '2020-04-0x'",
     "/preProvisioningHook/payloadVersion"},
};

TEST(MemberRules, SayWhichMemberBreaksWhichConstraint) {
    for (const auto& one : kBodyCases) {
        const auto checked = check_body("", nlohmann::json::parse(one.body));
        ASSERT_FALSE(checked) << one.body;
        EXPECT_EQ(checked.error().code, Code::InvalidRequest);
        EXPECT_EQ(checked.error().message, one.message);
        EXPECT_EQ(checked.error().where, one.where);
    }
}

TEST(MemberRules, LeaveTheRestAlone) {
    for (const char* body :
         {"{}",
          R"({"thingTypeName":null,"unknown":{"thingName":5},"attributePayload":{"merge":true}})",
          R"({"tags":[{"Key":"gr\u00f6\u00dfe 1"}]})",
          R"({"description":"\u00fc","tags":[],"parameters":{"thingName":"a b"}})"}) {
        EXPECT_TRUE(check_body("", nlohmann::json::parse(body))) << body;
    }
    EXPECT_TRUE(check_member("thingName", "a:b"));
    EXPECT_TRUE(check_member("noSuchMember", "?"));
    const auto checked = check_member("targetAwsAccount", "12345678901a");
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().message,
              "expected 12 to 12 characters of [0-9], found '12345678901a'");
    EXPECT_EQ(checked.error().where, "targetAwsAccount");
}

TEST(Roles, MayCallWhatTheyAreFor) {
    const std::pair<const char*, std::vector<const char*>> allowed[] = {
        {"admin", {"RegisterCACertificate", "CreateThing", "ListThings", "DeletePolicy"}},
        {"operator", {"CreateThing", "DeletePolicy", "DescribeCACertificate", "UpdateCertificate"}},
        {"factory", {"CreateThing", "RegisterThing", "CreateKeysAndCertificate", "AttachPolicy"}},
        {"read-only", {"ListThings", "SearchIndex", "TestAuthorization", "GetPolicy"}},
        {"ci", {"TestAuthorization", "GetPolicy", "DescribeProvisioningTemplate"}}};
    const std::pair<const char*, std::vector<const char*>> refused[] = {
        {"operator", {"RegisterCACertificate", "DeleteCACertificate", "DeleteRegistrationCode"}},
        {"factory", {"DeleteThing", "CreatePolicy", "RegisterCACertificate", "ListThings"}},
        {"read-only", {"CreateThing", "TagResource", "UpdateThing", "CreateProvisioningClaim"}},
        {"ci", {"ListThings", "CreateThing", "DescribeCertificate", "CreateKeysAndCertificate"}},
        {"king", {"ListThings"}},
        {"", {"ListThings"}}};
    for (const auto& [role, operations] : allowed) {
        for (const char* operation : operations)
            EXPECT_TRUE(may_call(role, operation)) << role << " " << operation;
    }
    for (const auto& [role, operations] : refused) {
        for (const char* operation : operations)
            EXPECT_FALSE(may_call(role, operation)) << role << " " << operation;
    }
}

TEST(Roles, NobodyButTheAdminMayCallEverything) {
    for (const char* role : {"operator", "factory", "read-only", "ci"}) {
        int refused = 0;
        for (const auto& route : routes())
            refused += may_call(role, route.operation) ? 0 : 1;
        EXPECT_GT(refused, 0) << role;
    }
    for (const auto& route : routes())
        EXPECT_TRUE(may_call("admin", route.operation));
}

}  // namespace
}  // namespace hatchery::api
