// First connects: JITP and JITR, with every part real.
#include "provisioning/registry/access.h"
#include "provisioning/registry/templates.h"
#include "tests/provisioning/flows/fleet.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <barrier>
#include <thread>

namespace hatchery::flows::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr auto kHour = std::chrono::hours{1};

TEST(Jitp, ProvisionsTheTutorialsDeviceOnItsFirstConnect) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    const auto device = factory.device(tutorial_subject());
    const std::string name = device.serial_decimal();

    const auto outcome = admit(fleet.service, connect_with(device, name), kNow);

    ASSERT_EQ(refusal(outcome), "admitted");
    EXPECT_TRUE(outcome.admission->provisioned_now);
    EXPECT_EQ(outcome.admission->thing, name);
    EXPECT_TRUE(outcome.events.empty());
    must(fleet.read([&](store::Reader& reader) -> Result<> {
        const auto thing = must(registry::find_thing(reader, name));
        EXPECT_THAT(thing.attributes,
                    UnorderedElementsAre(Pair("hardwareVersion", "HW-100"),
                                         Pair("serialNumber", name),
                                         Pair("provisioning", "JITP"),
                                         Pair("softwareVersion", "SW-100"),
                                         Pair("CA", "IoT-Device-RootCA")));
        EXPECT_EQ(thing.thing_type, "AnyType");
        EXPECT_EQ(thing.billing_group, "AnyCompany");
        EXPECT_THAT(must(registry::groups_of_thing(reader, name)), ElementsAre("Dev"));
        EXPECT_THAT(must(registry::principals_of_thing(reader, name)), ElementsAre(device.id()));
        const auto certificate = must(registry::find_certificate(reader, device.id()));
        EXPECT_EQ(certificate.status, registry::CertificateStatus::Active);
        EXPECT_EQ(certificate.ca_id, factory.root().id());
        EXPECT_EQ(certificate.der, device.der());
        const auto policies = must(registry::policies_of_certificate(reader, device.id()));
        EXPECT_EQ(policies.size(), 1U);
        EXPECT_EQ(policies.at(0).name, "AnyTypeThing-policy");
        return {};
    }));
}

TEST(Jitp, LetsTheProvisionedDeviceDoWhatItsPolicyAllows) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    const auto device = factory.device(tutorial_subject());
    const std::string name = device.serial_decimal();
    const auto outcome = admit(fleet.service, connect_with(device, name), kNow);
    ASSERT_EQ(refusal(outcome), "admitted");

    const auto effect = [&](policy::Action action, const std::string& resource) {
        return authorize(fleet.service, *outcome.admission, action, resource).effect;
    };
    const std::string own = "AnyCompany/" + name + "/telemetry";
    EXPECT_EQ(effect(policy::Action::Publish, own), policy::Effect::Allowed);
    EXPECT_EQ(effect(policy::Action::Subscribe, own), policy::Effect::Allowed);
    EXPECT_EQ(effect(policy::Action::Receive, own), policy::Effect::Allowed);
    EXPECT_EQ(effect(policy::Action::RetainPublish, own), policy::Effect::ImplicitDeny);
    EXPECT_EQ(effect(policy::Action::Publish, "AnyCompany/other/telemetry"),
              policy::Effect::ImplicitDeny);
    EXPECT_EQ(effect(policy::Action::Connect, name), policy::Effect::Allowed);
}

TEST(Jitp, TreatsTheSecondConnectAsKnown) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    const auto device = factory.device(tutorial_subject());
    const auto request = connect_with(device, device.serial_decimal());
    ASSERT_EQ(refusal(admit(fleet.service, request, kNow)), "admitted");

    const auto again = admit(fleet.service, request, kNow + kHour);

    ASSERT_EQ(refusal(again), "admitted");
    EXPECT_FALSE(again.admission->provisioned_now);
    EXPECT_EQ(fleet.thing_count(), 1U);
}

TEST(Jitp, FindsTheIssuerOfAVersion1LeafByNameAndSignature) {
    Fleet fleet;
    fleet.set_up_tutorial();
    fleet.register_ca(certificate_from("root_of_the_same_name.pem"), "jitp-provisioning-template");
    fleet.register_ca(certificate_from("root_without_key_usage.pem"), "jitp-provisioning-template");
    const auto leaf = certificate_from("leaf_version_1.pem");
    ASSERT_EQ(leaf.fields().version, 1);

    const auto outcome = admit(fleet.service, connect_with(leaf, "10525622389124227206"), kNow);

    ASSERT_EQ(refusal(outcome), "admitted");
    EXPECT_EQ(outcome.admission->certificate.ca_id,
              certificate_from("root_without_key_usage.pem").id());
}

TEST(Jitp, TellsTwoCAsOfOneNameApartBySignature) {
    Fleet fleet;
    fleet.set_up_tutorial();
    fleet.add_template("other", kTutorialTemplate, true);
    Factory first("Twin CA");
    Factory second("Twin CA");
    fleet.register_ca(first.root(), "jitp-provisioning-template");
    fleet.register_ca(second.root(), "other");
    for (auto* factory : {&first, &second}) {
        const auto device = factory->device(tutorial_subject());
        const auto outcome =
            admit(fleet.service, connect_with(device, device.serial_decimal()), kNow);
        ASSERT_EQ(refusal(outcome), "admitted");
        EXPECT_EQ(outcome.admission->certificate.ca_id, factory->root().id());
    }
}

TEST(Jitp, ProvisionsOnceWhenThirtyTwoConnectsRace) {
    constexpr int kThreads = 32;
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    const auto device = factory.device(tutorial_subject());
    const auto request = connect_with(device, device.serial_decimal());
    std::barrier start(kThreads);
    std::vector<AdmitOutcome> outcomes(kThreads);
    std::vector<std::thread> threads;
    for (auto& outcome : outcomes) {
        threads.emplace_back([&] {
            start.arrive_and_wait();
            outcome = admit(fleet.service, request, kNow);
        });
    }
    for (auto& thread : threads)
        thread.join();

    int made = 0;
    for (const auto& outcome : outcomes) {
        ASSERT_EQ(refusal(outcome), "admitted");
        if (outcome.admission->provisioned_now) ++made;
    }
    EXPECT_EQ(made, 1);
    EXPECT_EQ(fleet.thing_count(), 1U);
}

TEST(Jitp, UsesTheBodyThatTheCaItselfCarries) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "");
    registry::CaUpdate update;
    update.registration = registry::RegistrationConfig{{}, kTutorialTemplate, "arn:aws:iam::1:r"};
    fleet.update_ca(factory.root(), update);
    const auto device = factory.device(tutorial_subject());
    EXPECT_EQ(refusal(admit(fleet.service, connect_with(device, device.serial_decimal()), kNow)),
              "admitted");
}

TEST(Jitp, TakesTheSubjectsSerialNumberWhenThereIsOne) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    auto subject = tutorial_subject();
    subject.emplace_back("2.5.4.5", "SN-1");
    const auto device = factory.device(subject);
    const auto outcome = admit(fleet.service, connect_with(device, "SN-1"), kNow);
    ASSERT_EQ(refusal(outcome), "admitted");
    EXPECT_EQ(outcome.admission->thing, "SN-1");

    fleet.service.settings.serial_number_source = templates::SerialNumberSource::Certificate;
    subject.back().second = "SN-2";
    const auto other = factory.device(subject);
    EXPECT_EQ(refusal(admit(fleet.service, connect_with(other, other.serial_decimal()), kNow)),
              "admitted");
}

TEST(Jitp, RefusesADeviceWhoseIssuerIsUnknown) {
    Fleet fleet;
    Factory registered;
    fleet.set_up_tutorial();
    fleet.register_ca(registered.root(), "jitp-provisioning-template");
    Factory stranger("Somebody Else");
    const auto device = stranger.device(tutorial_subject());
    EXPECT_EQ(refusal(admit(fleet.service, connect_with(device, "x"), kNow)),
              "no registered CA has the subject CN=Somebody Else");
    Factory impostor;
    const auto forged = impostor.device(tutorial_subject());
    EXPECT_EQ(refusal(admit(fleet.service, connect_with(forged, "x"), kNow)),
              "certificate is not signed by any of the 1 registered CAs with the subject "
              "CN=IoT Devices Root CA");
    EXPECT_EQ(fleet.status(device.id()), "unknown");
    EXPECT_EQ(fleet.status(forged.id()), "unknown");
    EXPECT_EQ(fleet.thing_count(), 0U);
}

TEST(Jitp, RefusesADeviceWhoseCaMayNotRegister) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    const auto device = factory.device(tutorial_subject());
    const auto request = connect_with(device, device.serial_decimal());
    const std::string ca = "CA " + factory.root().id().hex() + " (CN=IoT Devices Root CA)";

    registry::CaUpdate update;
    update.active = false;
    fleet.update_ca(factory.root(), update);
    EXPECT_EQ(refusal(admit(fleet.service, request, kNow)), ca + " is INACTIVE");

    update = {};
    update.active = true;
    update.auto_registration = false;
    fleet.update_ca(factory.root(), update);
    EXPECT_EQ(refusal(admit(fleet.service, request, kNow)), "auto registration is off for " + ca);
    EXPECT_EQ(fleet.status(device.id()), "unknown");

    update = {};
    update.auto_registration = true;
    fleet.update_ca(factory.root(), update);
    EXPECT_EQ(refusal(admit(fleet.service, request, kNow)), "admitted");

    // Inactive again: what is registered stays usable (Managing your CA certificates).
    update = {};
    update.active = false;
    fleet.update_ca(factory.root(), update);
    EXPECT_EQ(refusal(admit(fleet.service, request, kNow)), "admitted");
}

TEST(Jitp, NamesTheCaThatExpiredAndWhen) {
    Fleet fleet;
    Factory factory("Old CA", kNow - 3 * kHour, 2 * kHour);
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    const auto device = factory.device(tutorial_subject(), kNow - 2 * kHour);
    EXPECT_EQ(refusal(admit(fleet.service, connect_with(device, "x"), kNow)),
              "CA " + factory.root().id().hex() + " (CN=Old CA) expired on 2026-12-31T22:59:59Z");
    EXPECT_EQ(fleet.status(device.id()), "unknown");
}

TEST(Jitp, RefusesACertificateOutsideItsValidity) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    const auto device = factory.device(tutorial_subject(), kNow + kHour, kHour);
    const auto request = connect_with(device, device.serial_decimal());
    EXPECT_EQ(refusal(admit(fleet.service, request, kNow + kHour - std::chrono::seconds{1})),
              "certificate is not valid before 2027-01-01T01:00:00Z");
    EXPECT_EQ(refusal(admit(fleet.service, request, kNow + 2 * kHour)),
              "certificate expired on 2027-01-01T01:59:59Z");
    EXPECT_EQ(fleet.status(device.id()), "unknown");
    ASSERT_EQ(refusal(admit(fleet.service, request, kNow + kHour)), "admitted");
    EXPECT_EQ(refusal(admit(fleet.service, request, kNow + 2 * kHour)),
              "certificate expired on 2027-01-01T01:59:59Z");
}

TEST(Jitp, RefusesAWeakKey) {
    Fleet fleet;
    fleet.set_up_tutorial();
    fleet.register_ca(certificate_from("root_without_key_usage.pem"), "jitp-provisioning-template");
    const auto weak = certificate_from("leaf_rsa_1024.pem");
    const auto outcome = admit(fleet.service, connect_with(weak, "4098"), kNow);
    EXPECT_THAT(refusal(outcome), HasSubstr("1024"));
    EXPECT_EQ(fleet.status(weak.id()), "unknown");
}

TEST(Jitp, NamesTheFieldThatTheCertificateLacksAndLeavesItPending) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    const auto device = factory.device({{"2.5.4.3", "HW-100"}, {"2.5.4.10", "AnyCompany"}});

    const auto outcome = admit(fleet.service, connect_with(device, device.serial_decimal()), kNow);

    EXPECT_THAT(refusal(outcome),
                HasSubstr("Cannot resolve reference value: "
                          "AWS::IoT::Certificate::DistinguishedNameQualifier"));
    EXPECT_EQ(fleet.status(device.id()), "PENDING_ACTIVATION");
    EXPECT_EQ(fleet.thing_count(), 0U);
}

TEST(Jitp, MakesNothingWhenTheThingTypeIsMissingAndSucceedsOnceItIsThere) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    auto subject = tutorial_subject();
    subject.back().second = "Unmade";
    const auto device = factory.device(subject);
    const auto request = connect_with(device, device.serial_decimal());

    const std::string expected =
        "/Resources/thing/Properties/ThingTypeName: thing type Unmade does not exist";
    EXPECT_EQ(refusal(admit(fleet.service, request, kNow)), expected);
    EXPECT_EQ(refusal(admit(fleet.service, request, kNow)), expected);
    EXPECT_EQ(fleet.status(device.id()), "PENDING_ACTIVATION");
    EXPECT_EQ(fleet.thing_count(), 0U);

    must(fleet.write([&](store::Tx& tx) {
        registry::ThingType type;
        type.name = "Unmade";
        return registry::create_thing_type(tx, fleet.service.settings.account, type, kNow);
    }));
    const auto outcome = admit(fleet.service, request, kNow);
    ASSERT_EQ(refusal(outcome), "admitted");
    EXPECT_TRUE(outcome.admission->provisioned_now);
}

struct MissingCase {
    const char* oid;
    const char* value;
    const char* refusal;
};

TEST(Jitp, NamesTheGroupThatIsMissing) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    for (const MissingCase& test :
         {MissingCase{
              "2.5.4.11",
              "Nowhere",
              "/Resources/thing/Properties/ThingGroups: thing group Nowhere does not exist"},
          MissingCase{
              "2.5.4.10",
              "Nobody",
              "/Resources/thing/Properties/BillingGroup: billing group Nobody does not exist"}}) {
        auto subject = tutorial_subject();
        for (auto& [oid, value] : subject) {
            if (oid == test.oid) value = test.value;
        }
        const auto device = factory.device(subject);
        EXPECT_EQ(
            refusal(admit(fleet.service, connect_with(device, device.serial_decimal()), kNow)),
            test.refusal);
    }
    EXPECT_EQ(fleet.thing_count(), 0U);
}

TEST(Jitp, RefusesATemplateThatIsDisabledOfAnotherTypeOrGone) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "disabled");
    fleet.add_template("disabled", kTutorialTemplate, true, {}, false);
    fleet.add_template("claim", kTutorialTemplate, false);
    const auto device = factory.device(tutorial_subject());
    const auto request = connect_with(device, device.serial_decimal());
    const auto use = [&](const std::string& name) {
        registry::CaUpdate update;
        update.registration = registry::RegistrationConfig{name, {}, {}};
        fleet.update_ca(factory.root(), update);
        return refusal(admit(fleet.service, request, kNow));
    };
    EXPECT_EQ(use("disabled"), "provisioning template disabled is not enabled");
    EXPECT_EQ(use("claim"), "provisioning template claim is of type FLEET_PROVISIONING, not JITP");
    EXPECT_EQ(use("gone"), "provisioning template gone does not exist");
    EXPECT_EQ(fleet.status(device.id()), "PENDING_ACTIVATION");
    EXPECT_EQ(use("jitp-provisioning-template"), "admitted");
}

TEST(Jitp, AsksTheHookThatTheTemplateNames) {
    hooks::HookConfig allow_list;
    allow_list.name = "Known";
    allow_list.kind = "allow-list";
    allow_list.parameter = "AWS::IoT::Certificate::SerialNumber";
    allow_list.serial_numbers = {"SN-1"};
    Fleet fleet({allow_list});
    Factory factory;
    fleet.set_up_tutorial();
    fleet.add_template("hooked", kTutorialTemplate, true);
    registry::TemplateUpdate hook;
    hook.hook_target_arn = "arn:aws:lambda:us-east-1:123456789012:function:Known";
    must(fleet.write(
        [&](store::Tx& tx) { return registry::update_template(tx, "hooked", hook, kNow); }));
    fleet.register_ca(factory.root(), "hooked");
    auto subject = tutorial_subject();
    subject.emplace_back("2.5.4.5", "SN-1");
    const auto good = factory.device(subject);
    EXPECT_EQ(refusal(admit(fleet.service, connect_with(good, "SN-1"), kNow)), "admitted");
    subject.back().second = "SN-2";
    const auto bad = factory.device(subject);
    const auto outcome = admit(fleet.service, connect_with(bad, "SN-2"), kNow);
    EXPECT_THAT(refusal(outcome),
                HasSubstr("preProvisioningHook: hook "
                          "arn:aws:lambda:us-east-1:123456789012:function:Known refused"));
    EXPECT_EQ(outcome.refused->code, Code::Forbidden);
    EXPECT_EQ(fleet.status(bad.id()), "PENDING_ACTIVATION");
    EXPECT_EQ(fleet.thing_count(), 1U);
}

TEST(Jitp, MakesNoThingOfAFactoryStation) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    const auto device = factory.device(tutorial_subject());
    registry::Station station;
    station.name = "line-1";
    station.certificate = device.id();
    must(fleet.write([&](store::Tx& tx) { return registry::add_station(tx, station); }));
    const auto outcome = admit(fleet.service, connect_with(device, device.serial_decimal()), kNow);
    EXPECT_EQ(refusal(outcome),
              "certificate belongs to factory station line-1, expected a device's");
    EXPECT_EQ(fleet.thing_count(), 0U);
}

TEST(Jitp, LeavesACertificateThatTheTemplateMakesInactiveOutside) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    std::string body = kTutorialTemplate;
    body.replace(body.find("\"ACTIVE\""), 8, "\"Inactive\"");
    fleet.add_template("careful", body, true);
    fleet.register_ca(factory.root(), "careful");
    const auto device = factory.device(tutorial_subject());
    const auto outcome = admit(fleet.service, connect_with(device, device.serial_decimal()), kNow);
    EXPECT_EQ(refusal(outcome), "certificate is INACTIVE");
    EXPECT_EQ(fleet.status(device.id()), "INACTIVE");
    EXPECT_EQ(fleet.thing_count(), 1U);
}

TEST(Jitr, RegistersPublishesAndRefusesUntilActivated) {
    Fleet fleet;
    Factory factory;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "");
    fleet.add_policy("all", R"({"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"iot:*","Resource":"*"}]})");
    const auto device = factory.device(tutorial_subject());
    const auto request = connect_with(device, "anything");
    const std::string ca = factory.root().id().hex();

    for (int attempt = 0; attempt < 2; ++attempt) {
        const auto outcome = admit(fleet.service, request, kNow + std::chrono::seconds{attempt});
        EXPECT_EQ(refusal(outcome),
                  "certificate is PENDING_ACTIVATION: registered just in time, it waits to be "
                  "activated");
        ASSERT_EQ(outcome.events.size(), 1U);
        EXPECT_EQ(outcome.events[0].topic, "$aws/events/certificates/registered/" + ca);
        EXPECT_EQ(
            outcome.events[0].payload,
            R"({"certificateId":")" + device.id().hex() + R"(","caCertificateId":")" + ca +
                R"(","timestamp":)" + std::to_string(1798761600000 + attempt * 1000) +
                R"(,"certificateStatus":"PENDING_ACTIVATION","awsAccountId":"123456789012",)" +
                R"("certificateRegistrationTimestamp":null})");
        EXPECT_EQ(fleet.status(device.id()), "PENDING_ACTIVATION");
    }
    must(fleet.write([&](store::Tx& tx) -> Result<> {
        if (auto set = registry::set_certificate_status(
                tx, device.id(), registry::CertificateStatus::Active, kNow);
            !set) {
            return set;
        }
        return registry::attach_policy_to_certificate(tx, "all", device.id());
    }));
    const auto outcome = admit(fleet.service, request, kNow);
    EXPECT_EQ(refusal(outcome), "admitted");
    EXPECT_TRUE(outcome.events.empty());
    EXPECT_EQ(fleet.thing_count(), 0U);
}

TEST(Jitr, SaysThatAPendingDevicesCaIsInactive) {
    Fleet fleet;
    Factory factory;
    fleet.register_ca(factory.root(), "");
    const auto device = factory.device(tutorial_subject());
    const auto request = connect_with(device, "anything");
    ASSERT_EQ(admit(fleet.service, request, kNow).events.size(), 1U);
    registry::CaUpdate update;
    update.active = false;
    fleet.update_ca(factory.root(), update);
    const auto outcome = admit(fleet.service, request, kNow);
    EXPECT_EQ(refusal(outcome),
              "certificate is PENDING_ACTIVATION: CA " + factory.root().id().hex() +
                  " (CN=IoT Devices Root CA) is INACTIVE");
    EXPECT_TRUE(outcome.events.empty());
}

}  // namespace
}  // namespace hatchery::flows::testing
