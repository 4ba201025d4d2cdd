// Who gets what at the counter, without sockets. Incidents of other CAs are named where they are
// repeated here.
#include "provisioning/enroll/desk.h"

#include "ca/key.h"
#include "provisioning/flows/issue.h"
#include "provisioning/registry/revocations.h"
#include "tests/provisioning/front_fixture.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <vector>

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
    Caller station_{"", nullptr, front_.root.certificate()};
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

TEST_F(DeskTest, AnswersEachOfManyAtOnceForItself) {
    const auto cloned = new_key();
    must(ask(csr(cloned, device("SN-0"))));
    constexpr int kAtOnce = 32;
    std::vector<ca::Csr> requests;
    for (int i = 1; i <= kAtOnce; ++i) {
        const bool is_clone = i % 8 == 0;
        requests.push_back(csr(is_clone ? cloned : new_key(), device("SN-" + std::to_string(i))));
    }
    std::vector<std::optional<Result<Issued>>> answers(requests.size());
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < requests.size(); ++i)
            threads.emplace_back([&, i] { answers[i] = ask(requests[i]); });
    }
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const auto& answer = *answers[i];
        if ((i + 1) % 8 == 0) {
            ASSERT_FALSE(answer);
            EXPECT_EQ(registry::refusal_word(answer.error()), "KeyInUse");
        } else {
            ASSERT_TRUE(answer) << to_string(answer.error());
            EXPECT_EQ(answer->certificate.fields().public_key_der,
                      requests[i].fields().public_key_der);
        }
    }
    EXPECT_EQ(live(), 1U + kAtOnce - kAtOnce / 8);
    EXPECT_TRUE(
        front_.store->read([](store::Reader& reader) { return registry::verify_ledger(reader); }));
}

/// An HSM that has gone away.
class AbsentDevice : public ca::KeyDevice {
  public:
    Result<Bytes> sign(ByteView /*message*/) const override {
        return fail(Code::Unavailable, "no answer");
    }
};

TEST_F(DeskTest, CountsNoCertificateThatCouldNotBeSigned) {
    const ca::Certificate& own = front_.issuer.certificate();
    const auto broken = must(
        ca::Issuer::make(own,
                         must(ca::PrivateKey::in_device(own.fields().public_key_der,
                                                        std::make_shared<const AbsentDevice>())),
                         front_.issuer.chain()));
    const auto used = [&] {
        return must(front_.store->read([&](store::Reader& reader) {
                   return registry::find_station(reader, station_.certificate.id());
               }))
            .used;
    };
    const auto failed = flows::issue(*front_.store,
                                     front_.ledger,
                                     broken,
                                     csr(new_key(), device("SN-1")),
                                     profile_,
                                     "station:line-1",
                                     now());
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Code::Unavailable);
    EXPECT_EQ(used(), 0);
    EXPECT_EQ(live(), 0U) << "what was recorded is revoked";
    must(ask(csr(new_key(), device("SN-1"))));
    EXPECT_EQ(used(), 1);
}

TEST_F(DeskTest, KnowsAtOnceWhenAStationIsStopped) {
    const std::optional<ca::Certificate> own = station_.certificate;
    ASSERT_TRUE(desk_->identify(own, now()));
    const auto enable = [&](bool enabled) {
        must(front_.store->write(
            [&](store::Tx& tx) { return registry::set_station_enabled(tx, "line-1", enabled); }));
    };
    enable(false);
    EXPECT_EQ(desk_->identify(own, now()).error().code, Code::Forbidden);
    enable(true);
    EXPECT_TRUE(desk_->identify(own, now()));
}

TEST_F(DeskTest, AnswersNoRepeatOfAStationThatAnotherProcessHasStopped) {
    const auto request = csr(new_key(), device("SN-1"));
    must(ask(request));
    const auto other = must(registry::open(front_.folder.path() / "hatchery.db"));
    must(other->write(
        [&](store::Tx& tx) { return registry::set_station_enabled(tx, "line-1", false); }));
    EXPECT_EQ(ask(request).error().code, Code::Forbidden);
    EXPECT_EQ(ask(csr(new_key(), device("SN-2"))).error().code, Code::Forbidden);
}

TEST_F(DeskTest, KnowsAtOnceWhenAStationsCertificateIsRevoked) {
    const std::optional<ca::Certificate> own = station_.certificate;
    ASSERT_TRUE(desk_->identify(own, now()));
    const CertificateId& issuer = front_.issuer.certificate().id();
    const Bytes& serial_number = own->fields().serial_number;
    must(front_.store->write([&](store::Tx& tx) {
        return registry::revoke(
            tx, issuer, serial_number, ca::RevocationReason::CertificateHold, "test", now());
    }));
    EXPECT_EQ(desk_->identify(own, now()).error().code, Code::Forbidden);
    must(front_.store->write([&](store::Tx& tx) {
        return registry::release(tx, issuer, serial_number, "test", now());
    }));
    EXPECT_TRUE(desk_->identify(own, now()));
    passed_ = hours(24 * 400);
    EXPECT_FALSE(desk_->identify(own, now())) << "its dates are looked at every time";
}

}  // namespace
}  // namespace hatchery::enroll
