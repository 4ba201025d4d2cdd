// Devices that were here lately come in without the store, and not a commit longer than they may.
#include "provisioning/flows/identity_cache.h"

#include "tests/provisioning/flows/fleet.h"

namespace hatchery::flows::testing {
namespace {

const std::string kAllowAll =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";

/// A device that has connected once, remembered.
struct Remembering {
    Remembering() : device(factory.device(tutorial_subject())) {
        fleet.add_policy("all", kAllowAll);
        id = fleet.add_active(device, "all");
    }
    std::string first(const std::string& client_id) {
        const auto outcome = admit(fleet.service, connect_with(device, client_id), kNow);
        if (outcome.admission) cache.remember(client_id, outcome.identity);
        return refusal(outcome);
    }
    bool is_known(const std::string& client_id, Time now = kNow) {
        return readmit(fleet.service, cache, connect_with(device, client_id), now).has_value();
    }
    void write(const std::function<Result<>(store::Tx&)>& work) { must(fleet.write(work)); }

    Fleet fleet;
    Factory factory;
    IdentityCache cache;
    ca::Certificate device;
    CertificateId id;
};

TEST(IdentityCache, LetsInWhoWasAdmittedBefore) {
    Remembering world;
    EXPECT_FALSE(world.is_known("d1"));
    EXPECT_EQ(world.first("d1"), "admitted");
    const auto again =
        readmit(world.fleet.service, world.cache, connect_with(world.device, "d1"), kNow);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->policy_names, std::vector<std::string>{"all"});
    EXPECT_FALSE(again->provisioned_now);
}

TEST(IdentityCache, KnowsAThinglessCertificateUnderAnyClientId) {
    Remembering world;
    EXPECT_EQ(world.first("d1"), "admitted");
    EXPECT_TRUE(world.is_known("d2"));
    world.write([&](store::Tx& tx) -> Result<> {
        auto thing = registry::create_thing(
            tx, world.fleet.service.settings.account, {"d1", {}, {}, {}}, kNow);
        if (!thing) return std::move(thing).error();
        return registry::attach_thing_principal(tx, "d1", world.id, false);
    });
    EXPECT_EQ(world.first("d1"), "admitted");
    EXPECT_TRUE(world.is_known("d1"));
    EXPECT_FALSE(world.is_known("d2"));  // as d2 it has no thing
}

TEST(IdentityCache, ForgetsWithTheCommitThatChangesSomething) {
    Remembering world;
    EXPECT_EQ(world.first("d1"), "admitted");
    world.write([&](store::Tx& tx) {
        return registry::detach_policy_from_certificate(tx, "all", world.id);
    });
    EXPECT_FALSE(world.is_known("d1"));
    EXPECT_NE(world.first("d1"), "admitted");
    world.write(
        [&](store::Tx& tx) { return registry::attach_policy_to_certificate(tx, "all", world.id); });
    EXPECT_EQ(world.first("d1"), "admitted");
    EXPECT_TRUE(world.is_known("d1"));
    world.write([&](store::Tx& tx) {
        return registry::set_certificate_status(
            tx, world.id, registry::CertificateStatus::Revoked, kNow);
    });
    EXPECT_FALSE(world.is_known("d1"));
}

TEST(IdentityCache, ChecksDatesAndTheConnectItselfEachTime) {
    Remembering world;
    world.fleet.add_policy("deny",
                           R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny",)"
                           R"("Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/bad"}]})");
    world.write([&](store::Tx& tx) {
        return registry::attach_policy_to_certificate(tx, "deny", world.id);
    });
    EXPECT_EQ(world.first("good"), "admitted");
    EXPECT_TRUE(world.is_known("good"));
    EXPECT_FALSE(world.is_known("bad"));
    EXPECT_FALSE(world.is_known("good", world.device.fields().not_after + std::chrono::seconds(1)));
}

TEST(IdentityCache, RemembersWhatAFirstConnectWrote) {
    Fleet fleet;
    Factory factory;
    IdentityCache cache;
    fleet.set_up_tutorial();
    fleet.register_ca(factory.root(), "jitp-provisioning-template");
    const auto device = factory.device(tutorial_subject());
    const auto request = connect_with(device, device.serial_decimal());
    const auto outcome = admit(fleet.service, request, kNow);
    ASSERT_TRUE(outcome.admission) << refusal(outcome);
    EXPECT_TRUE(outcome.admission->provisioned_now);
    cache.remember(request.client_id, outcome.identity);
    const auto again = readmit(fleet.service, cache, request, kNow);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->thing, outcome.admission->thing);
    EXPECT_FALSE(again->provisioned_now);
}

}  // namespace
}  // namespace hatchery::flows::testing
