#include "provisioning/api/routes.h"

#include "provisioning/api/target.h"

#include <gtest/gtest.h>

#include <set>

namespace hatchery::api {
namespace {

struct Case {
    const char* method;
    const char* target;
    const char* operation;
    std::vector<std::string> labels;
};

// As Debian's aws CLI sends them.
const Case kCases[] = {
    {"GET", "/registrationcode", "GetRegistrationCode", {}},
    {"POST", "/cacertificate?setAsActive=true", "RegisterCACertificate", {}},
    {"GET", "/things", "ListThings", {}},
    {"POST", "/things", "RegisterThing", {}},
    {"POST", "/things/t1", "CreateThing", {"t1"}},
    {"PATCH", "/things/a%3Ab", "UpdateThing", {"a:b"}},
    {"PUT", "/things/t1/principals", "AttachThingPrincipal", {"t1"}},
    {"GET", "/things/t1/thing-groups", "ListThingGroupsForThing", {"t1"}},
    {"GET", "/principals/things", "ListPrincipalThings", {}},
    {"PUT", "/thing-groups/addThingToThingGroup", "AddThingToThingGroup", {}},
    {"PATCH", "/thing-groups/addThingToThingGroup", "UpdateThingGroup", {"addThingToThingGroup"}},
    {"POST",
     "/attached-policies/arn%3Aaws%3Acert%2Fab",
     "ListAttachedPolicies",
     {"arn:aws:cert/ab"}},
    {"GET", "/policies/p/version/2", "GetPolicyVersion", {"p", "2"}},
    {"PATCH", "/policies/p/version/2", "SetDefaultPolicyVersion", {"p", "2"}},
    {"POST", "/certificate/register-no-ca", "RegisterCertificateWithoutCA", {}},
    {"GET", "/provisioning-templates/T/versions", "ListProvisioningTemplateVersions", {"T"}},
    {"PUT", "/jobs/j1", "CreateJob", {"j1"}},
    {"GET", "/endpoint?endpointType=iot%3AData-ATS", "DescribeEndpoint", {}},
};

TEST(Routes, FindTheOperationOfEveryRequestLine) {
    for (const auto& one : kCases) {
        const auto target = parse_target(one.target);
        ASSERT_TRUE(target);
        const Match found = match(one.method, target->segments);
        ASSERT_NE(found.route, nullptr) << one.method << " " << one.target;
        EXPECT_EQ(found.route->operation, one.operation);
        EXPECT_EQ(found.labels, one.labels) << one.operation;
    }
}

// The same request line means another operation in another service.
const Case kJobsDataCases[] = {
    {"GET", "/things/t1/jobs", "GetPendingJobExecutions", {"t1"}},
    {"GET", "/things/t1/jobs/j1", "DescribeJobExecution", {"t1", "j1"}},
    {"GET", "/things/t1/jobs/%24next", "DescribeJobExecution", {"t1", "$next"}},
    {"PUT", "/things/t1/jobs/%24next", "StartNextPendingJobExecution", {"t1"}},
    {"POST", "/things/t1/jobs/j1", "UpdateJobExecution", {"t1", "j1"}},
};

TEST(Routes, FindTheOperationsOfTheJobsDataPlane) {
    for (const auto& one : kJobsDataCases) {
        const auto target = parse_target(one.target);
        ASSERT_TRUE(target);
        const Match found = match(one.method, target->segments, jobs_data_routes());
        ASSERT_NE(found.route, nullptr) << one.method << " " << one.target;
        EXPECT_EQ(found.route->operation, one.operation);
        EXPECT_EQ(found.labels, one.labels) << one.operation;
    }
    EXPECT_EQ(match("GET", {"things"}, jobs_data_routes()).route, nullptr);
    EXPECT_EQ(match("PUT", {"things", "t1", "jobs", "j1"}, jobs_data_routes()).route, nullptr);
}

TEST(Routes, FindNothingElse) {
    EXPECT_EQ(match("GET", {}).route, nullptr);
    EXPECT_EQ(match("GET", {"things", "t1", "principals", "more"}).route, nullptr);
    EXPECT_EQ(match("get", {"things"}).route, nullptr);
    EXPECT_EQ(match("DELETE", {"things"}).route, nullptr);
    EXPECT_EQ(match("GET", {"base", "things"}).route, nullptr);
    EXPECT_TRUE(match("GET", {"things", "t1", "principals", "more"}).labels.empty());
}

TEST(Routes, EveryOperationIsReachableAndNamedOnce) {
    std::set<std::string_view> names;
    for (const auto table : {routes(), absent_routes()}) {
        for (const auto& route : table) {
            EXPECT_TRUE(names.insert(route.operation).second) << route.operation;
            auto target = parse_target(route.pattern);
            ASSERT_TRUE(target) << route.pattern;
            const Match found = match(route.method, target->segments, table);
            ASSERT_NE(found.route, nullptr) << route.pattern;
            EXPECT_EQ(found.route->operation, route.operation) << "hidden by another pattern";
        }
    }
}

TEST(Routes, WhatIsAbsentHasNoHandlerAndIsNotTakenForWhatIsThere) {
    for (const auto& route : routes())
        EXPECT_NE(route.handler, nullptr) << route.operation;
    for (const auto& route : absent_routes()) {
        EXPECT_EQ(route.handler, nullptr) << route.operation;
        const auto target = parse_target(route.pattern);
        ASSERT_TRUE(target) << route.pattern;
        EXPECT_EQ(match(route.method, target->segments).route, nullptr) << route.pattern;
    }
    for (const auto& [text, operation] : std::initializer_list<std::pair<const char*, const char*>>{
             {"/certificate-providers/", "ListCertificateProviders"},
             {"/destinations/arn%3Aaws%3Aiot/http/1", "GetTopicRuleDestination"}}) {
        const auto target = parse_target(text);
        ASSERT_TRUE(target);
        const Match found = match("GET", target->segments, absent_routes());
        ASSERT_NE(found.route, nullptr) << text;
        EXPECT_EQ(found.route->operation, operation);
    }
}

TEST(Routes, ReadOnlyMeansGetListAndDescribe) {
    EXPECT_TRUE(is_read_only("ListAttachedPolicies"));  // a POST
    EXPECT_TRUE(is_read_only("GetPolicy"));
    EXPECT_TRUE(is_read_only("DescribeThing"));
    EXPECT_TRUE(is_read_only("SearchIndex"));
    EXPECT_TRUE(is_read_only("TestAuthorization"));
    EXPECT_FALSE(is_read_only("CreateThing"));
    EXPECT_FALSE(is_read_only("DeleteRegistrationCode"));
}

}  // namespace
}  // namespace hatchery::api
