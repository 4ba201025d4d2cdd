// Known certificates: status, policies and what their variables stand for.
#include "tests/provisioning/flows/fleet.h"

#include <gmock/gmock.h>

namespace hatchery::flows::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kArn = "arn:aws:iot:us-east-1:123456789012:";

std::string allow(const std::string& action, const std::string& resource) {
    return R"({"Effect":"Allow","Action":")" + action + R"(","Resource":")" + kArn + resource +
           R"("})";
}
std::string document(const std::string& statements) {
    return R"({"Version":"2012-10-17","Statement":[)" + statements + "]}";
}

void add_thing(Fleet& fleet, const registry::NewThing& thing) {
    must(fleet.write([&](store::Tx& tx) {
        return registry::create_thing(tx, fleet.service.settings.account, thing, kNow);
    }));
}
void attach(Fleet& fleet, const std::string& thing, const CertificateId& id, bool exclusive) {
    must(fleet.write(
        [&](store::Tx& tx) { return registry::attach_thing_principal(tx, thing, id, exclusive); }));
}
void set_status(Fleet& fleet, const CertificateId& id, registry::CertificateStatus status) {
    must(fleet.write(
        [&](store::Tx& tx) { return registry::set_certificate_status(tx, id, status, kNow); }));
}
std::string why(Fleet& fleet, const ConnectRequest& request) {
    return refusal(admit(fleet.service, request, kNow));
}

TEST(Admit, NamesTheStatusThatKeepsADeviceOut) {
    Fleet fleet;
    Factory factory;
    fleet.add_policy("all", document(R"({"Effect":"Allow","Action":"iot:*","Resource":"*"})"));
    const auto device = factory.device(tutorial_subject());
    const auto id = fleet.add_active(device, "all");
    const auto request = connect_with(device, "d");
    EXPECT_EQ(why(fleet, request), "admitted");
    set_status(fleet, id, registry::CertificateStatus::Inactive);
    EXPECT_EQ(why(fleet, request), "certificate is INACTIVE");
    set_status(fleet, id, registry::CertificateStatus::Active);
    EXPECT_EQ(why(fleet, request), "admitted");
    set_status(fleet, id, registry::CertificateStatus::Revoked);
    EXPECT_EQ(why(fleet, request), "certificate is REVOKED");
}

TEST(Admit, SaysWhichPolicyDenies) {
    Fleet fleet;
    Factory factory;
    const auto device = factory.device(tutorial_subject());
    const auto id = fleet.add_active(device, "");
    const auto request = connect_with(device, "d1");
    EXPECT_EQ(
        why(fleet, request),
        "iot:Connect on " + kArn + "client/d1 is denied: IMPLICIT_DENY, no policy is attached");

    fleet.add_policy("other", document(allow("iot:Connect", "client/d2")));
    fleet.add_policy("deny",
                     document(R"({"Sid":"NotHere","Effect":"Deny","Action":"iot:Connect",)"
                              R"("Resource":"*"})"));
    const auto attach_policy = [&](const std::string& name) {
        must(fleet.write(
            [&](store::Tx& tx) { return registry::attach_policy_to_certificate(tx, name, id); }));
    };
    attach_policy("other");
    EXPECT_EQ(why(fleet, request),
              "iot:Connect on " + kArn +
                  "client/d1 is denied: IMPLICIT_DENY, no statement of the attached policies "
                  "allows it: other");
    attach_policy("deny");
    EXPECT_EQ(why(fleet, request),
              "iot:Connect on " + kArn +
                  "client/d1 is denied: EXPLICIT_DENY by /Statement/0 of policy deny (NotHere)");
}

TEST(Admit, ChecksTheWillLikeAPublish) {
    Fleet fleet;
    Factory factory;
    fleet.add_policy(
        "p",
        document(allow("iot:Connect", "client/d") + "," + allow("iot:Publish", "topic/last/*") +
                 "," + allow("iot:RetainPublish", "topic/last/kept")));
    const auto device = factory.device(tutorial_subject());
    fleet.add_active(device, "p");
    auto request = connect_with(device, "d");
    request.will_topic = "first/words";
    EXPECT_THAT(why(fleet, request), HasSubstr("iot:Publish on " + kArn + "topic/first/words"));
    request.will_topic = "last/words";
    EXPECT_EQ(why(fleet, request), "admitted");
    request.will_retained = true;
    EXPECT_THAT(why(fleet, request), HasSubstr("iot:RetainPublish on " + kArn));
    request.will_topic = "last/kept";
    EXPECT_EQ(why(fleet, request), "admitted");
}

TEST(Admit, ShowsTheConnectPacketToConditionsOfTheConnectOnly) {
    Fleet fleet;
    Factory factory;
    fleet.add_policy("p", document(R"({"Effect":"Allow","Action":"iot:*","Resource":"*"},
                    {"Effect":"Deny","Action":"iot:Connect","Resource":"*","Condition":
                     {"ForAnyValue:StringEquals":{"iot:ConnectAttributes":["PersistentConnect"]}}},
                    {"Effect":"Deny","Action":"iot:Connect","Resource":"*","Condition":
                     {"StringEquals":{"iot:LastWillTopic":"bad"}}})"));
    const auto device = factory.device(tutorial_subject());
    fleet.add_active(device, "p");
    auto request = connect_with(device, "d");
    EXPECT_EQ(why(fleet, request), "admitted");
    request.persistent = true;
    EXPECT_THAT(why(fleet, request), HasSubstr("EXPLICIT_DENY by /Statement/1"));
    request.persistent = false;
    request.will_topic = "bad";
    EXPECT_THAT(why(fleet, request), HasSubstr("EXPLICIT_DENY by /Statement/2"));
    request.will_topic = "good";
    const auto outcome = admit(fleet.service, request, kNow);
    ASSERT_EQ(refusal(outcome), "admitted");
    EXPECT_EQ(outcome.admission->context.values.count("iot:LastWillTopic"), 0U);
    EXPECT_EQ(outcome.admission->context.values.count("iot:ConnectAttributes"), 0U);
}

struct ThingCase {
    const char* name;
    const char* client_id;
    bool attached;
    bool exclusive;
    bool admitted_by_thing_name;     ///< client/${iot:Connection.Thing.ThingName}
    bool admitted_when_is_attached;  ///< Bool IsAttached true
    const char* thing;
};

TEST(Admit, ResolvesThingVariablesForTheDevicesOwnThingOnly) {
    const ThingCase cases[] = {
        {"attached, same name", "t1", true, false, true, true, "t1"},
        {"not attached, same name", "t1", false, false, false, false, ""},
        {"attached, other name", "other", true, false, false, false, ""},
        // The variable is t1, which client/other is not.
        {"exclusive, other name", "other", true, true, false, true, "t1"},
        {"exclusive, same name", "t1", true, true, true, true, "t1"},
    };
    for (const auto& test : cases) {
        SCOPED_TRACE(test.name);
        Fleet fleet;
        Factory factory;
        fleet.add_policy(
            "by-name", document(allow("iot:Connect", "client/${iot:Connection.Thing.ThingName}")));
        fleet.add_policy("by-attachment",
                         document(R"({"Effect":"Allow","Action":"iot:Connect","Resource":"*",
                                      "Condition":{"Bool":{"iot:Connection.Thing.IsAttached":)"
                                  R"(["true"]}}})"));
        add_thing(fleet, {"t1", {}, {}, {}});
        const auto first = factory.device(tutorial_subject());
        const auto second = factory.device(tutorial_subject());
        const auto one = fleet.add_active(first, "by-name");
        const auto two = fleet.add_active(second, "by-attachment");
        const auto outcome = [&](const ca::Certificate& device, const CertificateId& id) {
            if (test.attached) attach(fleet, "t1", id, test.exclusive);
            auto admitted = admit(fleet.service, connect_with(device, test.client_id), kNow);
            if (test.attached) {
                must(fleet.write(
                    [&](store::Tx& tx) { return registry::detach_thing_principal(tx, "t1", id); }));
            }
            return admitted;
        };
        EXPECT_EQ(outcome(first, one).admission.has_value(), test.admitted_by_thing_name);
        const auto by_attachment = outcome(second, two);
        EXPECT_EQ(by_attachment.admission.has_value(), test.admitted_when_is_attached);
        if (by_attachment.admission) {
            EXPECT_EQ(by_attachment.admission->thing, test.thing);
        }
    }
}

TEST(Admit, CountsTheThingGroupsPoliciesOnlyUnderTheThingsName) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.add_policy("for-all", document(allow("iot:Connect", "client/*")));
    add_thing(fleet, {"t1", {}, {}, {}});
    must(fleet.write([&](store::Tx& tx) -> Result<> {
        if (auto added = registry::add_thing_to_group(tx, "t1", "Dev"); !added) return added;
        return registry::attach_policy_to_group(tx, "for-all", "AnyCompany");  // the parent
    }));
    const auto device = factory.device(tutorial_subject());
    const auto id = fleet.add_active(device, "");
    EXPECT_THAT(why(fleet, connect_with(device, "t1")), HasSubstr("no policy is attached"));
    attach(fleet, "t1", id, false);
    EXPECT_EQ(why(fleet, connect_with(device, "t1")), "admitted");
    EXPECT_THAT(why(fleet, connect_with(device, "t2")), HasSubstr("no policy is attached"));
}

TEST(Admit, FillsTheVariablesOfThingAndCertificate) {
    Fleet fleet;
    Factory factory("Root, Inc");
    fleet.set_up_tutorial();
    fleet.add_policy("all", document(R"({"Effect":"Allow","Action":"iot:*","Resource":"*"})"));
    add_thing(fleet, {"t1", "AnyType", {{"Owner", "alice"}}, {}});
    const auto device = factory.device({{"2.5.4.3", "cn"},
                                        {"2.5.4.11", "first"},
                                        {"2.5.4.11", "second"},
                                        {"2.5.4.8", "CO"},
                                        {"2.5.4.5", "SN"}});
    const auto id = fleet.add_active(device, "all");
    attach(fleet, "t1", id, false);

    const auto outcome = admit(fleet.service, connect_with(device, "t1"), kNow);

    ASSERT_EQ(refusal(outcome), "admitted");
    auto values = outcome.admission->context.values;
    EXPECT_THAT(values["iot:ClientId"], ElementsAre("t1"));
    EXPECT_THAT(values["aws:SourceIp"], ElementsAre("192.0.2.7"));
    EXPECT_THAT(values["iot:Connection.Thing.ThingName"], ElementsAre("t1"));
    EXPECT_THAT(values["iot:Connection.Thing.ThingTypeName"], ElementsAre("AnyType"));
    EXPECT_THAT(values["iot:Connection.Thing.Attributes[Owner]"], ElementsAre("alice"));
    EXPECT_THAT(values["iot:Connection.Thing.IsAttached"], ElementsAre("true"));
    EXPECT_THAT(values["iot:Certificate.Subject.CommonName"], ElementsAre("cn"));
    EXPECT_THAT(values["iot:Certificate.Subject.OrganizationalUnit"],
                ElementsAre("first", "second"));
    EXPECT_THAT(values["iot:Certificate.Subject.State"], ElementsAre("CO"));
    EXPECT_THAT(values["iot:Certificate.Subject.SerialNumber"], ElementsAre("SN"));
    EXPECT_THAT(values["iot:Certificate.SerialNumber"], ElementsAre(device.serial_decimal()));
    EXPECT_THAT(values["iot:Certificate.Issuer.CommonName"], ElementsAre("Root, Inc"));
    EXPECT_THAT(values["iot:Certificate.AvailableKeys"],
                ElementsAre("iot:Certificate.Issuer.CommonName",
                            "iot:Certificate.SerialNumber",
                            "iot:Certificate.Subject.CommonName",
                            "iot:Certificate.Subject.OrganizationalUnit",
                            "iot:Certificate.Subject.SerialNumber",
                            "iot:Certificate.Subject.State"));
}

struct SubjectCase {
    const char* common_name;
    const char* resource;  ///< as JSON text
    bool admitted;
};

TEST(Admit, TreatsValuesOfTheCertificateAsAwsDoes) {
    const SubjectCase cases[] = {
        {"plain", "client/plain-${iot:Certificate.Subject.CommonName}", true},
        // Not substituted, so that a certificate cannot smuggle a wildcard in.
        {"a*b", "client/plain-${iot:Certificate.Subject.CommonName}", false},
        {"plain", "client/plain-${iot:Certificate.Subject.CommonName.1}", false},
        {"plain", "client/plain-${iot:Certificate.Subject.Title}", false},
    };
    for (const auto& test : cases) {
        SCOPED_TRACE(test.resource);
        Fleet fleet;
        Factory factory;
        fleet.add_policy("p", document(allow("iot:Connect", test.resource)));
        const auto device = factory.device({{"2.5.4.3", test.common_name}});
        fleet.add_active(device, "p");
        const auto request = connect_with(device, std::string("plain-") + test.common_name);
        EXPECT_EQ(admit(fleet.service, request, kNow).admission.has_value(), test.admitted);
    }
}

TEST(Admit, MatchesAnEscapedCommaInACertificatesValue) {
    Fleet fleet;
    Factory factory;
    fleet.add_policy("p", document(R"({"Effect":"Allow","Action":"iot:Connect","Resource":"*",
        "Condition":{"StringEquals":{"iot:Certificate.Subject.Organization":"Any\\, Inc"}}})"));
    const auto device = factory.device({{"2.5.4.3", "d"}, {"2.5.4.10", "Any, Inc"}});
    fleet.add_active(device, "p");
    EXPECT_EQ(why(fleet, connect_with(device, "d")), "admitted");
}

TEST(Refresh, SeesNewPoliciesAndEndsWithTheStatus) {
    Fleet fleet;
    Factory factory;
    fleet.add_policy("connect", document(allow("iot:Connect", "client/d")));
    fleet.add_policy("publish", document(allow("iot:Publish", "topic/t")));
    const auto device = factory.device(tutorial_subject());
    const auto id = fleet.add_active(device, "connect");
    const auto request = connect_with(device, "d");
    const auto outcome = admit(fleet.service, request, kNow);
    ASSERT_EQ(refusal(outcome), "admitted");
    const auto& before = *outcome.admission;
    EXPECT_EQ(authorize(fleet.service, before, policy::Action::Publish, "t").effect,
              policy::Effect::ImplicitDeny);

    must(fleet.write(
        [&](store::Tx& tx) { return registry::attach_policy_to_certificate(tx, "publish", id); }));
    EXPECT_NE(fleet.store->identity_generation(), before.generation);
    const auto after = must(refresh(fleet.service, request, before, kNow));
    EXPECT_EQ(after.generation, fleet.store->identity_generation());
    EXPECT_EQ(authorize(fleet.service, after, policy::Action::Publish, "t").effect,
              policy::Effect::Allowed);

    set_status(fleet, id, registry::CertificateStatus::Inactive);
    EXPECT_NE(fleet.store->identity_generation(), after.generation);
    const auto ended = refresh(fleet.service, request, after, kNow);
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, Code::Forbidden);
    EXPECT_EQ(ended.error().message, "certificate is INACTIVE");
    must(fleet.write([&](store::Tx& tx) { return registry::delete_certificate(tx, id, true); }));
    const auto gone = refresh(fleet.service, request, after, kNow);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Code::Forbidden);
    EXPECT_EQ(gone.error().message, "certificate was deleted");
}

}  // namespace
}  // namespace hatchery::flows::testing
