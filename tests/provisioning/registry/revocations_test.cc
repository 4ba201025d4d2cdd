#include "provisioning/registry/revocations.h"

#include "provisioning/registry/access.h"
#include "tests/provisioning/registry/registry_fixture.h"

namespace hatchery::registry {
namespace {

constexpr std::string_view kDeviceProfile = R"(name = "device"
keys = ["p256"]
validity = "1y"
one_per_device = true
key_usage = ["digitalSignature"]
[subject]
CN = {}
serialNumber = {}
)";

class RevocationTest : public RegistryTest {
  protected:
    void SetUp() override {
        RegistryTest::SetUp();
        auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
        auto root = ca::make_root(*key, "root", std::chrono::hours(24 * 3650), kNow);
        ASSERT_TRUE(root) << to_string(root.error());
        issuer_ = std::make_unique<ca::Issuer>(*ca::Issuer::make(*root, std::move(*key), {}));
        profile_ = *ca::Profile::parse(kDeviceProfile, "device.toml");
        key_ = std::make_unique<ca::PrivateKey>(*ca::PrivateKey::generate(ca::KeyKind::P256));
    }

    ca::Prepared prepare(std::string_view serial, const ca::PrivateKey& key) {
        ca::CsrSubject subject{{{"2.5.4.3", "device"}, {"2.5.4.5", std::string(serial)}}, {}, {}};
        auto csr = ca::Csr::parse(bytes_of(*ca::make_csr(key, subject)));
        auto prepared = issuer_->prepare(*csr, profile_, kNow);
        if (!prepared) throw std::runtime_error(to_string(prepared.error()));
        return std::move(*prepared);
    }
    ca::PrivateKey new_key() { return *ca::PrivateKey::generate(ca::KeyKind::P256); }

    Result<ca::Certificate> issue(std::string_view serial,
                                  const ca::PrivateKey& key,
                                  std::string_view requester = "cli:test",
                                  Time now = kNow,
                                  std::optional<Renews> renews = {}) {
        StoreLedger ledger(*store_, {renews});
        auto recorded = ledger.record(prepare(serial, key), requester, now);
        if (!recorded) return std::move(recorded).error();
        auto certificate = issuer_->sign(std::move(*recorded));
        if (!certificate) return certificate;
        if (auto done = ledger.complete(*certificate, now); !done) return std::move(done).error();
        return certificate;
    }
    Result<> revoke_it(const ca::Certificate& certificate, ca::RevocationReason reason) {
        return write([&](store::Tx& tx) -> Result<> {
            return revoke(tx,
                          issuer_->certificate().id(),
                          certificate.fields().serial_number,
                          reason,
                          "cli:test",
                          kNow);
        });
    }
    Result<> release_it(const ca::Certificate& certificate) {
        return write([&](store::Tx& tx) -> Result<> {
            return release(tx,
                           issuer_->certificate().id(),
                           certificate.fields().serial_number,
                           "cli:test",
                           kNow);
        });
    }
    CertificateStatus status_of(const ca::Certificate& certificate) {
        return read([&](store::Reader& reader) {
                   return find_certificate(reader, certificate.id());
               })
            ->status;
    }
    std::vector<std::string> kinds() {
        std::vector<std::string> all;
        const auto rows = read([](store::Reader& reader) { return ledger_rows(reader, 0, 1000); });
        for (const auto& row : *rows)
            all.emplace_back(to_string(row.kind));
        EXPECT_TRUE(read([](store::Reader& reader) { return verify_ledger(reader); }));
        return all;
    }

    std::unique_ptr<ca::Issuer> issuer_;
    ca::Profile profile_;
    std::unique_ptr<ca::PrivateKey> key_;
};

using Kinds = std::vector<std::string>;

TEST_F(RevocationTest, CutsOffARegisteredCertificateAndStaysInTheLedger) {
    const auto certificate = *issue("SN1", *key_);
    ASSERT_TRUE(store_certificate(certificate));
    EXPECT_TRUE(touches([&](store::Tx& tx) -> Result<> {
        return revoke(tx,
                      issuer_->certificate().id(),
                      certificate.fields().serial_number,
                      ca::RevocationReason::Superseded,
                      "cli:test",
                      kNow);
    }));
    EXPECT_EQ(status_of(certificate), CertificateStatus::Revoked);
    EXPECT_EQ(kinds(), (Kinds{"issued", "revoked"}));
    expect_error(revoke_it(certificate, ca::RevocationReason::KeyCompromise),
                 Code::Conflict,
                 "serial number " + certificate.serial_hex() +
                     " is revoked already: superseded since 2026-06-01T00:00:00Z");
    expect_error(
        release_it(certificate),
        Code::Conflict,
        "expected a certificate on hold, found one revoked for superseded, which is final");
}

TEST_F(RevocationTest, RegistersWhatItRevokesBeforeItsFirstConnect) {
    const auto certificate = *issue("SN1", *key_);
    ASSERT_TRUE(revoke_it(certificate, ca::RevocationReason::Unspecified));
    EXPECT_EQ(status_of(certificate), CertificateStatus::Revoked);
}

TEST_F(RevocationTest, HoldsAndReleasesToTheStatusBefore) {
    const auto certificate = *issue("SN1", *key_);
    ASSERT_TRUE(store_certificate(certificate));
    ASSERT_TRUE(revoke_it(certificate, ca::RevocationReason::CertificateHold));
    EXPECT_EQ(status_of(certificate), CertificateStatus::Inactive);
    ASSERT_TRUE(release_it(certificate));
    EXPECT_EQ(status_of(certificate), CertificateStatus::Active);
    ASSERT_TRUE(revoke_it(certificate, ca::RevocationReason::CertificateHold));
    ASSERT_TRUE(revoke_it(certificate, ca::RevocationReason::KeyCompromise));
    EXPECT_EQ(status_of(certificate), CertificateStatus::Revoked);
    EXPECT_EQ(kinds(), (Kinds{"issued", "held", "released", "held", "revoked"}));
    const auto fresh = *issue("SN2", new_key());
    ASSERT_TRUE(revoke_it(fresh, ca::RevocationReason::CertificateHold));
    ASSERT_TRUE(release_it(fresh));
    EXPECT_FALSE(read([&](store::Reader& reader) { return find_certificate(reader, fresh.id()); }))
        << "its first connect is still to come";
}

TEST_F(RevocationTest, FollowsTheControlPlane) {
    const auto certificate = *issue("SN1", *key_);
    ASSERT_TRUE(store_certificate(certificate));
    ASSERT_TRUE(write([&](store::Tx& tx) -> Result<> {
        return set_certificate_status(tx, certificate.id(), CertificateStatus::Revoked, kNow);
    }));
    auto revoked = read([&](store::Reader& reader) {
        return revocations_of(
            reader, issuer_->certificate().id(), ca::crl_shard(certificate.fields().serial_number));
    });
    ASSERT_EQ(revoked->size(), 1U);
    EXPECT_EQ(revoked->front().serial_number, certificate.fields().serial_number);
}

TEST_F(RevocationTest, RefusesClonesAndBlockedKeys) {
    const auto first = *issue("SN1", *key_);
    const Error clone = issue("SN2", *key_).error();
    EXPECT_EQ(to_string(clone),
              "CSR.key: expected a key of the device's own, found the key of device SN1");
    EXPECT_EQ(refusal_word(clone), "KeyInUse");
    EXPECT_EQ(refusal_word(issue("SN1", new_key()).error()), "DeviceHasCertificate");
    ASSERT_TRUE(revoke_it(first, ca::RevocationReason::KeyCompromise));
    EXPECT_EQ(refusal_word(issue("SN1", *key_).error()), "KeyBlocked");
    EXPECT_TRUE(issue("SN1", new_key())) << "a revoked certificate can be replaced";
}

TEST_F(RevocationTest, GivesUpWhatWasRecordedButNeverSigned) {
    StoreLedger ledger(*store_);
    auto recorded = ledger.record(prepare("SN1", *key_), "cli:test", kNow);
    ASSERT_TRUE(recorded);  // and here the power fails
    const Bytes lost = recorded->prepared().serial_number();
    ASSERT_TRUE(issue("SN1", new_key()));
    EXPECT_EQ(kinds(), (Kinds{"issued", "given-up", "issued"}));
    auto revoked = read([&](store::Reader& reader) {
        return find_revocation(reader, issuer_->certificate().id(), lost);
    });
    ASSERT_TRUE(*revoked) << "its signature may exist: it is on the list";
    // It was only slow: its certificate comes too late.
    auto late = issuer_->sign(std::move(*recorded));
    ASSERT_TRUE(late);
    expect_error(
        ledger.complete(*late, kNow),
        Code::Conflict,
        "serial number " + to_hex(lost) + " was revoked before its certificate was complete");
}

TEST_F(RevocationTest, RenewsOneDeviceAndRetiresTheOldCertificate) {
    const auto old = *issue("SN1", *key_);
    ASSERT_TRUE(store_certificate(old));
    const auto lost = *issue("SN1", new_key(), "renewal", kNow, Renews{old.id()});
    const auto renew = [&](const ca::Certificate& next) {
        ASSERT_TRUE(store_certificate(next));
        ASSERT_TRUE(write([&](store::Tx& tx) -> Result<> {
            return add_renewal(tx, {next.id(), old.id(), kNow}, "renewal", kNow);
        }));
    };
    renew(lost);
    const auto next = *issue("SN1", new_key(), "renewal", kNow, Renews{old.id()});
    renew(next);
    EXPECT_EQ(status_of(lost), CertificateStatus::Revoked) << "the device never used it";
    EXPECT_EQ(status_of(old), CertificateStatus::Active) << "the device still has it";
    ASSERT_TRUE(
        write([&](store::Tx& tx) -> Result<> { return retire_replaced(tx, next.id(), kNow); }));
    EXPECT_EQ(status_of(old), CertificateStatus::Revoked);
    EXPECT_EQ(status_of(next), CertificateStatus::Active);
}

TEST_F(RevocationTest, CountsAStationsQuotaInTheCommitThatRecords) {
    Station station;
    station.name = "line-1";
    station.created = kNow;
    station.quota = 2;
    station.period = std::chrono::hours(1);
    station.not_after = kNow + std::chrono::hours(3);
    station.serial_numbers = {"SN*", "001..003"};
    ASSERT_TRUE(write([&](store::Tx& tx) -> Result<> { return add_station(tx, station); }));
    const auto ask = [&](std::string_view serial, Time now = kNow) {
        auto made = issue(serial, new_key(), "station:line-1", now);
        return std::string(made ? "issued" : refusal_word(made.error()));
    };
    EXPECT_EQ(ask("SN1"), "issued");
    EXPECT_EQ(ask("X1"), "SerialNumberNotAllowed");
    EXPECT_EQ(ask("004"), "SerialNumberNotAllowed");
    EXPECT_EQ(ask("0001"), "SerialNumberNotAllowed");
    EXPECT_EQ(ask("003"), "issued");
    EXPECT_EQ(ask("SN2"), "QuotaExhausted");
    EXPECT_EQ(ask("SN2", kNow + std::chrono::hours(1)), "issued");
    EXPECT_EQ(ask("SN3", kNow + std::chrono::hours(3)), "OutsideTimeWindow");
    ASSERT_TRUE(
        write([&](store::Tx& tx) -> Result<> { return set_station_enabled(tx, "line-1", false); }));
    EXPECT_EQ(ask("SN3"), "StationStopped");
}

TEST_F(RevocationTest, SaysSoWhenTheDiskIsFullAndGoesOnWhenThereIsRoom) {
    ASSERT_TRUE(issue("SN1", *key_));
    const auto limit = [&](std::string_view sql) {
        ASSERT_TRUE(write([&](store::Tx& tx) -> Result<> {
            auto row = tx.query(sql);
            auto there = row.step();
            if (!there) return std::move(there).error();
            return {};
        }));
    };
    limit("PRAGMA max_page_count = 1");  // no further page: what a full disk says
    Result<ca::Certificate> made = fail(Code::Internal, "not asked");
    int room = 0;
    do {
        made = issue("SN-FULL-" + std::to_string(room), new_key());
    } while (made && ++room < 1000);
    ASSERT_FALSE(made) << "the limit was never met";
    EXPECT_EQ(to_string(made.error().code), "Unavailable") << to_string(made.error());
    EXPECT_TRUE(read([](store::Reader& reader) { return verify_ledger(reader); }));
    limit("PRAGMA max_page_count = 1000000");
    EXPECT_TRUE(issue("SN-AFTER", new_key()));
    EXPECT_TRUE(read([](store::Reader& reader) { return verify_ledger(reader); }));
}

TEST_F(RevocationTest, NeverTakesACrlNumberBack) {
    const CertificateId& id = issuer_->certificate().id();
    const auto next = [&](Time now) {
        return *read([&](store::Reader& reader) { return next_crl_number(reader, id, 3, now); });
    };
    const std::int64_t clock =
        std::chrono::sys_time<std::chrono::milliseconds>(kNow).time_since_epoch().count();
    EXPECT_EQ(next(kNow), clock) << "above everything before a backup was restored";
    StoredCrl crl{clock + 7, kNow, kNow + std::chrono::hours(1), false, {1}, 0};
    ASSERT_TRUE(write([&](store::Tx& tx) -> Result<> { return store_crl(tx, id, 3, crl); }));
    EXPECT_EQ(next(kNow), clock + 8);
    EXPECT_EQ(next(kNow - std::chrono::hours(9)), clock + 8) << "a clock that was set back";
    expect_error(write([&](store::Tx& tx) -> Result<> { return store_crl(tx, id, 3, crl); }),
                 Code::Conflict,
                 "CRL number " + std::to_string(clock + 7) + " is used already");
}

}  // namespace
}  // namespace hatchery::registry
