// The process dies at each step of issuing (prepare, ledger, sign, store): on the restart every
// signature that was ever made is in the ledger and can be revoked, and the device is not locked
// out. Incidents: Mozilla 1577652, letsencrypt/boulder#5887, #4429, #1343.
#include "provisioning/flows/issue.h"
#include "provisioning/registry/revocations.h"
#include "provisioning/registry/schema.h"
#include "tests/provisioning/temp_directory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace hatchery::flows {
namespace {

const Time kNow{std::chrono::seconds(1'795'375'804)};

constexpr std::string_view kProfile = R"(name = "device"
keys = ["p256"]
validity = "1y"
one_per_device = true
key_usage = ["digitalSignature"]
[subject]
CN = {}
serialNumber = {}
)";

enum class Step { AfterPrepare, AfterLedger, AfterSign, InStore, AfterStore };

/// What both processes know.
struct World {
    testing::TempDirectory directory;
    ca::Issuer issuer = make_issuer();
    ca::Profile profile = ca::Profile::parse(kProfile, "device.toml").value();
    ca::Csr csr = request("SN-1");

    static ca::Issuer make_issuer() {
        auto key = ca::PrivateKey::generate(ca::KeyKind::P256).value();
        auto root = ca::make_root(key, "root", std::chrono::hours(24 * 3650), kNow).value();
        return ca::Issuer::make(std::move(root), std::move(key), {}).value();
    }
    static ca::Csr request(const std::string& serial) {
        const auto key = ca::PrivateKey::generate(ca::KeyKind::P256).value();
        const auto pem = ca::make_csr(key, {{{"2.5.4.3", "device"}, {"2.5.4.5", serial}}, {}, {}});
        return ca::Csr::parse(bytes_of(pem.value())).value();
    }
    std::unique_ptr<store::Store> open() const { return registry::open(directory / "db").value(); }
};

[[noreturn]] void die() {
    ::kill(::getpid(), SIGKILL);
    ::_exit(9);
}

/// The child's life: issues by the steps of flows::issue, tells its parent what it has signed
/// before anybody else could know, and dies.
[[noreturn]] void issue_and_die(const World& world, Step step, int pipe) {
    const auto store = world.open();
    registry::StoreLedger ledger(*store);
    auto prepared = world.issuer.prepare(world.csr, world.profile, kNow);
    if (!prepared) ::_exit(2);
    if (step == Step::AfterPrepare) die();
    auto recorded = ledger.record(std::move(*prepared), "station:line-1", kNow);
    if (!recorded) ::_exit(3);
    if (step == Step::AfterLedger) die();
    auto certificate = world.issuer.sign(std::move(*recorded));
    if (!certificate) ::_exit(4);
    const Bytes& der = certificate->der();
    if (::write(pipe, der.data(), der.size()) != static_cast<ssize_t>(der.size())) ::_exit(5);
    if (step == Step::AfterSign) die();
    auto stored = store->write([&](store::Tx& tx) -> Result<> {
        auto completed = registry::StoreLedger::complete_in(tx, *certificate, kNow);
        if (step == Step::InStore) die();
        return completed;
    });
    if (!stored) ::_exit(6);
    die();
}

/// The bytes that the child signed, or none.
Bytes run_child(const World& world, Step step) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        issue_and_die(world, step, ends[1]);
    }
    ::close(ends[1]);
    Bytes der(8192);
    std::size_t size = 0;
    for (ssize_t got = 0; (got = ::read(ends[0], der.data() + size, der.size() - size)) > 0;)
        size += static_cast<std::size_t>(got);
    ::close(ends[0]);
    der.resize(size);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    return der;
}

class IssueKill : public ::testing::TestWithParam<Step> {};

TEST_P(IssueKill, LeavesNoSignatureThatNobodyKnows) {
    const World world;
    static_cast<void>(world.open());  // the schema is not what is killed here
    const Bytes der = run_child(world, GetParam());
    EXPECT_EQ(der.empty(), GetParam() < Step::AfterSign);

    const auto store = world.open();
    const auto rows =
        store->read([](store::Reader& reader) { return registry::ledger_rows(reader, 0, 10); });
    ASSERT_TRUE(rows);
    EXPECT_EQ(rows->size(), GetParam() == Step::AfterPrepare ? 0U : 1U);
    if (!der.empty()) {
        const auto certificate = ca::Certificate::from_der(der).value();
        const auto revoked = store->write([&](store::Tx& tx) {
            return registry::revoke(tx,
                                    world.issuer.certificate().id(),
                                    certificate.fields().serial_number,
                                    ca::RevocationReason::KeyCompromise,
                                    "test",
                                    kNow);
        });
        EXPECT_TRUE(revoked) << to_string(revoked.error());
        const auto listed = store->read([&](store::Reader& reader) {
            return registry::revocations_of(reader, world.issuer.certificate().id(), std::nullopt);
        });
        ASSERT_EQ(listed.value().size(), 1U);
        EXPECT_EQ(listed->front().serial_number, certificate.fields().serial_number);
    }
    registry::StoreLedger ledger(*store);
    const auto again = issue(*store,
                             ledger,
                             world.issuer,
                             World::request("SN-1"),
                             world.profile,
                             "station:line-1",
                             kNow);
    EXPECT_TRUE(again) << "the device is locked out: " << to_string(again.error());
    const auto sound =
        store->read([](store::Reader& reader) { return registry::verify_ledger(reader); });
    EXPECT_TRUE(sound) << to_string(sound.error());
}

INSTANTIATE_TEST_SUITE_P(Steps,
                         IssueKill,
                         ::testing::Values(Step::AfterPrepare,
                                           Step::AfterLedger,
                                           Step::AfterSign,
                                           Step::InStore,
                                           Step::AfterStore));

}  // namespace
}  // namespace hatchery::flows
