// Revocation lists as OpenSSL's path validation uses them: each shard for its own certificates.
#include "ca/crl.h"

#include "tests/ca/support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace hatchery::ca {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// Root and issuing CA whose certificates name their lists from the start.
struct ShardedCa {
    ShardedCa() {
        auto prepared = ca.root_issuer.prepare(
            csr_of(key, {{{"2.5.4.3", "Sharded CA"}}, {}, {}}), with_status("sub-ca"), kNow);
        auto recorded = ca.ledger.record(std::move(prepared.value()), "test", kNow);
        issuer.emplace(
            Issuer::make(ca.root_issuer.sign(std::move(recorded.value())).value(), key, {ca.root})
                .value());
    }
    Certificate issue() {
        auto prepared = issuer->prepare(csr, with_status("device"), kNow);
        return issuer->sign(ca.ledger.record(std::move(prepared.value()), "test", kNow).value())
            .value();
    }
    TestCa ca;
    PrivateKey key = PrivateKey::generate(KeyKind::P256).value();
    Csr csr = Csr::parse(bytes_of(data("csr_p256.pem"))).value();
    std::optional<Issuer> issuer;
};

/// A list as PEM in `folder`; `shard` nothing: the list of all, without a distribution point.
std::string write_list(const TempFolder& folder,
                       const std::string& name,
                       const Issuer& issuer,
                       std::optional<unsigned> shard,
                       std::vector<RevokedCertificate> revoked) {
    CrlContent content{7, kNow, kNow + 24h, {}, std::move(revoked)};
    if (shard) {
        for (const auto& url : with_status("device").crl_urls)
            content.distribution_urls.push_back(expand_url(url, issuer.certificate(), shard));
    }
    const Bytes der = make_crl(issuer.certificate(), issuer.key(), content).value();
    const auto file = folder.write(name + ".der", text_of(der));
    const auto pem = folder.path(name + ".pem");
    const auto made = run("openssl crl -inform DER -in " + file + " -out " + pem);
    EXPECT_EQ(made.exit_code, 0) << made.output;
    return pem;
}

TEST(Crl, OpensslChecksEveryShardOfLeafAndCa) {
    const TempFolder folder;
    ShardedCa sharded;
    const auto& ca_certificate = sharded.issuer->certificate();
    folder.write("root.pem", sharded.ca.root.pem());
    folder.write("issuing.pem", ca_certificate.pem());
    // Of each shard one certificate that is good and one that is revoked.
    std::map<unsigned, std::vector<Certificate>> shards;
    for (std::size_t complete = 0; complete < kCrlShards;) {
        auto leaf = sharded.issue();
        auto& of_shard = shards[crl_shard(leaf.fields().serial_number)];
        if (of_shard.size() == 2) continue;
        of_shard.push_back(std::move(leaf));
        if (of_shard.size() == 2) ++complete;
    }
    // As shipped, a CA's own certificate names no list: the root's list of everything is for it.
    const std::string of_root =
        " -CRLfile " + write_list(folder, "of-root", sharded.ca.root_issuer, {}, {});
    const std::string verify =
        "openssl verify -x509_strict -crl_check_all -attime 1893456000 "
        "-CAfile " +
        folder.path("root.pem") + " -untrusted " + folder.path("issuing.pem");
    std::string before;
    for (const auto& [shard, leaves] : shards) {
        const auto& revoked = leaves[1];
        const auto list =
            write_list(folder,
                       std::to_string(shard),
                       *sharded.issuer,
                       shard,
                       {{revoked.fields().serial_number, kNow, RevocationReason::KeyCompromise}});
        const auto check = [&](const Certificate& leaf, const std::string& lists) {
            return run(verify + lists + " " + folder.write("leaf.pem", leaf.pem()));
        };
        const auto good = check(leaves[0], of_root + " -CRLfile " + list);
        EXPECT_EQ(good.exit_code, 0) << shard << ": " << good.output;
        EXPECT_THAT(check(revoked, of_root + " -CRLfile " + list).output,
                    HasSubstr("certificate revoked"))
            << shard;
        // Another shard's list says nothing about these.
        if (!before.empty()) {
            EXPECT_THAT(check(revoked, of_root + " -CRLfile " + before).output,
                        HasSubstr("ifferent CRL scope"))
                << shard;
        }
        before = list;
    }
    // The CA itself revoked: none of its certificates is good.
    const auto ca_list =
        write_list(folder,
                   "root-revokes",
                   sharded.ca.root_issuer,
                   {},
                   {{ca_certificate.fields().serial_number, kNow, RevocationReason::CaCompromise}});
    const auto last = run(verify + " -CRLfile " + ca_list + " -CRLfile " + before + " " +
                          folder.write("leaf.pem", shards.rbegin()->second[0].pem()));
    EXPECT_THAT(last.output, HasSubstr("certificate revoked"));
}

TEST(Crl, GnutlsReadsAListAndAnEmptyOneHasNoEmptyElement) {
    const TempFolder folder;
    ShardedCa sharded;
    const auto issuing = folder.write("issuing.pem", sharded.issuer->certificate().pem());
    for (const bool is_empty : {true, false}) {
        std::vector<RevokedCertificate> revoked;
        if (!is_empty) {
            revoked.push_back({sharded.issue().fields().serial_number, kNow});
            revoked.push_back(
                {sharded.issue().fields().serial_number, kNow, RevocationReason::CertificateHold});
        }
        const auto list = write_list(folder, "list", *sharded.issuer, 3, revoked);
        const auto theirs =
            run("certtool --verify-crl --load-ca-certificate " + issuing + " --infile " + list);
        // It knows no time to verify at; the year is its only complaint.
        EXPECT_THAT(theirs.output,
                    HasSubstr("Verification output: Not verified.  The certificate is NOT trusted. "
                              "The revocation or OCSP data are issued with a future date. \n"));
        const auto text = run("openssl crl -noout -text -CAfile " + issuing + " -in " + list);
        EXPECT_THAT(text.output, HasSubstr("verify OK"));
        EXPECT_THAT(text.output, HasSubstr("X509v3 Issuing Distribution Point: critical"));
        EXPECT_THAT(text.output, HasSubstr("X509v3 CRL Number: \n                7"));
        EXPECT_EQ(text.output.find("No Revoked Certificates.") != std::string::npos, is_empty);
    }
}

TEST(Crl, IsNotMadeWithoutANumberAnEndOrItsOwnKey) {
    const TestCa ca;
    const auto& certificate = ca.issuer.certificate();
    EXPECT_FALSE(make_crl(certificate, ca.issuer.key(), {0, kNow, kNow + 1h, {}, {}}));
    EXPECT_FALSE(make_crl(certificate, ca.issuer.key(), {1, kNow, kNow, {}, {}}));
    EXPECT_EQ(make_crl(certificate, ca.root_key, {1, kNow, kNow + 1h, {}, {}}).error().message,
              "the key does not belong to the CRL's issuer");
}

}  // namespace
}  // namespace hatchery::ca
