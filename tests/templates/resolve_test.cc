#include "tests/templates/rendering.h"

#include <gtest/gtest.h>

namespace hatchery::templates {
namespace {

const std::string kId = "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef";

Template compiled(const std::string& text, Kind kind) {
    Compiled result = compile(text, kind);
    EXPECT_TRUE(result.value) << render(result.diagnostics);
    return *result.value;
}

Parameters sensor() {
    return certificate_parameters({kId,
                                   "10525622389124227206",
                                   {{"2.5.4.10", "AnyCompany"},
                                    {"2.5.4.11", "hall-1"},
                                    {"2.5.4.11", "hall-2"},
                                    {"2.5.4.46", "meter"},
                                    {"2.5.4.3", "HW-1"}}},
                                  SerialNumberSource::Auto);
}

/// The message and place of the error that `parameters` give.
std::string error_of(const Template& value, const Parameters& parameters) {
    const auto plan = resolve(value, parameters);
    if (plan) return "resolved";
    EXPECT_EQ(plan.error().code, Code::InvalidRequest);
    return plan.error().where + " " + plan.error().message;
}

TEST(Resolve, FirstConnectTemplateGivesItsRecords) {
    const auto plan = resolve(compiled(good_template("jitp_sensor"), Kind::Jitp), sensor());
    ASSERT_TRUE(plan) << to_string(plan.error());
    EXPECT_EQ(render(*plan), "certificate identity\n  id " + kId + R"(
  csr -
  pem -
  ca -
  ACTIVE override -
thing device = 10525622389124227206
  attributes given override REPLACE
    firmware = 1.0.0
    model = HW-1
    origin = first-connect
    root = Factory-Root-1
    serial = 10525622389124227206
  type meter override REPLACE
  groups given override REPLACE
    hall-1
  billing AnyCompany
policy rights name sensor-policy document -
)");
}

TEST(Resolve, ClaimTemplateAppliesEveryFunction) {
    const auto plan =
        resolve(compiled(good_template("claim_everything"), Kind::Claim),
                {{"AWS::IoT::Certificate::Id", kId}, {"SerialNumber", "77"}, {"Unknown", "x"}});
    ASSERT_TRUE(plan) << to_string(plan.error());
    EXPECT_EQ(render(*plan), "certificate certificate\n  id " + kId + R"(
  csr -
  pem -
  ca -
  ACTIVE exclusive override REPLACE
thing thing = plug_77
  attributes given override MERGE
  type - override FAIL
  groups given override DO_NOTHING
    europe
  billing -
policy common name plug-common document -
policy connect name - document {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Connect"],"Resource":"arn:aws:iot:*:*:client/plug_77"},{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/${iot:ClientId}/out"}]}
configuration interval = 60
configuration url = https://b.example/
)");
}

TEST(Resolve, BulkTemplateTakesACsrAndAnEmptyGroupMeansTheDefault) {
    const auto plan = resolve(compiled(good_template("bulk_csr"), Kind::Bulk),
                              {{"ThingName", "foo"}, {"CSR", "the CSR"}, {"Group", ""}});
    ASSERT_TRUE(plan) << to_string(plan.error());
    EXPECT_EQ(render(*plan), R"(certificate certificate
  id -
  csr the CSR
  pem -
  ca -
  INACTIVE override -
thing thing = foo
  attributes given override -
    serialNumber = foo
    version = v1
  type - override -
  groups given override -
    unsorted
  billing -
policy policy name - document {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":["arn:aws:iot:us-east-1:123456789012:topic/foo/bar"]}]}
)");
}

TEST(Resolve, BulkTemplateTakesACertificateWithItsAuthority) {
    const Template value = compiled(good_template("bulk_certificate_pem"), Kind::Bulk);
    Parameters parameters = {{"Name", "n"}, {"Certificate", "PEM"}, {"Authority", "CA"}};
    auto plan = resolve(value, parameters);
    ASSERT_TRUE(plan) << to_string(plan.error());
    EXPECT_EQ(plan->certificate->certificate_pem, "PEM");
    EXPECT_EQ(plan->certificate->ca_certificate_pem, "CA");
    EXPECT_FALSE(plan->certificate->active);
    EXPECT_FALSE(plan->thing->has_attributes);
    EXPECT_FALSE(plan->thing->has_thing_groups);
    parameters["Status"] = "Active";
    plan = resolve(value, parameters);
    ASSERT_TRUE(plan);
    EXPECT_TRUE(plan->certificate->active);
    parameters["Status"] = "PENDING_ACTIVATION";
    EXPECT_EQ(error_of(value, parameters),
              "/Resources/certificate/Properties/Status expected the status ACTIVE or INACTIVE, "
              "found \"PENDING_ACTIVATION\"");
    parameters["Status"] = "ACTIVE";
    parameters["Certificate"] = std::string(65'537, 'x');
    EXPECT_EQ(error_of(value, parameters),
              "/Resources/certificate/Properties/CertificatePem expected a certificate in PEM of "
              "1-65536 characters, found 65537 characters");
}

TEST(Resolve, AMissingAttributeFallsBackToTheDefaultOrFails) {
    const Template value = compiled(good_template("jitp_sensor"), Kind::Jitp);
    Parameters parameters = sensor();
    parameters.erase("AWS::IoT::Certificate::OrganizationalUnit");
    const auto plan = resolve(value, parameters);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->thing->thing_groups, std::vector<std::string>{"stock"});
    parameters.erase("AWS::IoT::Certificate::Organization");
    EXPECT_EQ(error_of(value, parameters),
              "/Parameters/AWS::IoT::Certificate::Organization Cannot resolve reference value: "
              "AWS::IoT::Certificate::Organization");
}

TEST(Resolve, AClaimNeedsOnlyTheParametersThatItUses) {
    const Template value = compiled(R"({"Parameters": {"A": {"Type": "String"},
        "Unused": {"Type": "String"}}, "Resources": {"t": {"Type": "AWS::IoT::Thing",
        "Properties": {"ThingName": {"Ref": "A"}}}}})",
                                    Kind::Claim);
    EXPECT_TRUE(resolve(value, {{"A", "a"}}));
    EXPECT_EQ(error_of(value, {{"Unused", "a"}}),
              "/Resources/t/Properties/ThingName Cannot resolve reference value: A");
    EXPECT_EQ(error_of(value, {{"A", ""}}),
              "/Resources/t/Properties/ThingName Cannot resolve reference value: A");
}

TEST(Resolve, AnOrganizationWithASpaceIsNoAttributeValue) {
    const Template value =
        compiled(R"({"Parameters": {"AWS::IoT::Certificate::Organization": {"Type": "String"},
        "AWS::IoT::Certificate::SerialNumber": {"Type": "String"}}, "Resources": {"t": {"Type":
        "AWS::IoT::Thing", "Properties": {"ThingName":
        {"Ref": "AWS::IoT::Certificate::SerialNumber"}, "AttributePayload":
        {"Owner": {"Ref": "AWS::IoT::Certificate::Organization"}}}}}})",
                 Kind::Jitp);
    Parameters parameters = {{"AWS::IoT::Certificate::Organization", "AnyCompany"},
                             {"AWS::IoT::Certificate::SerialNumber", "1"}};
    EXPECT_TRUE(resolve(value, parameters));
    parameters["AWS::IoT::Certificate::Organization"] = "Any Company";
    EXPECT_EQ(error_of(value, parameters),
              "/Resources/t/Properties/AttributePayload/Owner expected an attribute value of 0-800 "
              "characters [a-zA-Z0-9_.,@/:#=[]-], found \"Any Company\"");
}

TEST(Resolve, ChecksEveryResultAndSaysWhereItStands) {
    const Template value = compiled(
        R"({"Parameters": {"Name": {"Type": "String", "Default": "n"},
        "Type": {"Type": "String", "Default": "n"}, "Group": {"Type": "String", "Default": "n"},
        "Billing": {"Type": "String", "Default": "n"}, "Policy": {"Type": "String", "Default": "n"},
        "Document": {"Type": "String", "Default": "{ }"}, "Csr": {"Type": "String"},
        "Principal": {"Type": "String", "Default": "EXCLUSIVE_THING"}},
        "Resources": {"t": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"},
        "ThingTypeName": {"Ref": "Type"}, "ThingGroups": {"Fn::Split": [",", {"Ref": "Group"}]},
        "BillingGroup": {"Ref": "Billing"}}},
        "c": {"Type": "AWS::IoT::Certificate", "Properties":
        {"CertificateSigningRequest": {"Ref": "Csr"}, "ThingPrincipalType": {"Ref": "Principal"}}},
        "p": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": {"Ref": "Policy"},
        "PolicyDocument": {"Ref": "Document"}}}}})",
        Kind::Bulk);
    const auto plan =
        resolve(value, {{"Csr", "x"}, {"Group", "a,b"}, {"Document", " {\"a\" : 1}"}});
    ASSERT_TRUE(plan) << to_string(plan.error());
    EXPECT_EQ(plan->thing->thing_groups, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(plan->policies.at(0).policy_name, "n");
    EXPECT_EQ(plan->policies.at(0).policy_document, R"({"a":1})");
    EXPECT_TRUE(plan->certificate->exclusive_thing);

    struct Case {
        const char* parameter;
        std::string value;
        const char* error;
    };
    const std::vector<Case> cases = {
        {"Name",
         "a b",
         "/Resources/t/Properties/ThingName expected a thing name of 1-128 characters "
         "[a-zA-Z0-9:_-], found \"a b\""},
        {"Name",
         std::string(129, 'a'),
         "/Resources/t/Properties/ThingName expected a thing name of 1-128 characters "
         "[a-zA-Z0-9:_-], found 129 characters"},
        {"Name",
         "testThingC\\=US",
         "/Resources/t/Properties/ThingName expected a thing name of 1-128 characters "
         "[a-zA-Z0-9:_-], found \"testThingC\\=US\""},
        {"Type",
         "ä",
         "/Resources/t/Properties/ThingTypeName expected a thing type name of 1-128 characters "
         "[a-zA-Z0-9:_-], found \"ä\""},
        {"Group",
         "a,",
         "/Resources/t/Properties/ThingGroups expected a thing group name of 1-128 characters "
         "[a-zA-Z0-9:_-], found \"\""},
        {"Group",
         "1,2,3,4,5,6,7,8,9,10,11",
         "/Resources/t/Properties/ThingGroups expected at most 10 thing groups, found 11"},
        {"Billing",
         "x/y",
         "/Resources/t/Properties/BillingGroup expected a billing group name of 1-128 characters "
         "[a-zA-Z0-9:_-], found \"x/y\""},
        {"Policy",
         "x y",
         "/Resources/p/Properties/PolicyName expected a policy name of 1-128 characters "
         "[a-zA-Z0-9_+=,.@-], found \"x y\""},
        {"Document",
         "[]",
         "/Resources/p/Properties/PolicyDocument expected a policy document, a JSON object, found "
         "other text"},
        {"Document",
         "{",
         "/Resources/p/Properties/PolicyDocument expected a policy document, a JSON object, found "
         "other text"},
        {"Csr",
         std::string(4097, 'x'),
         "/Resources/c/Properties/CertificateSigningRequest expected a certificate signing request "
         "in PEM of 1-4096 characters, found 4097 characters"},
        {"Principal",
         "SHARED",
         "/Resources/c/Properties/ThingPrincipalType expected EXCLUSIVE_THING or "
         "NON_EXCLUSIVE_THING, found \"SHARED\""},
    };
    for (const Case& c : cases) {
        Parameters parameters = {{"Csr", "x"}};
        parameters[c.parameter] = c.value;
        EXPECT_EQ(error_of(value, parameters), c.error);
    }
}

TEST(Resolve, RefusesACertificateIdThatIsNone) {
    const Template value = compiled(good_template("claim_no_policy"), Kind::Claim);
    EXPECT_EQ(error_of(value, {{"AWS::IoT::Certificate::Id", "abc"}}),
              "/Resources/only/Properties/CertificateId expected a certificate id of 64 characters "
              "[0-9a-fA-F], found \"abc\"");
    EXPECT_EQ(error_of(value, {}),
              "/Resources/only/Properties/CertificateId Cannot resolve reference value: "
              "AWS::IoT::Certificate::Id");
}

TEST(Resolve, ADocumentAsStringAndAsObjectIsTheSamePolicy) {
    const std::string document =
        R"({ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Action": "*" } ] })";
    std::string escaped;
    for (const char c : document)
        escaped += c == '"' ? std::string("\\\"") : std::string(1, c);
    const auto stored = [](const std::string& value) {
        const Template result =
            compiled(R"({"Resources": {"p": {"Type": "AWS::IoT::Policy", "Properties":
            {"PolicyDocument": )" +
                         value + "}}}}",
                     Kind::Claim);
        return *resolve(result, {})->policies.at(0).policy_document;
    };
    EXPECT_EQ(stored(document),
              R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*"}]})");
    EXPECT_EQ(stored('"' + escaped + '"'), stored(document));
}

TEST(Resolve, BoundsWhatATemplateCanProduce) {
    std::string pattern;
    for (int i = 0; i < 1500; ++i)
        pattern += "${x}";
    const Template value = compiled(R"({"Parameters": {"P": {"Type": "String"}}, "Resources": {
        "t": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Fn::Select": [0,
        {"Fn::Split": ["-", {"Fn::Sub": [")" +
                                        pattern + R"(", {"x": {"Ref": "P"}}]}]}]}}}}})",
                                    Kind::Bulk);
    EXPECT_TRUE(resolve(value, {{"P", "a-"}}));
    EXPECT_EQ(error_of(value, {{"P", std::string(4096, 'a')}}),
              "/Resources/t/Properties/ThingName/Fn::Select/1/Fn::Split/1 expected values of at "
              "most 262144 bytes in all, found more");

    std::string entries = "\"\"";
    for (int i = 0; i < 1000; ++i)
        entries += ",\"\"";
    const Compiled folded = compile(R"({"Resources": {"t": {"Type": "AWS::IoT::Thing",
        "Properties": {"ThingName": {"Fn::Join": [")" +
                                        std::string(5000, 'x') + "\", [" + entries + "]]}}}}}",
                                    Kind::Bulk);
    ASSERT_FALSE(folded.value);
    EXPECT_EQ(folded.diagnostics.back().code, "T209");
}

struct OverrideCase {
    const char* type;
    const char* key;
    const char* prose;
    bool merges;
};

// Every key of OverrideSettings in both spellings, with every value.
TEST(Resolve, OverridesReachTheirRecord) {
    const std::vector<OverrideCase> cases = {
        {"Thing", "AttributePayload", "ATTRIBUTE_PAYLOAD", true},
        {"Thing", "ThingTypeName", "THING_TYPE_NAME", false},
        {"Thing", "ThingGroups", "THING_GROUPS", true},
        {"Certificate", "Status", "STATUS", false},
    };
    const std::vector<std::pair<const char*, Override>> values = {
        {"DO_NOTHING", Override::DoNothing},
        {"REPLACE", Override::Replace},
        {"FAIL", Override::Fail},
        {"MERGE", Override::Merge},
    };
    for (const OverrideCase& c : cases) {
        const bool is_thing = std::string(c.type) == "Thing";
        for (const auto& [word, expected] : values) {
            for (const char* key : {c.key, c.prose}) {
                const std::string text =
                    R"({"Resources": {"r": {"Type": "AWS::IoT::)" + std::string(c.type) +
                    (is_thing ? R"(", "Properties": {"ThingName": "n"})"
                              : R"(", "Properties": {"CertificateId":
                                  {"Ref": "AWS::IoT::Certificate::Id"}})") +
                    R"(, "OverrideSettings": {")" + key + R"(": ")" + word + "\"}}}}";
                const Compiled result = compile(text, Kind::Claim);
                const bool is_legal = c.merges || expected != Override::Merge;
                ASSERT_EQ(result.value.has_value(), is_legal) << text;
                if (!is_legal) continue;
                const auto plan = resolve(*result.value, {{"AWS::IoT::Certificate::Id", kId}});
                ASSERT_TRUE(plan) << to_string(plan.error());
                const std::string name = c.key;
                const Override found = name == "AttributePayload" ? plan->thing->on_attributes
                                       : name == "ThingTypeName"  ? plan->thing->on_thing_type
                                       : name == "ThingGroups"    ? plan->thing->on_thing_groups
                                                                  : plan->certificate->on_status;
                EXPECT_EQ(found, expected) << text;
            }
        }
    }
}

// Several policies, in the order of their logical names: the order of the text means nothing.
TEST(Resolve, PoliciesComeInTheOrderOfTheirNames) {
    const Template value = compiled(R"({"Resources": {
        "b": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "second"}},
        "c": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": {}}},
        "a": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "first"}}}})",
                                    Kind::Claim);
    const auto plan = resolve(value, {});
    ASSERT_TRUE(plan);
    ASSERT_EQ(plan->policies.size(), 3U);
    EXPECT_EQ(plan->policies[0].policy_name, "first");
    EXPECT_EQ(plan->policies[1].policy_name, "second");
    EXPECT_EQ(plan->policies[2].policy_document, "{}");
}

}  // namespace
}  // namespace hatchery::templates
