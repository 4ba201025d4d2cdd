// Single-use serial numbers through the whole claim flow: the hook's yes, then one commit.
#include "provisioning/flows/reservations.h"

#include "provisioning/registry/allow_list.h"
#include "tests/provisioning/flows/fleet.h"

#include <atomic>
#include <thread>

namespace hatchery::flows::testing {
namespace {

const std::string kSerialTemplate = R"({
  "Parameters": {"SerialNumber": {"Type": "String"}, "AWS::IoT::Certificate::Id": {"Type": "String"}},
  "Resources": {
    "device": {"Type": "AWS::IoT::Thing",
               "Properties": {"ThingName": {"Fn::Join": ["", ["th-", {"Ref": "SerialNumber"}]]}}},
    "certificate": {"Type": "AWS::IoT::Certificate",
                    "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"},
                                   "Status": "ACTIVE"}}}})";

/// A fleet with the hook "Once" on the list "factory", and a claimant.
class Single : public Fleet {
  public:
    Single() : lists(*store) {
        hooks::HookConfig config;
        config.name = "Once";
        config.kind = "allow-list";
        config.list = "factory";
        hook_set = must(hooks::HookSet::make({config}, {&lists}));
        service.settings.device_key = ca::KeyKind::P256;
        add_template("fleet", kSerialTemplate, false, "Once");
        Factory factory("Claims");
        claimant = {add_active(factory.device({{"2.5.4.3", "claim"}}), ""), "fleet-device"};
    }
    void allow(registry::AllowedSerial entry) {
        const std::vector<registry::AllowedSerial> entries{std::move(entry)};
        must(write([&](store::Tx& tx) {
            return registry::add_serials(tx, "factory", entries, registry::OnExisting::Skip);
        }));
    }
    registry::AllowedSerial entry(const std::string& serial) {
        return must(read([&](store::Reader& reader) {
                   return registry::find_serial(reader, "factory", serial);
               }))
            .entry;
    }
    NewCertificate create() { return must(create_keys_and_certificate(service, claimant, kNow)); }
    Result<RegisteredThing> provision(const NewCertificate& made, const std::string& serial) {
        return register_thing(
            service, claimant, {"fleet", made.ownership_token, {{"SerialNumber", serial}}}, kNow);
    }

    RegistryLists lists;
    Claimant claimant;
};

TEST(Reservations, UseASerialNumberInTheCommitOfItsDevice) {
    Single fleet;
    fleet.allow({"SN1"});
    const auto first = fleet.create();
    const auto made = fleet.provision(first, "SN1");
    ASSERT_TRUE(made) << to_string(made.error());
    EXPECT_EQ(fleet.entry("SN1").state, registry::SerialState::Used);
    EXPECT_EQ(fleet.entry("SN1").used_by, first.id);
    const auto second = fleet.create();
    const auto refused = fleet.provision(second, "SN1");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::Forbidden);
    EXPECT_EQ(fleet.status(second.id), "PENDING_ACTIVATION");
}

TEST(Reservations, AreGivenBackWhereTheDeviceIsNotMade) {
    Single fleet;
    fleet.allow({"SN2"});
    const std::string broken =
        R"({"Parameters": {"SerialNumber": {"Type": "String"}}, "Resources": {"device": {
            "Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "SerialNumber"},
            "ThingTypeName": "absent"}}}})";
    fleet.add_template("broken", broken, false, "Once");
    const auto made = fleet.create();
    EXPECT_FALSE(register_thing(fleet.service,
                                fleet.claimant,
                                {"broken", made.ownership_token, {{"SerialNumber", "SN2"}}},
                                kNow));
    EXPECT_EQ(fleet.entry("SN2").state, registry::SerialState::Unused);
    EXPECT_TRUE(fleet.provision(made, "SN2"));
}

TEST(Reservations, LetOneOfManyWinThatAskAtOnce) {
    Single fleet;
    fleet.allow({"SN3"});
    constexpr int kDevices = 12;
    std::vector<NewCertificate> made;
    for (int i = 0; i < kDevices; ++i)
        made.push_back(fleet.create());
    std::atomic<int> accepted{0};
    std::vector<std::thread> threads;
    for (const auto& one : made) {
        threads.emplace_back([&] {
            if (fleet.provision(one, "SN3")) ++accepted;
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(accepted, 1);
    EXPECT_EQ(fleet.thing_count(), 1U);
}

TEST(Reservations, KeepANumberToItsKey) {
    Single fleet;
    const auto made = fleet.create();
    registry::AllowedSerial bound{"SN4"};
    bound.key_sha256 = Bytes(32, 1);
    fleet.allow(bound);
    const auto refused = fleet.provision(made, "SN4");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("is bound to another public key"), std::string::npos);
}

TEST(Reservations, RefuseWhatAnOperatorTookAwaySinceTheHookLooked) {
    Single fleet;
    fleet.allow({"SN5", registry::SerialState::Blocked});
    const auto used = fleet.write([&](store::Tx& tx) {
        return use_reservations(tx, {{"factory", "SN5", "fleet", {}}}, CertificateId{}, kNow);
    });
    ASSERT_FALSE(used);
    EXPECT_EQ(to_string(used.error()), "preProvisioningHook: serial number SN5 is blocked");
}

}  // namespace
}  // namespace hatchery::flows::testing
