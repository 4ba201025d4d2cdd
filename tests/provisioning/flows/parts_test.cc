// Issuing, the stock of keys, the cache of compiled documents, log values.
#include "provisioning/flows/issue.h"
#include "provisioning/flows/key_pool.h"
#include "tests/provisioning/flows/fleet.h"

#include <gmock/gmock.h>

#include <set>
#include <thread>

namespace hatchery::flows::testing {
namespace {

using ::testing::HasSubstr;

ca::Profile device_profile() {
    ca::Profile profile;
    profile.name = "test";
    profile.keys = {ca::KeyKind::P256};
    profile.validity = std::chrono::hours{24};
    profile.key_usage = {"digitalSignature"};
    profile.extended_key_usage = {"clientAuth"};
    profile.subject_any = true;
    return profile;
}

ca::Csr request_named(const std::string& name) {
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto pem = must(ca::make_csr(key, {{{"2.5.4.3", name}}, {}, {}}));
    return must(ca::Csr::parse(bytes_of(pem)));
}

std::vector<registry::LedgerRow> ledger_of(Fleet& fleet) {
    return must(
        fleet.read([](store::Reader& reader) { return registry::ledger_rows(reader, 0, 100); }));
}

TEST(Issue, RecordsSignsAndStoresInOneCommitWithTheRegistration) {
    Fleet fleet;
    const auto with = [&](store::Tx& tx, const ca::Certificate& made) -> Result<> {
        auto added = registry::add_certificate(tx,
                                               fleet.service.settings.account,
                                               made,
                                               registry::CertificateStatus::Inactive,
                                               std::nullopt,
                                               registry::CertificateMode::Default,
                                               kNow);
        if (!added) return std::move(added).error();
        return {};
    };
    const auto certificate = must(issue(*fleet.store,
                                        fleet.ledger,
                                        fleet.issuer,
                                        request_named("d"),
                                        device_profile(),
                                        "station:s1",
                                        kNow,
                                        with));
    EXPECT_EQ(fleet.status(certificate.id()), "INACTIVE");
    const auto rows = ledger_of(fleet);
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].requester, "station:s1");
    EXPECT_EQ(rows[0].profile, "test");
    EXPECT_EQ(rows[0].certificate, certificate.id());
}

TEST(Issue, KeepsEverySignatureInTheLedgerEvenIfItsRegistrationIsRefused) {
    Fleet fleet;
    const auto refused = issue(*fleet.store,
                               fleet.ledger,
                               fleet.issuer,
                               request_named("d"),
                               device_profile(),
                               "station:s1",
                               kNow,
                               [](store::Tx&, const ca::Certificate&) -> Result<> {
                                   return fail(Code::Conflict, "not today");
                               });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "not today");
    const auto rows = ledger_of(fleet);
    ASSERT_EQ(rows.size(), 1U);
    ASSERT_TRUE(rows[0].certificate);
    EXPECT_EQ(fleet.status(*rows[0].certificate), "unknown");
}

TEST(Issue, RecordsNothingForARequestThatTheProfileForbids) {
    Fleet fleet;
    auto profile = device_profile();
    profile.subject_any = false;
    const auto refused = issue(
        *fleet.store, fleet.ledger, fleet.issuer, request_named("d"), profile, "station:s1", kNow);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().where, "CSR.subject.CN");
    EXPECT_TRUE(ledger_of(fleet).empty());
}

TEST(Issue, GivesOneDeviceSerialOneCertificate) {
    Fleet fleet;
    auto profile = device_profile();
    profile.one_per_device = true;
    const auto ask = [&] {
        const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
        const auto pem = must(ca::make_csr(key, {{{"2.5.4.5", "SN-1"}}, {}, {}}));
        return issue(*fleet.store,
                     fleet.ledger,
                     fleet.issuer,
                     must(ca::Csr::parse(bytes_of(pem))),
                     profile,
                     "station:s1",
                     kNow);
    };
    EXPECT_TRUE(ask());
    const auto again = ask();
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Code::Conflict);
    EXPECT_EQ(ledger_of(fleet).size(), 1U);
}

TEST(KeyPool, NeverGivesAKeyTwice) {
    KeyPool pool(ca::KeyKind::P256, 4);
    EXPECT_EQ(pool.kind(), ca::KeyKind::P256);
    std::vector<std::string> keys(64);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            for (std::size_t i = 0; i < 8; ++i)
                keys[t * 8 + i] = must(pool.take()).public_key_pem();
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
    EXPECT_LE(pool.ready(), 4U);
}

TEST(CompiledCache, AnswersAlikeFromMemory) {
    CompiledCache cache;
    for (int round = 0; round < 2; ++round) {
        EXPECT_TRUE(cache.policy_document(kTutorialPolicy));
        EXPECT_TRUE(cache.provisioning_template(kTutorialTemplate, templates::Kind::Jitp));
        const auto bad = cache.provisioning_template("[]", templates::Kind::Jitp);
        ASSERT_FALSE(bad);
        EXPECT_EQ(bad.error().code, Code::InvalidRequest);
        const auto malformed = cache.policy_document("{}");
        ASSERT_FALSE(malformed);
        EXPECT_EQ(malformed.error().code, Code::MalformedPolicy);
    }
}

TEST(CompiledCache, KeepsOneCompiledDocumentForManyCallers) {
    CompiledCache cache;
    const auto first = must(cache.policy_document(kTutorialPolicy));
    const auto second = must(cache.policy_document(kTutorialPolicy));
    EXPECT_EQ(&first.impl(), &second.impl());
    // Older than everything that fits: compiled anew.
    for (int i = 0; i < 5000; ++i) {
        must(cache.policy_document(R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",)"
                                   R"("Action":"iot:Connect","Resource":"arn:)" +
                                   std::to_string(i) + "\"}]}"));
    }
    EXPECT_NE(&must(cache.policy_document(kTutorialPolicy)).impl(), &first.impl());
}

}  // namespace
}  // namespace hatchery::flows::testing
