#include "provisioning/registry/names.h"

#include "provisioning/registry/account.h"
#include "tests/provisioning/registry/registry_fixture.h"

#include <gtest/gtest.h>

namespace hatchery::registry {
namespace {

std::string many(std::size_t count) {
    return std::string(count, 'a');
}

TEST(Names, AcceptsWhatTheServiceModelAccepts) {
    EXPECT_TRUE(check_thing_name("sensor:A-1_b"));
    EXPECT_TRUE(check_thing_name(many(128)));
    EXPECT_TRUE(check_thing_type_name("t"));
    EXPECT_TRUE(check_group_name("unclaimed", "thingGroupName"));
    EXPECT_TRUE(check_attribute("a_.,@/:#-Z9", "x_.,@/:#=[]-9"));
    EXPECT_TRUE(check_attribute(many(128), many(800)));
    EXPECT_TRUE(check_attribute("empty", ""));
    EXPECT_TRUE(check_policy_name("p+=,.@-_9"));
    EXPECT_TRUE(check_policy_name(many(128)));
    EXPECT_TRUE(check_template_name("T_-9"));
    EXPECT_TRUE(check_template_name(many(36)));
}

TEST(Names, SaysWhatWasExpectedAndFound) {
    struct Case {
        Result<> result;
        std::string message;
        std::string where;
    };
    const std::vector<Case> cases{
        {check_thing_name(""),
         "expected 1 to 128 characters of [a-zA-Z0-9:_-], found \"\"",
         "thingName"},
        {check_thing_name("a b"),
         "expected 1 to 128 characters of [a-zA-Z0-9:_-], found \"a b\"",
         "thingName"},
        {check_thing_name("a/\x01\xc3\xa4"),
         "expected 1 to 128 characters of [a-zA-Z0-9:_-], found \"a/???\"",
         "thingName"},
        {check_thing_name(many(129)),
         "expected 1 to 128 characters of [a-zA-Z0-9:_-], found \"" + many(129) + "\"",
         "thingName"},
        {check_thing_name(many(1'000'000)),
         "expected 1 to 128 characters of [a-zA-Z0-9:_-], found \"" + many(140) + "…\"",
         "thingName"},
        {check_thing_type_name("a.b"),
         "expected 1 to 128 characters of [a-zA-Z0-9:_-], found \"a.b\"",
         "thingTypeName"},
        {check_group_name("$aws", "billingGroupName"),
         "expected 1 to 128 characters of [a-zA-Z0-9:_-], found \"$aws\"",
         "billingGroupName"},
        {check_attribute("a b", "x"),
         "expected 1 to 128 characters of [a-zA-Z0-9_.,@/:#-], found \"a b\"",
         "attributePayload"},
        {check_attribute("Org", "Any Company"),
         "expected 0 to 800 characters of [a-zA-Z0-9_.,@/:#=[]-], found \"Any Company\"",
         "attributePayload/attributes/Org"},
        {check_policy_name("a:b"),
         "expected 1 to 128 characters of [a-zA-Z0-9_+=,.@-], found \"a:b\"",
         "policyName"},
        {check_template_name("a:b"),
         "expected 1 to 36 characters of [a-zA-Z0-9_-], found \"a:b\"",
         "templateName"},
        {check_template_name(many(37)),
         "expected 1 to 36 characters of [a-zA-Z0-9_-], found \"" + many(37) + "\"",
         "templateName"},
    };
    for (const Case& one : cases)
        expect_error(one.result, Code::InvalidRequest, one.message, one.where);
}

TEST(Account, MakesAndReadsArns) {
    const Account account;
    EXPECT_EQ(account.arn("thing", "t1"), "arn:aws:iot:us-east-1:123456789012:thing/t1");
    EXPECT_EQ(name_from_arn(account, "thing", "arn:aws:iot:us-east-1:123456789012:thing/t1"), "t1");
    EXPECT_EQ(name_from_arn(account, "cert", "arn:aws:iot:us-east-1:123456789012:thing/t1"), "");
    EXPECT_EQ(name_from_arn(account, "thing", "arn:aws:iot:eu-west-1:123456789012:thing/t1"), "");
    EXPECT_EQ(name_from_arn(account, "thing", "t1"), "");
}

}  // namespace
}  // namespace hatchery::registry
