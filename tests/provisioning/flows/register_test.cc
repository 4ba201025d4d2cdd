// What a plan makes of things, groups, policies and certificates that exist already; RegisterThing
// over HTTP.
#include "provisioning/flows/register.h"

#include "tests/provisioning/flows/fleet.h"

#include <gmock/gmock.h>

namespace hatchery::flows::testing {
namespace {

using templates::Override;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

const std::string kArn = "arn:aws:iot:us-east-1:123456789012:";
const std::string kDocument =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";

/// A thing "t" with type A, attribute a=1, groups g1, billing group b1.
struct Existing : Fleet {
    Existing() {
        const auto& account = service.settings.account;
        must(write([&](store::Tx& tx) -> Result<> {
            for (const char* name : {"A", "B"}) {
                registry::ThingType type;
                type.name = name;
                if (auto made = registry::create_thing_type(tx, account, type, kNow); !made) {
                    return std::move(made).error();
                }
            }
            for (const char* name : {"g1", "g2"}) {
                registry::ThingGroup group;
                group.name = name;
                if (auto made = registry::create_thing_group(tx, account, group, kNow); !made) {
                    return std::move(made).error();
                }
            }
            for (const char* name : {"b1", "b2"}) {
                registry::BillingGroup group;
                group.name = name;
                if (auto made = registry::create_billing_group(tx, account, group, kNow); !made) {
                    return std::move(made).error();
                }
            }
            auto thing = registry::create_thing(tx, account, {"t", "A", {{"a", "1"}}, "b1"}, kNow);
            if (!thing) return std::move(thing).error();
            return registry::add_thing_to_group(tx, "t", "g1");
        }));
    }
    Result<> apply_plan(const templates::Plan& plan, const CertificateId& id = {}) {
        return write(
            [&](store::Tx& tx) { return apply(tx, service.settings.account, plan, id, kNow); });
    }
    registry::Thing thing() {
        return must(read([](store::Reader& reader) { return registry::find_thing(reader, "t"); }));
    }
    std::vector<std::string> groups() {
        return must(
            read([](store::Reader& reader) { return registry::groups_of_thing(reader, "t"); }));
    }
};

templates::Plan plan_for_t() {
    templates::Plan plan;
    plan.thing = templates::ThingRecord{};
    plan.thing->logical_name = "thing";
    plan.thing->thing_name = "t";
    return plan;
}
std::string text_of(const Result<>& applied) {
    return applied ? "done" : to_string(applied.error());
}

struct AttributesCase {
    const char* name;
    Override override_setting;
    registry::Attributes wanted;
    const char* result;
    registry::Attributes after;
};

TEST(Apply, TreatsAttributesOfAnExistingThing) {
    const std::string at = "/Resources/thing/Properties/AttributePayload: ";
    const std::string other =
        at + "thing t has another value for the attribute a and the template names no override";
    const std::string exists = at + "thing t exists already";
    const AttributesCase cases[] = {
        {"unset, equal", Override::Unset, {{"a", "1"}}, "done", {{"a", "1"}}},
        {"unset, absent", Override::Unset, {{"b", "2"}}, "done", {{"a", "1"}, {"b", "2"}}},
        {"unset, different", Override::Unset, {{"a", "2"}}, other.c_str(), {{"a", "1"}}},
        {"unset, empty", Override::Unset, {}, "done", {{"a", "1"}}},
        {"leave", Override::DoNothing, {{"a", "2"}}, "done", {{"a", "1"}}},
        {"replace", Override::Replace, {{"b", "2"}}, "done", {{"b", "2"}}},
        {"replace by nothing", Override::Replace, {}, "done", {}},
        {"merge", Override::Merge, {{"b", "2"}}, "done", {{"a", "1"}, {"b", "2"}}},
        {"merge, different", Override::Merge, {{"a", "2"}}, "done", {{"a", "2"}}},
        {"fail", Override::Fail, {{"a", "1"}}, exists.c_str(), {{"a", "1"}}},
    };
    for (const auto& test : cases) {
        SCOPED_TRACE(test.name);
        Existing fleet;
        auto plan = plan_for_t();
        plan.thing->has_attributes = true;
        plan.thing->attributes = test.wanted;
        plan.thing->on_attributes = test.override_setting;
        EXPECT_EQ(text_of(fleet.apply_plan(plan)), test.result);
        EXPECT_EQ(fleet.thing().attributes, test.after);
    }
}

struct TypeCase {
    const char* name;
    Override override_setting;
    const char* wanted;
    const char* result;
    const char* after;
};

TEST(Apply, TreatsTheTypeOfAnExistingThing) {
    const TypeCase cases[] = {
        {"unset, equal", Override::Unset, "A", "done", "A"},
        {"unset, different",
         Override::Unset,
         "B",
         "/Resources/thing/Properties/ThingTypeName: thing t has the thing type A, not B, and the "
         "template names no override",
         "A"},
        {"leave", Override::DoNothing, "B", "done", "A"},
        {"replace", Override::Replace, "B", "done", "B"},
        {"replace by one that is missing",
         Override::Replace,
         "C",
         "/Resources/thing/Properties/ThingTypeName: thing type C does not exist",
         "A"},
        {"fail",
         Override::Fail,
         "A",
         "/Resources/thing/Properties/ThingTypeName: thing t exists already",
         "A"},
    };
    for (const auto& test : cases) {
        SCOPED_TRACE(test.name);
        Existing fleet;
        auto plan = plan_for_t();
        plan.thing->thing_type = test.wanted;
        plan.thing->on_thing_type = test.override_setting;
        EXPECT_EQ(text_of(fleet.apply_plan(plan)), test.result);
        EXPECT_EQ(fleet.thing().thing_type, test.after);
    }
}

struct GroupsCase {
    const char* name;
    Override override_setting;
    std::vector<std::string> wanted;
    const char* result;
    std::vector<std::string> after;
};

TEST(Apply, TreatsTheGroupsOfAnExistingThing) {
    const std::string at = "/Resources/thing/Properties/ThingGroups: ";
    const std::string other =
        at + "thing t is in other thing groups and the template names no override";
    const std::string missing = at + "thing group g3 does not exist";
    const std::string exists = at + "thing t exists already";
    const GroupsCase cases[] = {
        {"unset, equal", Override::Unset, {"g1"}, "done", {"g1"}},
        {"unset, empty", Override::Unset, {}, "done", {"g1"}},
        {"unset, different", Override::Unset, {"g2"}, other.c_str(), {"g1"}},
        {"leave", Override::DoNothing, {"g2"}, "done", {"g1"}},
        {"replace", Override::Replace, {"g2"}, "done", {"g2"}},
        {"replace by one that is missing", Override::Replace, {"g3"}, missing.c_str(), {"g1"}},
        {"merge", Override::Merge, {"g2"}, "done", {"g1", "g2"}},
        {"fail", Override::Fail, {"g1"}, exists.c_str(), {"g1"}},
    };
    for (const auto& test : cases) {
        SCOPED_TRACE(test.name);
        Existing fleet;
        auto plan = plan_for_t();
        plan.thing->has_thing_groups = true;
        plan.thing->thing_groups = test.wanted;
        plan.thing->on_thing_groups = test.override_setting;
        EXPECT_EQ(text_of(fleet.apply_plan(plan)), test.result);
        EXPECT_EQ(fleet.groups(), test.after);
    }
}

TEST(Apply, KeepsTheBillingGroupOfAnExistingThing) {
    Existing fleet;
    auto plan = plan_for_t();
    plan.thing->billing_group = "b1";
    EXPECT_EQ(text_of(fleet.apply_plan(plan)), "done");
    plan.thing->billing_group = "b2";
    EXPECT_EQ(
        text_of(fleet.apply_plan(plan)),
        "/Resources/thing/Properties/BillingGroup: thing t is in the billing group b1, not b2");
}

TEST(Apply, LeavesAnEqualThingUntouched) {
    Existing fleet;
    auto plan = plan_for_t();
    plan.thing->has_attributes = true;
    plan.thing->attributes = {{"a", "1"}};
    plan.thing->thing_type = "A";
    plan.thing->on_attributes = Override::Replace;
    plan.thing->on_thing_type = Override::Replace;
    const auto version = fleet.thing().version;
    EXPECT_EQ(text_of(fleet.apply_plan(plan)), "done");
    EXPECT_EQ(fleet.thing().version, version);
}

templates::PolicyRecord policy_record(std::optional<std::string> name,
                                      std::optional<std::string> document) {
    return {"my/policy", std::move(name), std::move(document)};
}

TEST(Apply, MakesOrFindsPolicies) {
    Existing fleet;
    const auto apply_policy = [&](std::optional<std::string> name,
                                  std::optional<std::string> document) {
        templates::Plan plan;
        plan.policies = {policy_record(std::move(name), std::move(document))};
        auto applied = fleet.apply_plan(plan);
        return applied ? arns_of(fleet.service.settings.account, plan, {})["my/policy"]
                       : to_string(applied.error());
    };
    // The name is `printf %s DOCUMENT | sha1sum`, in upper case.
    const std::string hashed = kArn + "policy/028AA4AAFA5DA4180F172AEE7CC55AACA7EA1CD5";
    EXPECT_EQ(apply_policy({}, kDocument), hashed);
    EXPECT_EQ(apply_policy({}, kDocument), hashed);
    EXPECT_EQ(apply_policy("p", {}),
              "/Resources/my~1policy/Properties/PolicyName: policy p does not exist");
    EXPECT_EQ(apply_policy("p", kDocument), kArn + "policy/p");
    EXPECT_EQ(apply_policy("p", {}), kArn + "policy/p");
    EXPECT_EQ(apply_policy("p", kDocument), kArn + "policy/p");
    EXPECT_EQ(apply_policy("p", R"({"Statement":[]})"),
              "/Resources/my~1policy/Properties/PolicyDocument: policy p exists with another "
              "document");
}

struct StatusCase {
    const char* name;
    registry::CertificateStatus before;
    Override override_setting;
    bool active;
    const char* result;
    const char* after;
};

TEST(Apply, TreatsTheStatusOfACertificate) {
    using registry::CertificateStatus;
    const StatusCase cases[] = {
        {"new", CertificateStatus::PendingActivation, Override::Unset, true, "done", "ACTIVE"},
        {"new, fail", CertificateStatus::PendingActivation, Override::Fail, true, "done", "ACTIVE"},
        {"new, inactive",
         CertificateStatus::PendingActivation,
         Override::Unset,
         false,
         "done",
         "INACTIVE"},
        {"equal", CertificateStatus::Active, Override::Unset, true, "done", "ACTIVE"},
        {"different",
         CertificateStatus::Inactive,
         Override::Unset,
         true,
         "INACTIVE, not ACTIVE",
         "INACTIVE"},
        {"leave", CertificateStatus::Inactive, Override::DoNothing, true, "done", "INACTIVE"},
        {"replace", CertificateStatus::Inactive, Override::Replace, true, "done", "ACTIVE"},
        {"fail", CertificateStatus::Active, Override::Fail, true, "exists already", "ACTIVE"},
        {"revoked", CertificateStatus::Revoked, Override::Replace, true, "REVOKED", "REVOKED"},
    };
    Factory factory;
    for (const auto& test : cases) {
        SCOPED_TRACE(test.name);
        Fleet fleet;
        const auto certificate = factory.device(tutorial_subject());
        must(fleet.write([&](store::Tx& tx) {
            return registry::add_certificate(tx,
                                             fleet.service.settings.account,
                                             certificate,
                                             test.before,
                                             std::nullopt,
                                             registry::CertificateMode::Default,
                                             kNow);
        }));
        templates::Plan plan;
        plan.certificate = templates::CertificateRecord{};
        plan.certificate->logical_name = "c";
        plan.certificate->active = test.active;
        plan.certificate->on_status = test.override_setting;
        const auto applied = fleet.write([&](store::Tx& tx) {
            return apply(tx, fleet.service.settings.account, plan, certificate.id(), kNow);
        });
        EXPECT_THAT(text_of(applied), HasSubstr(test.result));
        EXPECT_EQ(fleet.status(certificate.id()), test.after);
    }
}

/// A template with the certificate properties given as JSON text.
std::string bulk_template(const std::string& certificate_properties) {
    return R"({"Parameters": {"Name": {"Type": "String"}, "Text": {"Type": "String"},
                              "Ca": {"Type": "String", "Default": "none"}},
      "Resources": {
        "t": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}},
        "c": {"Type": "AWS::IoT::Certificate", "Properties": {)" +
           certificate_properties + R"(}},
        "p": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": )" +
           kDocument + "}}}}";
}

TEST(RegisterThingHttp, RegistersACertificateOfARegisteredCa) {
    Fleet fleet;
    Factory factory;
    fleet.register_ca(factory.root(), "");
    const auto device = factory.device(tutorial_subject());
    const auto made =
        must(register_thing_http(fleet.service,
                                 bulk_template(R"("CertificatePem": {"Ref": "Text"})"),
                                 {{"Name", "n1"}, {"Text", device.pem()}},
                                 kNow));
    EXPECT_EQ(made.certificate_pem, device.pem());
    EXPECT_THAT(made.resource_arns,
                UnorderedElementsAre(Pair("t", kArn + "thing/n1"),
                                     Pair("c", kArn + "cert/" + device.id().hex()),
                                     Pair("p", HasSubstr("policy/"))));
    EXPECT_EQ(fleet.status(device.id()), "ACTIVE");
    const auto outcome = admit(fleet.service, connect_with(device, "n1"), kNow);
    ASSERT_EQ(refusal(outcome), "admitted");
    EXPECT_EQ(outcome.admission->thing, "n1");
}

TEST(RegisterThingHttp, NeedsTheCaWhenSeveralHaveTheSubject) {
    Fleet fleet;
    Factory first("Twin CA");
    Factory second("Twin CA");
    fleet.register_ca(first.root(), "");
    fleet.register_ca(second.root(), "");
    const auto device = second.device(tutorial_subject());
    const auto unclear = register_thing_http(fleet.service,
                                             bulk_template(R"("CertificatePem": {"Ref": "Text"})"),
                                             {{"Name", "n1"}, {"Text", device.pem()}},
                                             kNow);
    ASSERT_FALSE(unclear);
    EXPECT_EQ(unclear.error().code, Code::CertificateConflict);
    EXPECT_EQ(unclear.error().where, "/Resources/c/Properties/CertificatePem");

    const auto body =
        bulk_template(R"("CertificatePem": {"Ref": "Text"}, "CACertificatePem": {"Ref": "Ca"})");
    const auto wrong =
        register_thing_http(fleet.service,
                            body,
                            {{"Name", "n1"}, {"Text", device.pem()}, {"Ca", first.root().pem()}},
                            kNow);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(to_string(wrong.error()),
              "/Resources/c/Properties/CACertificatePem: CACertificatePem is not a registered CA "
              "that signed the certificate");
    EXPECT_TRUE(
        register_thing_http(fleet.service,
                            body,
                            {{"Name", "n1"}, {"Text", device.pem()}, {"Ca", second.root().pem()}},
                            kNow));
}

TEST(RegisterThingHttp, RefusesACertificateOfNobody) {
    Fleet fleet;
    Factory stranger;
    const auto device = stranger.device(tutorial_subject());
    const auto refused = register_thing_http(fleet.service,
                                             bulk_template(R"("CertificatePem": {"Ref": "Text"})"),
                                             {{"Name", "n1"}, {"Text", device.pem()}},
                                             kNow);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::CertificateInvalid);
    EXPECT_EQ(refused.error().message, "no registered CA has the subject CN=IoT Devices Root CA");
    EXPECT_EQ(fleet.status(device.id()), "unknown");
    EXPECT_EQ(fleet.thing_count(), 0U);
}

TEST(RegisterThingHttp, IssuesForARequest) {
    Fleet fleet;
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto made =
        must(register_thing_http(fleet.service,
                                 bulk_template(R"("CertificateSigningRequest": {"Ref": "Text"})"),
                                 {{"Name", "n1"}, {"Text", must(ca::make_csr(key, {}))}},
                                 kNow));
    const auto certificate = must(ca::Certificate::from_pem(made.certificate_pem));
    EXPECT_EQ(certificate.fields().public_key_der, key.public_key_der());
    EXPECT_EQ(fleet.status(certificate.id()), "ACTIVE");
}

TEST(RegisterThingHttp, KeepsTheSignedCertificateInTheLedgerWhenTheRegistrationFails) {
    Fleet fleet;
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const std::string body = R"({"Parameters": {"Text": {"Type": "String"}}, "Resources": {
        "c": {"Type": "AWS::IoT::Certificate", "Properties": {
          "CertificateSigningRequest": {"Ref": "Text"}}},
        "p": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "missing"}}}})";
    const auto refused =
        register_thing_http(fleet.service, body, {{"Text", must(ca::make_csr(key, {}))}}, kNow);
    ASSERT_FALSE(refused);
    EXPECT_EQ(to_string(refused.error()),
              "/Resources/p/Properties/PolicyName: policy missing does not exist");
    const auto rows = must(
        fleet.read([](store::Reader& reader) { return registry::ledger_rows(reader, 0, 10); }));
    ASSERT_EQ(rows.size(), 1U);
    ASSERT_TRUE(rows[0].certificate);
    EXPECT_EQ(fleet.status(*rows[0].certificate), "unknown");
}

TEST(RegisterThingHttp, AttachesAKnownCertificateById) {
    Fleet fleet;
    Factory factory;
    const auto device = factory.device(tutorial_subject());
    const auto id = fleet.add_active(device, "");
    const auto body = bulk_template(R"("CertificateId": {"Ref": "Text"})");
    const auto made =
        must(register_thing_http(fleet.service, body, {{"Name", "n1"}, {"Text", id.hex()}}, kNow));
    EXPECT_EQ(made.certificate_pem, device.pem());
    const auto unknown = register_thing_http(
        fleet.service, body, {{"Name", "n2"}, {"Text", std::string(64, '0')}}, kNow);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, Code::NotFound);
    EXPECT_EQ(unknown.error().where, "/Resources/c/Properties/CertificateId");
}

TEST(RegisterThingHttp, RefusesATemplateThatDoesNotCompileOrResolve) {
    Fleet fleet;
    const auto not_json = register_thing_http(fleet.service, "{", {}, kNow);
    ASSERT_FALSE(not_json);
    EXPECT_EQ(not_json.error().code, Code::InvalidRequest);
    EXPECT_THAT(not_json.error().message, HasSubstr("Invalid registration template. "));
    const auto unresolved = register_thing_http(
        fleet.service, bulk_template(R"("CertificateId": {"Ref": "Text"})"), {}, kNow);
    ASSERT_FALSE(unresolved);
    EXPECT_THAT(unresolved.error().message, HasSubstr("Cannot resolve reference value: "));
}

}  // namespace
}  // namespace hatchery::flows::testing
