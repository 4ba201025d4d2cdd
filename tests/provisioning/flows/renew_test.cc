// Renewal: a device has a certificate that works at every moment, before and after its first
// connect by the next one.
#include "provisioning/flows/renew.h"

#include "provisioning/flows/issue.h"
#include "tests/provisioning/flows/fleet.h"

#include <algorithm>

namespace hatchery::flows::testing {
namespace {

constexpr std::string_view kAllowAll =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";

ca::Csr request_of(const ca::PrivateKey& key) {
    const auto text = must(ca::make_csr(key, {{{"2.5.4.3", "t1"}}, {}, {}}));
    return must(ca::Csr::parse(bytes_of(text)));
}

/// Thing `t1` and its certificate, issued here.
struct Renewing : Fleet {
    Renewing() : present(first_certificate()) {
        add_policy("device", std::string(kAllowAll));
        add_active(present, "device");
        must(write([&](store::Tx& tx) {
            return registry::create_thing(tx, service.settings.account, {"t1", {}, {}, {}}, kNow);
        }));
    }
    ca::Certificate first_certificate() {
        ca::Profile profile;
        profile.name = "device";
        profile.keys = {ca::KeyKind::P256};
        profile.validity = std::chrono::hours{24 * 365};
        profile.key_usage = {"digitalSignature"};
        profile.extended_key_usage = {"clientAuth"};
        profile.subject_any = true;
        profile.renewal = true;
        profiles.emplace("device", profile);
        const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
        return must(
            issue(service.store, ledger, issuer, request_of(key), profile, "station:line-1", kNow));
    }
    void attach(bool exclusive) {
        must(write([&](store::Tx& tx) {
            return registry::attach_thing_principal(tx, "t1", present.id(), exclusive);
        }));
    }
    ca::Certificate renew_present() {
        const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
        return must(renew(service, present, request_of(key), kNow)).certificate;
    }
    std::string connect(const ca::Certificate& certificate, const std::string& client_id) {
        return refusal(admit(service, connect_with(certificate, client_id), kNow));
    }
    std::string thing_of(const ca::Certificate& certificate) {
        const auto things = must(read([&](store::Reader& reader) {
            return registry::things_of_principal(reader, certificate.id());
        }));
        if (things.size() != 1) return std::to_string(things.size()) + " things";
        return things[0].name + (things[0].exclusive ? " exclusively" : "");
    }
    std::string policies_of(const ca::Certificate& certificate) {
        std::string names;
        for (const auto& policy : must(read([&](store::Reader& reader) {
                 return registry::policies_of_certificate(reader, certificate.id());
             })))
            names += policy.name;
        return names;
    }

    ca::Certificate present;
};

TEST(Renew, KeepsThePresentCertificateUntilTheNextHasConnected) {
    for (const bool exclusive : {false, true}) {
        SCOPED_TRACE(exclusive ? "exclusive" : "not exclusive");
        Renewing fleet;
        fleet.attach(exclusive);
        const std::string thing = exclusive ? "t1 exclusively" : "t1";
        const auto next = fleet.renew_present();
        for (const ca::Certificate& one : {fleet.present, next}) {
            EXPECT_EQ(fleet.status(one.id()), "ACTIVE");
            EXPECT_EQ(fleet.thing_of(one), thing);
            EXPECT_EQ(fleet.policies_of(one), "device");
        }
        EXPECT_EQ(fleet.connect(fleet.present, "t1"), "admitted");
        EXPECT_EQ(fleet.status(fleet.present.id()), "ACTIVE") << "it is not the next one's connect";

        EXPECT_EQ(fleet.connect(next, "t1"), "admitted");
        EXPECT_EQ(fleet.status(fleet.present.id()), "REVOKED");
        EXPECT_EQ(fleet.thing_of(fleet.present), "0 things");
        EXPECT_EQ(fleet.status(next.id()), "ACTIVE");
        EXPECT_EQ(fleet.thing_of(next), thing);
        EXPECT_EQ(fleet.connect(fleet.present, "t1"), "certificate is REVOKED");
        EXPECT_EQ(fleet.connect(next, "t1"), "admitted");
    }
}

// The policy asks for the attached thing, which an exclusive attachment gives under any client id.
TEST(Renew, ExclusiveThingIsThePresentCertificatesUntilThen) {
    Renewing fleet;
    fleet.attach(true);
    const auto next = fleet.renew_present();
    for (const ca::Certificate& one : {fleet.present, next}) {
        auto outcome = admit(fleet.service, connect_with(one, "any-client"), kNow);
        ASSERT_EQ(refusal(outcome), "admitted");
        EXPECT_EQ(outcome.admission->thing, "t1");
        EXPECT_TRUE(outcome.admission->is_exclusive);
    }
}

TEST(Renew, RefusedConnectOfTheNextRetiresNothing) {
    Renewing fleet;
    fleet.attach(false);
    const auto next = fleet.renew_present();
    must(fleet.write([&](store::Tx& tx) {
        return registry::detach_policy_from_certificate(tx, "device", next.id());
    }));
    EXPECT_NE(fleet.connect(next, "t1"), "admitted");
    EXPECT_EQ(fleet.status(fleet.present.id()), "ACTIVE");
    EXPECT_EQ(fleet.connect(fleet.present, "t1"), "admitted");
}

TEST(Renew, CertificateThatNeverConnectedLeavesItsPlaceToTheNext) {
    Renewing fleet;
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto unknown = must(issue(fleet.service.store,
                                    fleet.ledger,
                                    fleet.issuer,
                                    request_of(key),
                                    fleet.profiles.at("device"),
                                    "station:line-1",
                                    kNow));
    const auto next_key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto next = must(renew(fleet.service, unknown, request_of(next_key), kNow)).certificate;
    EXPECT_EQ(fleet.status(unknown.id()), "unknown");
    EXPECT_EQ(fleet.status(next.id()), "unknown");
}

}  // namespace
}  // namespace hatchery::flows::testing
