#include "provisioning/policy/policy.h"

#include <gtest/gtest.h>

namespace hatchery::policy {
namespace {

using ContextValues = std::map<std::string, std::vector<std::string>, std::less<>>;

/// Does `condition` (the JSON of a Condition block) hold for `values`?
bool holds(const std::string& condition, ContextValues values) {
    auto document = compile(R"({"Version":"2012-10-17","Statement":{"Effect":"Allow",)"
                            R"("Action":"iot:Connect","Resource":"*","Condition":)" +
                            condition + "}}");
    if (!document) {
        ADD_FAILURE() << to_string(document.error()) << " in " << condition;
        return false;
    }
    const std::vector documents{*document};
    return evaluate(documents,
                    {Action::Connect, "arn:aws:iot:us-east-1:123456789012:client/a"},
                    Context{std::move(values)})
               .effect == Effect::Allowed;
}

struct OperatorCase {
    const char* op;
    const char* policy;  ///< JSON of the value or values
    const char* request;
    bool expected;
};

TEST(Condition, ComparesByOperator) {
    const std::vector<OperatorCase> cases{
        {"StringEquals", R"("a")", "a", true},
        {"StringEquals", R"("a")", "A", false},
        {"StringEquals", R"("a*")", "ab", false},
        {"StringEquals", R"(["a","b"])", "b", true},
        {"StringNotEquals", R"("a")", "a", false},
        {"StringNotEquals", R"(["a","b"])", "c", true},
        {"StringNotEquals", R"(["a","b"])", "b", false},
        {"StringEqualsIgnoreCase", R"("a")", "A", true},
        {"StringNotEqualsIgnoreCase", R"("a")", "A", false},
        {"StringLike", R"("a*?")", "abc", true},
        {"StringLike", R"("a?")", "abc", false},
        {"StringNotLike", R"("a*")", "abc", false},
        {"StringNotLike", R"("b*")", "abc", true},
        {"NumericEquals", R"("5")", "5.0", true},
        {"NumericEquals", R"(5)", "+05", true},
        {"NumericEquals", R"("5")", "five", false},
        {"NumericNotEquals", R"("5")", "6", true},
        {"NumericNotEquals", R"("5")", "5", false},
        {"NumericLessThan", R"("10")", "9", true},
        {"NumericLessThan", R"("10")", "10", false},
        {"NumericLessThan", R"("-1")", "-2", true},
        {"NumericLessThan", R"("0.5")", "0.25", true},
        {"NumericLessThanEquals", R"("10")", "10", true},
        {"NumericGreaterThan", R"("9")", "10", true},
        {"NumericGreaterThan", R"("9")", "9", false},
        {"NumericGreaterThanEquals", R"("9")", "9", true},
        // Serial numbers beyond what a double tells apart.
        {"NumericEquals",
         R"("170141183460469231731687303715884105727")",
         "170141183460469231731687303715884105728",
         false},
        {"DateEquals", R"("2026-01-01T00:00:00Z")", "2026-01-01T01:00:00+01:00", true},
        {"DateNotEquals", R"("2026-01-01T00:00:00Z")", "2026-01-01T00:00:00.5Z", true},
        {"DateLessThan", R"("2026-01-01")", "2025-12-31T23:59:59Z", true},
        {"DateLessThanEquals", R"("2026-01-01T00:00Z")", "1767225600", true},
        {"DateGreaterThan", R"("2026")", "2026-01-01T00:00:00.000001Z", true},
        {"DateGreaterThan", R"("2026-02")", "2026-01-31", false},
        {"DateGreaterThanEquals", R"("2026-01-01T00:00:00Z")", "2025-12-31T23:00:00-01:00", true},
        {"DateLessThan", R"("2026-01-01")", "soon", false},
        {"Bool", R"("true")", "true", true},
        {"Bool", R"(true)", "true", true},  // as real policies write it
        {"Bool", R"(["false"])", "true", false},
        {"IpAddress", R"("203.0.113.0/24")", "203.0.113.77", true},
        {"IpAddress", R"("203.0.113.0/24")", "203.0.114.77", false},
        {"IpAddress", R"("203.0.113.128/25")", "203.0.113.127", false},
        {"IpAddress", R"("203.0.113.7")", "203.0.113.7", true},
        {"IpAddress", R"("203.0.113.7")", "::ffff:203.0.113.7", true},
        {"IpAddress", R"("0.0.0.0/0")", "198.51.100.1", true},
        {"IpAddress", R"("0.0.0.0/0")", "2001:db8::1", false},
        {"IpAddress", R"(["2001:db8::/33"])", "2001:db8:7fff::1", true},
        {"IpAddress", R"(["2001:db8::/33"])", "2001:db8:8000::1", false},
        {"IpAddress", R"("203.0.113.0/24")", "nowhere", false},
        {"NotIpAddress", R"("203.0.113.0/24")", "203.0.114.77", true},
        {"NotIpAddress", R"(["203.0.113.0/24","203.0.114.0/24"])", "203.0.114.77", false},
        {"ArnEquals", R"("arn:aws:iot:*:1:thing/t*")", "arn:aws:iot:us-east-1:1:thing/t1", true},
        {"ArnLike", R"("arn:aws:iot:*:1:thing/t1")", "arn:aws:iot:us:2:1:thing/t1", false},
        {"ArnNotEquals", R"("arn:aws:iot:r:1:thing/t")", "arn:aws:iot:r:1:thing/t", false},
        {"ArnNotLike", R"("arn:aws:iot:r:1:thing/t")", "arn:aws:iot:r:1:thing/u", true},
        {"Null", R"("false")", "a", true},
        {"Null", R"("true")", "a", false},
        {"Null", R"(true)", "a", false},
    };
    for (const auto& c : cases) {
        const std::string condition =
            R"({")" + std::string(c.op) + R"(":{"k:key":)" + c.policy + "}}";
        EXPECT_EQ(holds(condition, {{"k:key", {c.request}}}), c.expected)
            << condition << " for " << c.request;
    }
}

TEST(Condition, KnowsWhatAnAbsentKeyMeans) {
    const std::vector<std::pair<std::string, bool>> cases{
        {R"({"StringEquals":{"k":"a"}})", false},
        {R"({"StringNotEquals":{"k":"a"}})", true},
        {R"({"StringEqualsIfExists":{"k":"a"}})", true},
        {R"({"BoolIfExists":{"k":"true"}})", true},
        {R"({"Bool":{"k":"false"}})", false},
        {R"({"NotIpAddress":{"k":"203.0.113.0/24"}})", true},
        {R"({"NumericLessThan":{"k":"1"}})", false},
        {R"({"Null":{"k":"true"}})", true},
        {R"({"Null":{"k":"false"}})", false},
        {R"({"ForAllValues:StringEquals":{"k":"a"}})", true},
        {R"({"ForAnyValue:StringEquals":{"k":"a"}})", false},
        {R"({"ForAnyValue:StringNotEquals":{"k":"a"}})", false},
        {R"({"ForAnyValue:StringEqualsIfExists":{"k":"a"}})", true},
    };
    for (const auto& [condition, expected] : cases)
        EXPECT_EQ(holds(condition, {}), expected) << condition;
}

TEST(Condition, ComparesSets) {
    const std::string subset =
        R"({"ForAllValues:StringEquals":{"iot:ConnectAttributes":["PersistentConnect"]}})";
    const std::string some =
        R"({"ForAnyValue:StringEquals":{"iot:ConnectAttributes":["PersistentConnect"]}})";
    const auto attributes = [](std::vector<std::string> values) {
        return ContextValues{{"iot:ConnectAttributes", std::move(values)}};
    };
    EXPECT_TRUE(holds(subset, attributes({"PersistentConnect"})));
    EXPECT_TRUE(holds(subset, attributes({})));
    EXPECT_FALSE(holds(subset, attributes({"PersistentConnect", "LastWill"})));
    EXPECT_TRUE(holds(some, attributes({"PersistentConnect", "LastWill"})));
    EXPECT_FALSE(holds(some, attributes({"LastWill"})));
    EXPECT_FALSE(holds(some, attributes({})));
}

TEST(Condition, ReadsCertificateListsAndSingleValues) {
    const ContextValues units{{"iot:Certificate.Subject.OrganizationalUnit", {"a", "b"}}};
    const auto unit = [](const std::string& op, const std::string& suffix) {
        return R"({")" + op + R"(":{"iot:Certificate.Subject.OrganizationalUnit)" + suffix +
               R"(":"b"}})";
    };
    EXPECT_FALSE(holds(unit("StringEquals", ""), units));  // the first value only
    EXPECT_TRUE(holds(unit("StringEquals", ".1"), units));
    EXPECT_TRUE(holds(unit("ForAnyValue:StringEquals", ".List"), units));
    EXPECT_FALSE(holds(unit("ForAllValues:StringEquals", ".List"), units));
    EXPECT_FALSE(holds(unit("StringEquals", ".2"), units));
}

TEST(Condition, MatchesTheEscapedFormOfCertificateValues) {
    const ContextValues organization{{"iot:Certificate.Subject.Organization", {"Any, Inc"}}};
    EXPECT_TRUE(holds(R"({"StringEquals":{"iot:Certificate.Subject.Organization":"Any\\, Inc"}})",
                      organization));
    EXPECT_FALSE(holds(R"({"StringEquals":{"iot:Certificate.Subject.Organization":"Any, Inc"}})",
                       organization));
}

TEST(Condition, NeedsEveryKeyAndEveryOperator) {
    const std::string both =
        R"({"StringEquals":{"a":"1","b":"2"},"Bool":{"iot:Connection.Thing.IsAttached":true}})";
    const ContextValues all{
        {"a", {"1"}}, {"b", {"2"}}, {"iot:Connection.Thing.IsAttached", {"true"}}};
    EXPECT_TRUE(holds(both, all));
    for (const auto& [key, values] : all) {
        auto without = all;
        without.erase(key);
        EXPECT_FALSE(holds(both, without)) << key;
    }
}

TEST(Condition, SubstitutesVariablesInValues) {
    const std::string topic =
        R"({"StringEquals":{"iot:LastWillTopic":"will/${iot:Connection.Thing.ThingName}"}})";
    EXPECT_TRUE(holds(
        topic, {{"iot:LastWillTopic", {"will/t"}}, {"iot:Connection.Thing.ThingName", {"t"}}}));
    EXPECT_FALSE(holds(
        topic, {{"iot:LastWillTopic", {"will/u"}}, {"iot:Connection.Thing.ThingName", {"t"}}}));
    EXPECT_FALSE(holds(topic, {{"iot:LastWillTopic", {"will/t"}}}));
    // Typed operators read the value after its variables are filled in.
    const std::string number = R"({"NumericLessThan":{"n":"${limit}"}})";
    EXPECT_TRUE(holds(number, {{"n", {"9"}}, {"limit", {"10"}}}));
    EXPECT_FALSE(holds(number, {{"n", {"9"}}, {"limit", {"many"}}}));
    // An unset variable takes the statement out even where the operator is negated.
    EXPECT_FALSE(holds(R"({"StringNotEquals":{"n":"${limit}"}})", {{"n", {"9"}}}));
}

}  // namespace
}  // namespace hatchery::policy
