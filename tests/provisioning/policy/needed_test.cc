#include "provisioning/policy/needed.h"

#include <gmock/gmock.h>

namespace hatchery::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::vector<Document> documents(const std::string& statement) {
    auto compiled = compile(R"({"Version":"2012-10-17","Statement":[)" + statement + "]}");
    EXPECT_TRUE(compiled);
    return {std::move(*compiled)};
}

Context full() {
    Context context;
    context.values["iot:ClientId"] = {"d1"};
    context.values["iot:Connection.Thing.ThingName"] = {"d1"};
    context.values["iot:Certificate.Subject.OrganizationalUnit"] = {"one", "two"};
    context.values["aws:SourceIp"] = {"203.0.113.7"};
    return context;
}

TEST(Needed, KeepsVariablesOfResourcesAndKeysAndValuesOfConditions) {
    const auto asked = documents(
        R"({"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/${iot:ClientId}",)"
        R"("Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"},)"
        R"("StringEquals":{"iot:Unset":"${iot:Certificate.Subject.OrganizationalUnit.1}"}}})");
    EXPECT_THAT(
        needed_of(asked, full()).values,
        ElementsAre(Pair("aws:SourceIp", ElementsAre("203.0.113.7")),
                    Pair("iot:Certificate.Subject.OrganizationalUnit", ElementsAre("one", "two")),
                    Pair("iot:ClientId", ElementsAre("d1"))));
}

TEST(Needed, KeepsNothingThatNobodyNames) {
    const auto asked = documents(R"({"Effect":"Allow","Action":"iot:*","Resource":"*"})");
    EXPECT_TRUE(needed_of(asked, full()).values.empty());
    EXPECT_TRUE(needed_of({}, full()).values.empty());
}

TEST(Needed, KeepsAWholeListAndTheSpellingThatWins) {
    const auto list = documents(
        R"({"Effect":"Deny","Action":"iot:Publish","Resource":"*","Condition":{"ForAnyValue:StringEquals":)"
        R"({"iot:Certificate.Subject.OrganizationalUnit.List":"two"}}})");
    auto context = full();
    const policy::Request request{Action::Publish, "arn:aws:iot:us-east-1:123456789012:topic/t"};
    EXPECT_EQ(evaluate(list, request, context).effect, Effect::ExplicitDeny);
    EXPECT_EQ(evaluate(list, request, needed_of(list, context)).effect, Effect::ExplicitDeny);
    context.values["iot:Certificate.Subject.OrganizationalUnit.List"] = {"three"};
    EXPECT_EQ(evaluate(list, request, context).effect, Effect::ImplicitDeny);
    EXPECT_EQ(evaluate(list, request, needed_of(list, context)).effect, Effect::ImplicitDeny);
}

}  // namespace
}  // namespace hatchery::policy
