// Claims of trusted users, and what policies say of who is not connected.
#include "provisioning/flows/trusted_claim.h"

#include "provisioning/flows/authorization.h"
#include "provisioning/flows/housekeeping.h"
#include "tests/provisioning/flows/fleet.h"

#include <gmock/gmock.h>

namespace hatchery::flows::testing {
namespace {

const std::string kClaimTemplate = R"({
  "Parameters": {"SerialNumber": {"Type": "String"}},
  "Resources": {
    "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "SerialNumber"}}},
    "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {
      "CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "Active"}}
  }})";

struct TrustedClaims : Fleet {
    TrustedClaims() {
        add_template("fleet", kClaimTemplate, false);
        add_template("other", kClaimTemplate, false);
    }
    TrustedClaim make() { return must(create_trusted_claim(service, "fleet", "test", kNow)); }
    AdmitOutcome connect(const TrustedClaim& claim, Time now) {
        const auto certificate = must(ca::Certificate::from_pem(claim.certificate_pem));
        return admit(service, connect_with(certificate, "installer"), now);
    }
};

TEST(TrustedClaim, ConnectsForFiveMinutes) {
    TrustedClaims fleet;
    const auto claim = fleet.make();
    EXPECT_EQ(claim.expires, kNow + std::chrono::minutes(5));
    const auto certificate = must(ca::Certificate::from_pem(claim.certificate_pem));
    EXPECT_LE(certificate.fields().not_after, claim.expires);
    EXPECT_EQ(refusal(fleet.connect(claim, kNow)), "admitted");
    EXPECT_EQ(refusal(fleet.connect(claim, claim.expires - std::chrono::seconds(2))), "admitted");
    EXPECT_NE(refusal(fleet.connect(claim, claim.expires + std::chrono::seconds(1))), "admitted");
}

TEST(TrustedClaim, MayOnlyProvisionByItsTemplate) {
    TrustedClaims fleet;
    const auto outcome = fleet.connect(fleet.make(), kNow);
    ASSERT_TRUE(outcome.admission);
    const auto may = [&](policy::Action action, const std::string& topic) {
        return authorize(fleet.service, *outcome.admission, action, topic).effect ==
               policy::Effect::Allowed;
    };
    using policy::Action;
    EXPECT_TRUE(may(Action::Publish, "$aws/certificates/create/json"));
    EXPECT_TRUE(may(Action::Publish, "$aws/certificates/create-from-csr/cbor"));
    EXPECT_TRUE(may(Action::Publish, "$aws/provisioning-templates/fleet/provision/json"));
    EXPECT_TRUE(
        may(Action::Subscribe, "$aws/provisioning-templates/fleet/provision/json/accepted"));
    EXPECT_FALSE(may(Action::Publish, "$aws/provisioning-templates/other/provision/json"));
    EXPECT_FALSE(may(Action::Publish, "telemetry"));
    EXPECT_FALSE(may(Action::Subscribe, "#"));
}

TEST(TrustedClaim, RegistersADeviceAndIsNoCertificateOfTheAccount) {
    TrustedClaims fleet;
    const auto claim = fleet.make();
    EXPECT_EQ(fleet.status(claim.id), "unknown");
    const Claimant claimant{claim.id, "installer"};
    auto made = must(create_keys_and_certificate(fleet.service, claimant, kNow));
    const auto registered =
        must(register_thing(fleet.service,
                            claimant,
                            {"fleet", made.ownership_token, {{"SerialNumber", "sn-1"}}},
                            kNow));
    EXPECT_EQ(registered.thing_name, "sn-1");
    EXPECT_EQ(fleet.status(made.id), "ACTIVE");
    const auto listed = must(fleet.read([](store::Reader& reader) {
        return registry::list_certificates(reader, {}, true, std::nullopt);
    }));
    ASSERT_EQ(listed.items.size(), 1U);
    EXPECT_EQ(listed.items[0].id, made.id);
}

TEST(TrustedClaim, EndsItsSessionWhenItIsSwept) {
    TrustedClaims fleet;
    const auto claim = fleet.make();
    const auto outcome = fleet.connect(claim, kNow);
    ASSERT_TRUE(outcome.admission);
    const auto before = fleet.store->identity_generation();
    must(sweep(fleet.service, kNow + std::chrono::minutes(4)));
    EXPECT_EQ(fleet.store->identity_generation(), before);
    must(sweep(fleet.service, claim.expires));
    EXPECT_NE(fleet.store->identity_generation(), before);
    const auto certificate = must(ca::Certificate::from_pem(claim.certificate_pem));
    const auto refreshed = refresh(
        fleet.service, connect_with(certificate, "installer"), *outcome.admission, claim.expires);
    ASSERT_FALSE(refreshed);
    EXPECT_EQ(refreshed.error().code, Code::Forbidden);
}

TEST(TrustedClaim, WantsAFleetTemplateThatExists) {
    TrustedClaims fleet;
    const auto missing = create_trusted_claim(fleet.service, "nothing", "test", kNow);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::NotFound);
    fleet.set_up_tutorial();
    const auto jitp =
        create_trusted_claim(fleet.service, "jitp-provisioning-template", "test", kNow);
    ASSERT_FALSE(jitp);
    EXPECT_EQ(jitp.error().message,
              "provisioning template jitp-provisioning-template is of type JITP, not "
              "FLEET_PROVISIONING");
}

TEST(Authorization, ReadsWhatAConnectionWouldHave) {
    Fleet fleet;
    Factory factory;
    const std::string open =
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";
    for (const char* name : {"own", "of-group", "added"})
        fleet.add_policy(name, open);
    const auto id = fleet.add_active(factory.device({{"2.5.4.3", "device"}}), "own");
    must(fleet.write([&](store::Tx& tx) -> Result<> {
        registry::NewThing thing;
        thing.name = "t1";
        auto made = registry::create_thing(tx, {}, thing, kNow);
        if (!made) return std::move(made).error();
        registry::ThingGroup group;
        group.name = "g";
        auto grouped = registry::create_thing_group(tx, {}, group, kNow);
        if (!grouped) return std::move(grouped).error();
        if (auto done = registry::add_thing_to_group(tx, "t1", "g"); !done) return done;
        if (auto done = registry::attach_policy_to_group(tx, "of-group", "g"); !done) return done;
        return registry::attach_thing_principal(tx, "t1", id, false);
    }));
    const auto names = [&](const AuthorizationSubject& subject,
                           const std::vector<std::string>& add = {},
                           const std::vector<std::string>& skip = {}) {
        const auto read = must(read_subject(fleet.service, subject, add, skip));
        EXPECT_EQ(read.policies.size(), read.documents.size());
        std::vector<std::string> all;
        for (const auto& policy : read.policies)
            all.push_back(policy.name);
        return all;
    };
    using Names = std::vector<std::string>;
    EXPECT_EQ(names({id, {}, "t1", {}}), (Names{"own", "of-group"}));
    EXPECT_EQ(names({id, {}, "another", {}}), Names{"own"});
    EXPECT_EQ(names({id, {}, "", "t1"}), (Names{"own", "of-group"}));
    EXPECT_EQ(names({{}, "g", "", {}}), Names{"of-group"});
    EXPECT_EQ(names({id, {}, "t1", {}}, {"added", "own"}, {"of-group"}), (Names{"own", "added"}));
    const auto read = must(read_subject(fleet.service, {id, {}, "t1", {}}, {}, {}));
    EXPECT_EQ(read.context.values.at("iot:Connection.Thing.ThingName"), Names{"t1"});
    EXPECT_FALSE(read.context.values.contains("aws:SourceIp"));
    const auto missing = read_subject(fleet.service, {}, {"nothing"}, {});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::NotFound);
}

}  // namespace
}  // namespace hatchery::flows::testing
