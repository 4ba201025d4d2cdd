// Who gets what at the counter, without sockets. Incidents of other CAs are named where they are
// repeated here.
#include "provisioning/enroll/desk.h"

#include "provisioning/registry/revocations.h"
#include "tests/provisioning/front_fixture.h"

#include <algorithm>

namespace hatchery::enroll {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using test::Front;
using test::must;

ca::CsrSubject device(const std::string& serial) {
    return {{{std::string(ca::oid::kCommonName), "device"},
             {std::string(ca::oid::kSerialNumber), serial}},
            {},
            {}};
}

class DeskTest : public testing::Test {
  protected:
    DeskTest() {
        station_ = must(desk_->identify(front_.station("line-1", {"device"}).certificate, now()));
        profile_ = front_.profiles.at("device");
        profile_.validity = hours(24 * 360);
    }
    Time now() const { return front_.now + passed_; }
    static ca::Csr csr(const ca::PrivateKey& key, const ca::CsrSubject& subject) {
        return must(ca::Csr::parse(bytes_of(must(ca::make_csr(key, subject)))));
    }
    static ca::PrivateKey new_key() { return must(ca::PrivateKey::generate(ca::KeyKind::P256)); }
    Result<Issued> ask(const ca::Csr& csr) { return desk_->issue(station_, profile_, csr, now()); }
    /// As a restart would: nothing is left but the store.
    void restart() { desk_ = std::make_unique<Desk>(front_.service); }

    /// Certificates of the profile in the ledger that are not revoked.
    std::size_t live() {
        return must(front_.store->read([&](store::Reader& reader) -> Result<std::size_t> {
            auto rows = registry::ledger_rows(reader, 0, 1000);
            if (!rows) return std::move(rows).error();
            std::size_t count = 0;
            for (const auto& row : *rows) {
                if (row.kind != registry::LedgerKind::Issued || row.profile != "device") continue;
                auto revoked = registry::find_revocation(reader, row.issuer, row.serial_number);
                if (!revoked) return std::move(revoked).error();
                if (!*revoked) ++count;
            }
            return count;
        }));
    }
    std::size_t refusals() {
        const auto rows = must(front_.store->read(
            [](store::Reader& reader) { return registry::ledger_rows(reader, 0, 1000); }));
        return static_cast<std::size_t>(
            std::ranges::count(rows, registry::LedgerKind::Refused, &registry::LedgerRow::kind));
    }

    Front front_;
    std::unique_ptr<Desk> desk_ = std::make_unique<Desk>(front_.service);
    Caller station_{"", std::nullopt, front_.root.certificate()};
    ca::Profile profile_;
    seconds passed_{0};
};

// hashicorp/vault#32003: a retry loop mints without end.
TEST_F(DeskTest, GivesTenThousandEqualRequestsOneCertificateAndThenThrottles) {
    const auto request = csr(new_key(), device("SN-1"));
    const auto first = must(ask(request));
    EXPECT_TRUE(first.is_new);
    int answered = 1;
    int throttled = 0;
    for (int i = 1; i < 10'000; ++i) {
        const auto again = ask(request);
        if (again) {
            EXPECT_EQ(again->certificate.id(), first.certificate.id());
            EXPECT_FALSE(again->is_new);
            ++answered;
        } else {
            ASSERT_EQ(again.error().code, Code::Throttled) << to_string(again.error());
            ++throttled;
        }
    }
    EXPECT_EQ(answered, 20);
    EXPECT_EQ(throttled, 9980);
    EXPECT_EQ(live(), 1U);
    EXPECT_EQ(refusals(), 0U) << "a loop must not fill the ledger";
    EXPECT_TRUE(ask(csr(new_key(), device("SN-2")))) << "another device is not slowed down";
    passed_ = seconds(60);
    EXPECT_EQ(must(ask(request)).certificate.id(), first.certificate.id());
}

TEST_F(DeskTest, GivesADeviceThatAsksWithTenThousandKeysOneCertificate) {
    profile_.one_per_device = true;
    const auto key = new_key();
    ASSERT_TRUE(ask(csr(key, device("SN-1"))));
    const auto other_key = new_key();
    int refused = 0;
    int throttled = 0;
    for (int i = 1; i < 10'000; ++i) {
        const auto again = ask(csr(other_key, device("SN-1")));
        ASSERT_FALSE(again);
        (again.error().code == Code::Conflict ? refused : throttled)++;
    }
    EXPECT_EQ(refused, 19);
    EXPECT_EQ(throttled, 9980);
    EXPECT_EQ(live(), 1U);
}

TEST_F(DeskTest, GivesARepeatTheSameCertificateAfterARestartForHalfItsLife) {
    const auto key = new_key();
    const auto first = must(ask(csr(key, device("SN-1"))));
    restart();
    passed_ = hours(24 * 179);
    const auto again = must(ask(csr(key, device("SN-1"))));
    EXPECT_EQ(again.certificate.id(), first.certificate.id());
    EXPECT_FALSE(again.is_new);
    passed_ = hours(24 * 181);
    const auto next = must(ask(csr(key, device("SN-1"))));
    EXPECT_NE(next.certificate.id(), first.certificate.id());
    EXPECT_TRUE(next.is_new);
}

TEST_F(DeskTest, NeverAnswersARepeatWithARevokedCertificate) {
    const auto request = csr(new_key(), device("SN-1"));
    const auto first = must(ask(request));
    must(front_.store->write([&](store::Tx& tx) {
        return registry::revoke(tx,
                                front_.issuer.certificate().id(),
                                first.certificate.fields().serial_number,
                                ca::RevocationReason::Superseded,
                                "test",
                                now());
    }));
    const auto next = must(ask(request));
    EXPECT_NE(next.certificate.id(), first.certificate.id());
    EXPECT_EQ(live(), 1U);
}

TEST_F(DeskTest, DoesNotTakeARequestForOtherNamesAsARepeat) {
    profile_ = front_.profiles.at("server");
    profile_.name = "device";
    station_ = must(desk_->identify(front_.station("line-2", {"device"}).certificate, now()));
    const auto key = new_key();
    ca::CsrSubject subject{{{std::string(ca::oid::kCommonName), "a"}}, {"a.example"}, {}};
    const auto first = must(ask(csr(key, subject)));
    subject.dns_names = {"b.example"};
    const auto second = must(ask(csr(key, subject)));
    EXPECT_NE(second.certificate.id(), first.certificate.id());
    EXPECT_EQ(second.certificate.fields().dns_names, std::vector<std::string>{"b.example"});
}

// A crash between the ledger's row and the signature (letsencrypt/boulder#1343): the device is not
// locked out, and what may have been signed is on the revocation list.
TEST_F(DeskTest, IssuesAgainForADeviceWhoseCertificateWasRecordedButNeverSigned) {
    profile_.one_per_device = true;
    const auto key = new_key();
    auto prepared = must(front_.issuer.prepare(csr(key, device("SN-1")), profile_, now()));
    const Bytes lost = prepared.serial_number();
    must(front_.ledger.record(std::move(prepared), "station:line-1", now()));
    const auto issued = must(ask(csr(key, device("SN-1"))));
    EXPECT_NE(issued.certificate.fields().serial_number, lost);
    const auto revoked = must(front_.store->read([&](store::Reader& reader) {
        return registry::find_revocation(reader, front_.issuer.certificate().id(), lost);
    }));
    ASSERT_TRUE(revoked);
    EXPECT_EQ(live(), 1U);
    EXPECT_FALSE(ask(csr(new_key(), device("SN-1")))) << "and it has its one certificate now";
}

}  // namespace
}  // namespace hatchery::enroll
