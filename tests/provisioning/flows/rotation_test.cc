// Rotation: a device exchanges its certificate by a job, and always has one that works.
#include "provisioning/flows/rotation.h"

#include "ca/issuer.h"
#include "provisioning/flows/admit.h"
#include "provisioning/flows/reserved_topics.h"
#include "provisioning/jobs/jobs.h"
#include "provisioning/registry/revocations.h"
#include "provisioning/registry/things.h"
#include "tests/provisioning/flows/fleet.h"

#include <nlohmann/json.hpp>

namespace hatchery::flows::testing {
namespace {

using nlohmann::json;

constexpr std::string_view kAllowAll =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";

/// A thing `t1` with a certificate of a factory's own CA.
struct Rotating : Fleet {
    Rotating() : present(factory.device({{"2.5.4.3", "t1"}})) {
        add_policy("device", std::string(kAllowAll));
        add_active(present, "device");
        must(write([&](store::Tx& tx) {
            return registry::create_thing(tx, service.settings.account, {"t1", {}, {}, {}}, kNow);
        }));
        attach(false);
    }
    jobs::Context jobs_context() { return {*store, service.settings.account, {}}; }
    void attach(bool exclusive) {
        must(write([&](store::Tx& tx) {
            return registry::attach_thing_principal(tx, "t1", present.id(), exclusive);
        }));
    }
    void begin(const std::string& job) {
        jobs::NewJob wanted;
        wanted.id = job;
        wanted.document = std::string(kRotationDocument);
        wanted.targets = {service.settings.account.arn("thing", "t1")};
        wanted.is_rotation = true;
        must(jobs::create_job(jobs_context(), wanted, kNow));
    }
    json ask(const ca::PrivateKey& key, const ca::Certificate& by, Time now = kNow) {
        const auto csr = must(ca::make_csr(key, {}));
        const std::string payload = json{{"certificateSigningRequest", csr}}.dump();
        const auto reply = answer_provisioning_request(service,
                                                       {by.id(), "t1"},
                                                       "$aws/certificates/create-from-csr/json",
                                                       bytes_of(payload),
                                                       now);
        return json::parse(reply.payload);
    }
    static ca::Certificate certificate_of(const json& answer) {
        return must(ca::Certificate::from_pem(answer.value("certificatePem", answer.dump())));
    }
    std::string connect(const ca::Certificate& certificate) {
        return refusal(admit(service, connect_with(certificate, "t1"), kNow));
    }
    std::string thing_of(const ca::Certificate& certificate) {
        auto things = must(read([&](store::Reader& reader) {
            return registry::things_of_principal(reader, certificate.id());
        }));
        return things.size() == 1 ? things[0].name : std::to_string(things.size()) + " things";
    }

    Factory factory;
    ca::Certificate present;
};

TEST(Rotation, PresentCertificateRetiresWhenTheNextHasConnected) {
    Rotating fleet;
    fleet.begin("r1");
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto next = Rotating::certificate_of(fleet.ask(key, fleet.present));
    EXPECT_EQ(fleet.status(next.id()), "ACTIVE");
    EXPECT_EQ(fleet.status(fleet.present.id()), "ACTIVE");
    EXPECT_EQ(fleet.thing_of(next), "t1");
    EXPECT_EQ(fleet.connect(fleet.present), "admitted");  // a device that got no further
    EXPECT_EQ(fleet.status(fleet.present.id()), "ACTIVE");
    EXPECT_EQ(fleet.connect(next), "admitted");
    EXPECT_EQ(fleet.status(fleet.present.id()), "INACTIVE");
    EXPECT_NE(fleet.connect(fleet.present), "admitted");
    EXPECT_EQ(fleet.connect(next), "admitted");
}

TEST(Rotation, ExclusiveThingsKeepTheirPresentCertificateToo) {
    Rotating fleet;
    fleet.attach(true);
    fleet.begin("r1");
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto next = Rotating::certificate_of(fleet.ask(key, fleet.present));
    EXPECT_EQ(fleet.thing_of(fleet.present), "t1");
    EXPECT_EQ(fleet.thing_of(next), "t1");
}

TEST(Rotation, TheSameKeyGetsTheSameCertificateAgain) {
    Rotating fleet;
    fleet.begin("r1");
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto first = Rotating::certificate_of(fleet.ask(key, fleet.present));
    const auto again = Rotating::certificate_of(fleet.ask(key, fleet.present));
    EXPECT_EQ(first.id(), again.id());
    const auto other_key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    EXPECT_EQ(fleet.ask(other_key, fleet.present).value("errorCode", ""), "Throttling");
    const Time later = kNow + std::chrono::minutes(1);
    const auto other = Rotating::certificate_of(fleet.ask(other_key, fleet.present, later));
    EXPECT_NE(first.id(), other.id());
    EXPECT_EQ(fleet.status(first.id()), "REVOKED");  // it never connected
    EXPECT_EQ(fleet.status(other.id()), "ACTIVE");
    EXPECT_EQ(fleet.status(fleet.present.id()), "ACTIVE");
    EXPECT_EQ(fleet.connect(other), "admitted");
}

TEST(Rotation, CertificateThatThingsShareIsNotExchanged) {
    Rotating fleet;
    must(fleet.write([&](store::Tx& tx) -> Result<> {
        auto made =
            registry::create_thing(tx, fleet.service.settings.account, {"t2", {}, {}, {}}, kNow);
        if (!made) return std::move(made).error();
        return registry::attach_thing_principal(tx, "t2", fleet.present.id(), false);
    }));
    fleet.begin("r1");
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto answer = fleet.ask(key, fleet.present);
    EXPECT_EQ(answer.value("errorMessage", ""),
              "job r1 asks for another certificate, but 2 things share this one")
        << answer;
    EXPECT_EQ(fleet.status(fleet.present.id()), "ACTIVE");
}

TEST(Rotation, WithoutAJobACertificateWaitsForRegisterThingAsEver) {
    Rotating fleet;
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto made = Rotating::certificate_of(fleet.ask(key, fleet.present));
    EXPECT_EQ(fleet.status(made.id()), "PENDING_ACTIVATION");
    fleet.begin("r1");
    must(jobs::cancel_job(fleet.jobs_context(), "r1", {}, kNow));
    const auto other_key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto other = Rotating::certificate_of(fleet.ask(other_key, fleet.present));
    EXPECT_EQ(fleet.status(other.id()), "PENDING_ACTIVATION");
}

TEST(Rotation, GoesOnFromOneCertificateToTheNext) {
    Rotating fleet;
    ca::Certificate present = fleet.present;
    for (const std::string job : {"r1", "r2"}) {
        fleet.begin(job);
        const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
        const auto next = Rotating::certificate_of(fleet.ask(key, present));
        EXPECT_EQ(fleet.connect(next), "admitted");
        jobs::Cancellation done;
        done.force = true;
        must(jobs::cancel_job(fleet.jobs_context(), job, done, kNow));
        present = next;
    }
    EXPECT_EQ(fleet.connect(present), "admitted");
}

}  // namespace
}  // namespace hatchery::flows::testing
