#define OPENSSL_SUPPRESS_DEPRECATED  // RAND_set_rand_method: to break the generator
#include "ca/digest.h"
#include "tests/provisioning/registry/registry_fixture.h"

#include <openssl/rand.h>
#include <sqlite3.h>

#include <algorithm>

namespace hatchery::registry {
namespace {

constexpr std::string_view kProfile = R"(name = "device"
keys = ["p256"]
validity = "1y"
key_usage = ["digitalSignature"]
[subject]
CN = {}
serialNumber = {}
)";

class LedgerTest : public RegistryTest {
  protected:
    void SetUp() override {
        RegistryTest::SetUp();
        auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
        auto root = ca::make_root(*key, "root", std::chrono::hours(24 * 3650), kNow);
        ASSERT_TRUE(root) << to_string(root.error());
        auto issuer = ca::Issuer::make(*root, std::move(*key), {});
        ASSERT_TRUE(issuer) << to_string(issuer.error());
        issuer_ = std::make_unique<ca::Issuer>(std::move(*issuer));
        auto profile = ca::Profile::parse(kProfile, "device.toml");
        ASSERT_TRUE(profile) << to_string(profile.error());
        profile_ = *profile;
        ledger_ = std::make_unique<StoreLedger>(*store_);
    }

    ca::Prepared prepare(std::string_view serial) {
        auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
        ca::CsrSubject subject;
        subject.attributes = {{"2.5.4.3", "device"}};
        if (!serial.empty()) subject.attributes.emplace_back("2.5.4.5", serial);
        auto csr = ca::Csr::parse(bytes_of(*ca::make_csr(*key, subject)));
        auto prepared = issuer_->prepare(*csr, profile_, kNow);
        if (!prepared) throw std::runtime_error(to_string(prepared.error()));
        return std::move(*prepared);
    }
    Result<ca::Certificate> issue(std::string_view serial) {
        auto recorded = ledger_->record(prepare(serial), "cli:test", kNow);
        if (!recorded) return std::move(recorded).error();
        auto certificate = issuer_->sign(std::move(*recorded));
        if (!certificate) return certificate;
        if (auto done = ledger_->complete(*certificate, kNow); !done)
            return std::move(done).error();
        return certificate;
    }
    std::vector<LedgerRow> rows() {
        return *read([](store::Reader& reader) { return ledger_rows(reader, 0, 100); });
    }
    Result<std::int64_t> verify() {
        return read([](store::Reader& reader) { return verify_ledger(reader); });
    }
    /// As somebody with the file in his hands would.
    void tamper(const std::string& sql) {
        sqlite3* db = nullptr;
        ASSERT_EQ(sqlite3_open((directory_ / "registry.db").c_str(), &db), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
            << sqlite3_errmsg(db);
        EXPECT_GT(sqlite3_total_changes(db), 0);
        sqlite3_close(db);
    }

    std::unique_ptr<ca::Issuer> issuer_;
    ca::Profile profile_;
    std::unique_ptr<StoreLedger> ledger_;
};

TEST_F(LedgerTest, RecordsBeforeAndCompletesAfterSigning) {
    auto prepared = prepare("SN1");
    const Bytes tbs = prepared.tbs();
    const Bytes serial = prepared.serial_number();
    auto recorded = ledger_->record(std::move(prepared), "station:line-1", kNow);
    ASSERT_TRUE(recorded) << to_string(recorded.error());
    ASSERT_EQ(rows().size(), 1U);
    EXPECT_EQ(rows()[0].sequence, 1);
    EXPECT_EQ(rows()[0].tbs, tbs);
    EXPECT_EQ(rows()[0].serial_number, serial);
    EXPECT_EQ(rows()[0].profile, "device");
    EXPECT_EQ(rows()[0].requester, "station:line-1");
    EXPECT_EQ(rows()[0].device_serial, "SN1");
    EXPECT_EQ(rows()[0].issuer, issuer_->certificate().id());
    EXPECT_EQ(rows()[0].recorded, kNow);
    EXPECT_EQ(rows()[0].previous_hash, Bytes(32));
    EXPECT_EQ(rows()[0].certificate, std::nullopt);
    EXPECT_TRUE(rows()[0].certificate_der.empty());

    auto certificate = issuer_->sign(std::move(*recorded));
    ASSERT_TRUE(certificate) << to_string(certificate.error());
    ASSERT_TRUE(ledger_->complete(*certificate, kNow));
    ASSERT_TRUE(ledger_->complete(*certificate, kNow)) << "idempotent";
    EXPECT_EQ(rows()[0].certificate, certificate->id());
    EXPECT_EQ(rows()[0].certificate_der, certificate->der());
    EXPECT_EQ(verify().value_or(-1), 1);
}

TEST_F(LedgerTest, HashesTheDocumentedEncoding) {
    ASSERT_TRUE(issue("SN1"));
    const LedgerRow row = rows()[0];
    Bytes encoded;
    auto number = [&](std::uint64_t value) {
        for (int shift = 56; shift >= 0; shift -= 8)
            encoded.push_back(static_cast<std::uint8_t>(value >> shift));
    };
    auto field = [&](ByteView bytes) {
        number(bytes.size());
        encoded.insert(encoded.end(), bytes.begin(), bytes.end());
    };
    field(bytes_of("hatchery ledger 1"));
    field(row.previous_hash);
    number(1);
    field(row.issuer.view());
    field(row.serial_number);
    field(row.tbs);
    field(bytes_of("device"));
    field(bytes_of("cli:test"));
    field(bytes_of("SN1"));
    number(static_cast<std::uint64_t>(kNow.time_since_epoch().count()));
    const auto hash = ca::sha256(encoded);
    EXPECT_EQ(row.hash, Bytes(hash.begin(), hash.end()));
}

TEST_F(LedgerTest, ChainsItsRows) {
    for (int i = 0; i < 5; ++i)
        ASSERT_TRUE(issue("SN" + std::to_string(i)));
    const auto all = rows();
    ASSERT_EQ(all.size(), 5U);
    for (std::size_t i = 1; i < all.size(); ++i)
        EXPECT_EQ(all[i].previous_hash, all[i - 1].hash);
    auto last = read([](store::Reader& reader) { return ledger_rows(reader, 3, 1); });
    ASSERT_EQ(last->size(), 1U);
    EXPECT_EQ(last->front().sequence, 4);
    EXPECT_EQ(verify().value_or(-1), 5);
}

TEST_F(LedgerTest, FindsTampering) {
    struct Case {
        std::string sql;
        std::string message;
    };
    const std::vector<Case> cases{
        {"UPDATE issued SET requester = 'x' WHERE sequence = 2",
         "ledger row 2: its content was changed"},
        {"UPDATE issued SET device_serial = 'x' WHERE sequence = 2",
         "ledger row 2: its content was changed"},
        {"UPDATE issued SET recorded = recorded + 1 WHERE sequence = 3",
         "ledger row 3: its content was changed"},
        {"UPDATE issued SET tbs = zeroblob(length(tbs)) WHERE sequence = 1",
         "ledger row 1: its content was changed"},
        {"UPDATE issued SET hash = zeroblob(32) WHERE sequence = 2",
         "ledger row 2: its content was changed"},
        {"DELETE FROM signed WHERE sequence = 2; DELETE FROM issued WHERE sequence = 2",
         "ledger row 3: a row before it is missing"},
        {"DELETE FROM signed WHERE sequence = 2; DELETE FROM issued WHERE sequence = 2;"
         "UPDATE signed SET sequence = 2 WHERE sequence = 3;"
         "UPDATE issued SET sequence = 2 WHERE sequence = 3",
         "ledger row 2: it does not follow the row before it"},
        {"DELETE FROM signed WHERE sequence = 3; DELETE FROM issued WHERE sequence = 3",
         "ledger row 2: it is not the end that the ledger's head names"},
        {"UPDATE signed SET signature = (SELECT signature FROM signed WHERE sequence = 1) "
         "WHERE sequence = 2",
         "ledger row 2: its certificate was changed"},
        {"DELETE FROM ledger_head", "ledger row 3: it is not the end that the ledger's head names"},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE(one.sql);
        store_.reset();
        for (const char* suffix : {"", "-wal", "-shm"})
            std::filesystem::remove(directory_ / (std::string("registry.db") + suffix));
        SetUp();
        for (int i = 0; i < 3; ++i)
            ASSERT_TRUE(issue("SN" + std::to_string(i)));
        ASSERT_EQ(verify().value_or(-1), 3);
        tamper(one.sql);
        expect_error(verify(), Code::Conflict, one.message);
    }
}

/// OpenSSL's generator, replaced by one that repeats itself.
int repeat(unsigned char* out, int size) {
    std::fill(out, out + size, 0x42);
    return 1;
}

TEST_F(LedgerTest, RefusesASerialNumberThatComesAgain) {
    auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
    const auto request = [&](std::string_view name) {
        ca::CsrSubject subject;
        subject.attributes = {{"2.5.4.3", std::string(name)}};
        return *ca::Csr::parse(bytes_of(*ca::make_csr(*key, subject)));
    };
    const auto first = request("first");
    const auto second = request("second");
    static const RAND_METHOD broken{nullptr, repeat, nullptr, nullptr, repeat, nullptr};
    ASSERT_EQ(RAND_set_rand_method(&broken), 1);
    auto one = issuer_->prepare(first, profile_, kNow);
    auto two = issuer_->prepare(second, profile_, kNow);
    ASSERT_EQ(RAND_set_rand_method(nullptr), 1);
    ASSERT_TRUE(one && two);
    ASSERT_EQ(one->serial_number(), two->serial_number());
    const Bytes tbs = one->tbs();
    EXPECT_TRUE(ledger_->record(std::move(*one), "cli:test", kNow));
    const auto refused = ledger_->record(std::move(*two), "cli:test", kNow);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::Conflict) << to_string(refused.error());
    ASSERT_EQ(rows().size(), 1U);  // and the first is not overwritten
    EXPECT_EQ(rows()[0].tbs, tbs);
    EXPECT_TRUE(verify());
}

TEST_F(LedgerTest, GivesADeviceOneCertificateIfTheProfileSaysSo) {
    ASSERT_TRUE(issue("SN1"));
    ASSERT_TRUE(issue("SN1")) << "the profile allows it";
    profile_.one_per_device = true;
    expect_error(issue("SN1"),
                 Code::Conflict,
                 "device SN1 already has a certificate of profile device",
                 "CSR.subject.serialNumber");
    ASSERT_TRUE(issue("SN2"));
    expect_error(issue("SN2"),
                 Code::Conflict,
                 "device SN2 already has a certificate of profile device",
                 "CSR.subject.serialNumber");
    profile_.name = "other";
    EXPECT_TRUE(issue("SN2")) << "another profile";
    EXPECT_EQ(rows().size(), 4U) << "a refusal leaves nothing behind";
    EXPECT_EQ(verify().value_or(-1), 4);
}

TEST_F(LedgerTest, CompletesWhatItRecordedAndNothingElse) {
    auto stranger = new_certificate("stranger");
    auto refused = ledger_->complete(stranger, kNow);
    expect_error(refused,
                 Code::NotFound,
                 "serial number " + stranger.serial_hex() + " is not in the ledger");
    ASSERT_TRUE(issue("SN1"));
    // The same serial number over other bytes, as a forger would have it.
    tamper("UPDATE issued SET serial_number = x'" + stranger.serial_hex() + "'");
    expect_error(ledger_->complete(stranger, kNow),
                 Code::Conflict,
                 "the certificate with serial number " + stranger.serial_hex() +
                     " is not the one that the ledger recorded");
}

// spiffe/spire#962: a random number generator that repeats itself must not overwrite anything.
TEST_F(LedgerTest, RefusesASerialNumberThatWasUsed) {
    ASSERT_TRUE(issue("SN1"));
    auto repeated = prepare("SN2");
    const Bytes serial = repeated.serial_number();
    tamper("UPDATE issued SET serial_number = x'" + to_hex(serial) + "'");
    const auto before = rows();
    expect_error(ledger_->record(std::move(repeated), "cli:test", kNow),
                 Code::Conflict,
                 "serial number " + to_hex(serial) + " is taken already");
    ASSERT_EQ(rows().size(), 1U);
    EXPECT_EQ(rows()[0].hash, before[0].hash);
    EXPECT_EQ(rows()[0].tbs, before[0].tbs);
    EXPECT_TRUE(issue("SN2")) << "with another one it goes on";
}

TEST_F(LedgerTest, CommitsTogetherWithTheRegistration) {
    auto recorded = ledger_->record(prepare("SN1"), "api:key", kNow);
    ASSERT_TRUE(recorded);
    auto certificate = issuer_->sign(std::move(*recorded));
    ASSERT_TRUE(certificate);
    auto undone = write([&](store::Tx& tx) -> Result<> {
        if (auto done = StoreLedger::complete_in(tx, *certificate, kNow); !done) return done;
        return fail(Code::Conflict, "the registration failed");
    });
    ASSERT_FALSE(undone);
    EXPECT_EQ(rows()[0].certificate, std::nullopt) << "recorded, but not completed";
    ASSERT_TRUE(write([&](store::Tx& tx) -> Result<> {
        if (auto done = StoreLedger::complete_in(tx, *certificate, kNow); !done) return done;
        auto added = add_certificate(tx,
                                     account_,
                                     *certificate,
                                     CertificateStatus::Inactive,
                                     std::nullopt,
                                     CertificateMode::Default,
                                     kNow);
        if (!added) return std::move(added).error();
        return {};
    }));
    EXPECT_EQ(rows()[0].certificate, certificate->id());
}

}  // namespace
}  // namespace hatchery::registry
