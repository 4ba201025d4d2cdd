#include "ca/issuer.h"

#include "ca/serial.h"
#include "tests/ca/support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <thread>

namespace hatchery::ca {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Csr golden(const std::string& name) {
    return Csr::parse(bytes_of(data(name))).value();
}

/// A recorded Prepared out of a ledger that does nothing else.
Recorded recorded(MemoryLedger& ledger, Result<Prepared> prepared) {
    return ledger.record(std::move(prepared.value()), "test", kNow).value();
}

TEST(Issuer, OpensslVerifiesEveryChainStrictly) {
    const TempFolder folder;
    for (const auto kind : {KeyKind::Rsa2048, KeyKind::P256, KeyKind::P384, KeyKind::Ed25519}) {
        TestCa ca(kind);
        folder.write("root.pem", ca.root.pem());
        folder.write("issuing.pem", ca.issuer.certificate().pem());
        const auto device = ca.issue(golden("csr_p256.pem"), shipped("device")).value();
        const auto server = ca.issue(golden("csr_alt_names.pem"), shipped("server")).value();
        const std::string verify = "openssl verify -x509_strict -attime 1893456000 -CAfile " +
                                   folder.path("root.pem") + " -untrusted " +
                                   folder.path("issuing.pem") + " ";
        const auto client =
            run(verify + "-purpose sslclient " + folder.write("device.pem", device.pem()));
        EXPECT_EQ(client.exit_code, 0) << client.output;
        const auto named = run(verify + "-purpose sslserver -verify_hostname one.example.com " +
                               folder.write("server.pem", server.pem()));
        EXPECT_EQ(named.exit_code, 0) << named.output;
        // And a device certificate is good for nothing else.
        EXPECT_NE(run(verify + "-purpose sslserver " + folder.path("device.pem")).exit_code, 0);
    }
}

TEST(Issuer, DeviceCertificateSaysExactlyThis) {
    const TempFolder folder;
    TestCa ca;
    const auto leaf = ca.issue(golden("csr_p256.pem"), shipped("device")).value();
    const auto text = run("openssl x509 -noout -ext basicConstraints,keyUsage,extendedKeyUsage,"
                          "subjectAltName -in " +
                          folder.write("leaf.pem", leaf.pem()))
                          .output;
    EXPECT_EQ(text,
              "X509v3 Basic Constraints: critical\n"
              "    CA:FALSE\n"
              "X509v3 Key Usage: critical\n"
              "    Digital Signature\n"
              "X509v3 Extended Key Usage: \n"
              "    TLS Web Client Authentication\n");
    const auto& fields = leaf.fields();
    EXPECT_EQ(fields.version, 3);
    EXPECT_EQ(fields.subject.to_string(), "serialNumber=SN-0001,CN=Model 7,OU=Sensors,O=Example");
    EXPECT_EQ(fields.issuer_der, ca.issuer.certificate().fields().subject_der);
    EXPECT_EQ(fields.authority_key_identifier,
              ca.issuer.certificate().fields().subject_key_identifier);
    EXPECT_EQ(fields.subject_key_identifier.size(), 20U);
    EXPECT_EQ(fields.public_key_der, golden("csr_p256.pem").fields().public_key_der);
    EXPECT_EQ(to_iso8601(fields.not_before), "2029-12-31T23:00:00Z");
    EXPECT_EQ(to_iso8601(fields.not_after), "2039-12-29T23:59:59Z");
    EXPECT_EQ(fields.signature_algorithm, "ecdsa-with-SHA256");
}

TEST(Issuer, SubjectKeyIdentifierIsTheOneThatOpensslComputes) {
    const TempFolder folder;
    TestCa ca;
    const auto key = folder.write("key.pem", data("key_sec1_p256.pem"));
    const auto theirs = run("openssl req -x509 -new -subj /CN=x -key " + key + " -out " +
                            folder.path("theirs.pem"));
    ASSERT_EQ(theirs.exit_code, 0) << theirs.output;
    EXPECT_EQ(ca.issue(golden("csr_p256.pem"), shipped("device"))->fields().subject_key_identifier,
              Certificate::from_pem(folder.read("theirs.pem"))->fields().subject_key_identifier);
}

TEST(Issuer, BackdatesForDevicesWhoseClockIsBehind) {
    TestCa ca;
    const auto leaf = ca.issue(golden("csr_p256.pem"), shipped("device"), kNow + 24h).value();
    EXPECT_EQ(to_iso8601(leaf.fields().not_before), "2030-01-01T23:00:00Z");
    auto profile = shipped("device");
    profile.backdate = 48h;  // but never to before the CA itself
    const auto early = ca.issue(golden("csr_p256.pem"), profile).value();
    EXPECT_EQ(early.fields().not_before, ca.issuer.certificate().fields().not_before);
}

TEST(Issuer, CapsTheEndAtTheIssuersOwnUnlessTheProfileIsUnlimited) {
    const TempFolder folder;
    TestCa ca;
    auto profile = shipped("device");
    profile.validity = std::chrono::hours(24 * 365 * 25);
    const auto capped = ca.issue(golden("csr_p256.pem"), profile).value();
    EXPECT_EQ(capped.fields().not_after, ca.issuer.certificate().fields().not_after);
    profile.no_expiry = true;
    const auto unlimited = ca.issue(golden("csr_p256.pem"), profile).value();
    EXPECT_EQ(to_iso8601(unlimited.fields().not_after), "9999-12-31T23:59:59Z");
    EXPECT_THAT(run("openssl asn1parse -in " + folder.write("leaf.pem", unlimited.pem())).output,
                HasSubstr("GENERALIZEDTIME   :99991231235959Z"));
}

TEST(Issuer, WritesUtcTimeThrough2049AndGeneralizedTimeFrom2050) {
    const TempFolder folder;
    const auto key = PrivateKey::generate(KeyKind::P256).value();
    const Time from = std::chrono::sys_days{std::chrono::year{2049} / 12 / 31};
    const auto last = make_root(key, "x", 24h, from).value();
    EXPECT_THAT(run("openssl asn1parse -in " + folder.write("a.pem", last.pem())).output,
                HasSubstr("UTCTIME           :491231235959Z"));
    const auto first = make_root(key, "x", 24h + 1s, from).value();
    EXPECT_THAT(run("openssl asn1parse -in " + folder.write("b.pem", first.pem())).output,
                HasSubstr("GENERALIZEDTIME   :20500101000000Z"));
    EXPECT_EQ(to_iso8601(first.fields().not_after), "2050-01-01T00:00:00Z");
}

TEST(Issuer, SignedBytesAreTheRecordedBytes) {
    for (const auto kind : {KeyKind::Rsa2048, KeyKind::P256, KeyKind::Ed25519}) {
        TestCa ca(kind);
        auto prepared = ca.issuer.prepare(golden("csr_p256.pem"), shipped("device"), kNow);
        const Bytes tbs = prepared->tbs();
        const Bytes serial = prepared->serial_number();
        auto token = recorded(ca.ledger, std::move(prepared));
        EXPECT_EQ(ca.ledger.recorded.back(), tbs);
        const auto leaf = ca.issuer.sign(std::move(token)).value();
        EXPECT_EQ(leaf.fields().serial_number, serial);
        // Certificate ::= SEQUENCE { tbsCertificate, … }: behind the outer header of 4 octets.
        ASSERT_GT(leaf.der().size(), 4 + tbs.size());
        EXPECT_EQ(Bytes(leaf.der().begin() + 4,
                        leaf.der().begin() + 4 + static_cast<std::ptrdiff_t>(tbs.size())),
                  tbs);
    }
}

TEST(Issuer, SignsNothingThatTheLedgerCouldNotWrite) {
    TestCa ca;
    ca.ledger.broken = true;
    const auto refused = ca.issue(golden("csr_p256.pem"), shipped("device"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::Unavailable);
    EXPECT_EQ(refused.error().message, "the ledger cannot be written");
    // There is no other way to a Recorded: not by default, by copy, or out of a Prepared.
    static_assert(!std::is_default_constructible_v<Recorded>);
    static_assert(!std::is_copy_constructible_v<Recorded>);
    static_assert(!std::is_constructible_v<Recorded, Prepared>);
    static_assert(!std::is_copy_constructible_v<Prepared>);
    static_assert(!std::is_default_constructible_v<Prepared>);
}

TEST(Issuer, SpendsATokenOnceAndOnlyItsOwn) {
    TestCa ca;
    TestCa other;
    auto token =
        recorded(ca.ledger, ca.issuer.prepare(golden("csr_p256.pem"), shipped("device"), kNow));
    Recorded moved = std::move(token);
    const auto spent =
        ca.issuer.sign(std::move(token));  // NOLINT(bugprone-use-after-move): the point
    EXPECT_EQ(spent.error().message, "the recorded certificate is spent or was prepared elsewhere");
    EXPECT_EQ(other.issuer.sign(std::move(moved)).error().code, Code::Internal);
}

TEST(Issuer, PreparedSaysWhatTheLedgerNeeds) {
    TestCa ca;
    auto profile = shipped("device");
    profile.one_per_device = true;
    const auto csr = golden("csr_p256.pem");
    const auto prepared = ca.issuer.prepare(csr, profile, kNow).value();
    EXPECT_EQ(prepared.profile(), "device");
    EXPECT_EQ(prepared.device_serial(), "SN-0001");
    EXPECT_TRUE(prepared.one_per_device());
    EXPECT_EQ(prepared.issuer_id(), ca.issuer.certificate().id());
    EXPECT_EQ(prepared.public_key_der(), csr.fields().public_key_der);
    const auto none = ca.issuer.prepare(golden("csr_rsa2048.pem"), profile, kNow);
    EXPECT_EQ(to_string(none.error()),
              "CSR.subject.serialNumber: profile \"device\" gives one certificate a device and "
              "needs its serialNumber");
}

struct Refusal {
    const char* file;
    const char* where;
    std::string message;
};

TEST(Issuer, RefusesRequestsOutsideTheProfileAndSaysWhy) {
    TestCa ca;
    const std::string keys =
        "profile \"device\" takes RSA-2048, RSA-3072, RSA-4096, P-256, P-384, Ed25519, found ";
    const Refusal rows[] = {
        {"csr_broken_signature.pem",
         "CSR.signature",
         "the request's self-signature does not verify with its own key"},
        {"csr_rsa1024.pem", "CSR.key", "weak key: expected RSA of at least 2048 bits, found 1024"},
        {"csr_explicit_curve.pem",
         "CSR.key",
         "expected a curve given by name, found explicit curve parameters"},
        {"csr_secp256k1.pem", "CSR.key", keys + "the curve secp256k1"},
        {"csr_dsa.pem", "CSR.key", keys + "DSA"},
        {"csr_rsa_exponent_one.pem",
         "CSR.key",
         "weak key: expected an odd RSA exponent of at least 65537, found 1"},
        {"csr_ca_true.pem",
         "CSR.extensions",
         "the request asks for a CA certificate, profile \"device\" makes none"},
        {"csr_key_cert_sign.pem",
         "CSR.extensions",
         "keyUsage keyCertSign is not in profile \"device\", which has digitalSignature"},
        {"csr_code_signing.pem",
         "CSR.extensions",
         "extendedKeyUsage 1.3.6.1.5.5.7.3.3 is not in profile \"device\", which has clientAuth"},
        {"csr_unknown_extension.pem",
         "CSR.extensions",
         "the requested extension 1.2.3.4.5 is not allowed"},
        {"csr_extension_twice.pem",
         "CSR.extensions",
         "the requested extension 2.5.29.17 is there twice"},
        {"csr_alt_names.pem",
         "CSR.subjectAltName.dns",
         "profile \"device\" takes no such name, found \"one.example.com\""},
        {"csr_directory_name.pem",
         "CSR.subjectAltName",
         "expected DNS names, IP addresses, e-mail addresses or URIs, found another kind of name"},
        {"csr_title.pem",
         "CSR.subject.title",
         "profile \"device\" takes no such attribute, only CN, serialNumber, O, OU, C, ST, L, "
         "dnQualifier"},
        {"csr_two_common_names.pem", "CSR.subject.CN", "expected the attribute once"},
        {"csr_no_subject.pem", "CSR.subject", "expected a subject that is not empty"},
        {"csr_control_character.pem", "CSR.subject.CN", "expected no control character"},
        {"csr_nul_in_name.pem", "CSR.subject.CN", "expected no control character"},
        {"csr_bits_as_name.pem", "CSR.subject.CN", "expected a character string"}};
    for (const auto& [file, where, message] : rows) {
        const auto prepared = ca.issuer.prepare(golden(file), shipped("device"), kNow);
        ASSERT_FALSE(prepared) << file;
        EXPECT_EQ(prepared.error().code, Code::InvalidRequest) << file;
        EXPECT_EQ(prepared.error().where, where) << file;
        EXPECT_EQ(prepared.error().message, message) << file;
    }
}

TEST(Issuer, PassesOverHarmlessRequestsForWhatTheProfileWritesAnyway) {
    TestCa ca;
    for (const char* file : {"csr_harmless.pem", "csr_two_units.pem", "csr_ed25519.pem"}) {
        const auto leaf = ca.issue(golden(file), shipped("device"));
        EXPECT_TRUE(leaf) << file << ": " << to_string(leaf.error());
    }
}

TEST(Issuer, ChecksValuesAgainstTheirRules) {
    TestCa ca;
    const auto key = PrivateKey::generate(KeyKind::P256).value();
    const auto refusal = [&](const CsrSubject& subject, const char* profile) {
        return to_string(ca.issuer.prepare(csr_of(key, subject), shipped(profile), kNow).error());
    };
    const auto cn = [](std::string value) {
        return CsrSubject{{{"2.5.4.3", std::move(value)}}, {}, {}};
    };
    EXPECT_EQ(refusal(cn(std::string(65, 'x')), "device"),
              "CSR.subject.CN: expected at most 64 characters, found 65");
    EXPECT_EQ(refusal({{{"2.5.4.6", "DEU"}}, {}, {}}, "device"),
              "CSR.subject.C: expected a country code of two letters, found \"DEU\"");
    EXPECT_EQ(refusal(cn(""), "device"), "CSR.subject.CN: expected a value that is not empty");
    EXPECT_EQ(refusal(cn("not-a-code"), "verification"),
              "CSR.subject.CN: expected a value that matches [0-9a-f]{64}, found \"not-a-code\"");
    EXPECT_EQ(refusal({{{"2.5.4.10", "x"}}, {}, {}}, "station"),
              "CSR.subject.CN: profile \"station\" needs this attribute, found none");
    EXPECT_EQ(refusal({{{"2.5.4.3", "x"}}, {"no dots..here"}, {}}, "server"),
              "CSR.subjectAltName.dns: expected a valid name, found \"no dots..here\"");
    EXPECT_TRUE(
        ca.issuer.prepare(csr_of(key, cn(std::string(64, 'a'))), shipped("verification"), kNow));
    std::string umlauts;
    for (int i = 0; i < 64; ++i)
        umlauts += "ü";
    EXPECT_TRUE(ca.issuer.prepare(csr_of(key, cn(umlauts)), shipped("device"), kNow));
}

TEST(Issuer, ChecksEachOfManyRequestsForItself) {
    TestCa ca;
    auto profile = shipped("device");
    for (auto& attribute : profile.subject) {
        if (attribute.oid == oid::kSerialNumber) {
            attribute.pattern = Pattern::compile("SN-[0-9]{4}").value();
        }
    }
    const auto key = PrivateKey::generate(KeyKind::P256).value();
    for (int i = 0; i < 100; ++i) {
        const bool is_good = i * 7 % 3 != 0;
        const std::string serial = (is_good ? "SN-" : "SX-") + std::to_string(1000 + i);
        const auto csr = csr_of(key, {{{"2.5.4.3", "x"}, {"2.5.4.5", serial}}, {}, {}});
        const auto leaf = ca.issue(csr, profile);
        EXPECT_EQ(leaf.has_value(), is_good) << serial;
        const std::string answer = leaf ? leaf->fields().subject.to_string() : leaf.error().message;
        EXPECT_THAT(answer, HasSubstr(serial));
    }
}

TEST(Issuer, FixedAndDefaultValuesComeFromTheProfile) {
    TestCa ca;
    auto profile = shipped("device");
    for (auto& attribute : profile.subject) {
        if (attribute.oid == oid::kOrganization) attribute.fixed = "Fixed Ltd";
    }
    EXPECT_EQ(ca.issue(golden("csr_p256.pem"), profile)->fields().subject.to_string(),
              "O=Fixed Ltd,serialNumber=SN-0001,CN=Model 7,OU=Sensors");
    EXPECT_EQ(
        ca.issue(golden("csr_no_subject.pem"), shipped("claim"))->fields().subject.to_string(),
        "CN=Hatchery Claim");
    EXPECT_EQ(ca.issue(golden("csr_rsa2048.pem"), shipped("claim"))->fields().subject.to_string(),
              "CN=Model 7");
}

TEST(Issuer, TakesEveryAttributeWhenTheProfileSaysAny) {
    TestCa ca;
    auto profile = shipped("device");
    profile.subject.clear();
    profile.subject_any = true;
    EXPECT_EQ(ca.issue(golden("csr_title.pem"), profile)->fields().subject.to_string(),
              "title=Dr,CN=x");
}

TEST(Issuer, DropsWhatAProfileIgnoresInsteadOfRefusing) {
    TestCa ca;
    auto profile = shipped("device");
    profile.subject.resize(1);  // CN
    profile.subject[0].fixed = "AWS IoT Certificate";
    profile.ignore_other_attributes = true;
    profile.ignore_extensions = true;
    for (const char* file : {"csr_title.pem",
                             "csr_two_units.pem",
                             "csr_control_character.pem",
                             "csr_no_subject.pem",
                             "csr_ca_true.pem",
                             "csr_key_cert_sign.pem",
                             "csr_unknown_extension.pem",
                             "csr_alt_names.pem",
                             "csr_directory_name.pem"}) {
        const auto leaf = ca.issue(golden(file), profile);
        ASSERT_TRUE(leaf) << file << ": " << to_string(leaf.error());
        EXPECT_EQ(leaf->fields().subject.to_string(), "CN=AWS IoT Certificate");
        EXPECT_FALSE(leaf->fields().is_ca);
        EXPECT_THAT(leaf->fields().dns_names, IsEmpty());
    }
}

TEST(Issuer, KeyEnciphermentIsForRsaKeysOnly) {
    const TempFolder folder;
    TestCa ca;
    const auto usage = [&](const char* csr) {
        const auto leaf = ca.issue(golden(csr), shipped("server")).value();
        return run("openssl x509 -noout -ext keyUsage -in " + folder.write("l.pem", leaf.pem()))
            .output;
    };
    EXPECT_THAT(usage("csr_rsa2048.pem"), HasSubstr("Digital Signature, Key Encipherment"));
    EXPECT_THAT(usage("csr_alt_names.pem"), HasSubstr("    Digital Signature\n"));
}

TEST(Issuer, MakesNoCaBelowAPathLengthOfZero) {
    TestCa ca;
    const auto refused = ca.issuer.prepare(golden("csr_rsa2048.pem"), shipped("sub-ca"), kNow);
    EXPECT_EQ(refused.error().message,
              "profile \"sub-ca\" makes a CA that the issuer's path length of 0 does not allow");
    EXPECT_EQ(ca.issuer.certificate().fields().path_length, 0);
}

TEST(Issuer, DoesNotPrepareWhenItsOwnCertificateIsOver) {
    const TestCa ca;
    const auto later = kNow + std::chrono::hours(24 * 365 * 21);
    const auto refused = ca.issuer.prepare(golden("csr_p256.pem"), shipped("device"), later);
    EXPECT_EQ(refused.error().code, Code::CertificateInvalid);
    EXPECT_EQ(refused.error().message,
              "the issuing CA: the certificate \"CN=Test Issuing CA\" expired at "
              "2049-12-26T23:59:59Z, now is 2050-12-27T00:00:00Z");
}

TEST(Issuer, IsNotMadeOfPartsThatDoNotBelongTogether) {
    TestCa ca;
    const auto key = PrivateKey::generate(KeyKind::P256).value();
    EXPECT_EQ(Issuer::make(ca.root, key, {}).error().message,
              "the private key does not belong to the certificate \"CN=Test Root\"");
    const auto leaf =
        ca.issue(csr_of(key, {{{"2.5.4.3", "leaf"}}, {}, {}}), shipped("device")).value();
    EXPECT_EQ(Issuer::make(leaf, key, {}).error().message,
              "the certificate \"CN=leaf\" is no CA certificate");
    EXPECT_EQ(Issuer::make(ca.root, ca.root_key, {leaf}).error().message,
              "broken chain: expected the issuer name \"CN=leaf\", found \"CN=Test Root\"");
}

TEST(Issuer, ChainLeavesTheRootOut) {
    TestCa ca;
    const auto leaf = ca.issue(golden("csr_p256.pem"), shipped("device")).value();
    EXPECT_EQ(ca.issuer.chain_pem(leaf), leaf.pem() + ca.issuer.certificate().pem());
    EXPECT_EQ(ca.root_issuer.chain_pem(leaf), leaf.pem());
}

TEST(Issuer, IssuesUnderATutorialRootWithoutKeyIdentifiers) {
    // The tutorial's root has no subjectKeyIdentifier in some tool versions and no keyUsage.
    const TempFolder folder;
    const auto root = Certificate::from_pem(data("cert_tutorial_root.pem")).value();
    const auto key = PrivateKey::from_pem(data("key_pkcs1_rsa2048.pem"), Secret()).value();
    const auto issuer = Issuer::make(root, key, {}).value();
    MemoryLedger ledger;
    auto prepared = issuer.prepare(golden("csr_p256.pem"), shipped("device"), kNow);
    const auto leaf = issuer.sign(recorded(ledger, std::move(prepared))).value();
    EXPECT_TRUE(check_issued_by(leaf, root, kNow));
    EXPECT_EQ(leaf.fields().authority_key_identifier.size(), 20U);
    const auto verified =
        run("openssl verify -attime 1893456000 -CAfile " + folder.write("root.pem", root.pem()) +
            " " + folder.write("leaf.pem", leaf.pem()));
    EXPECT_EQ(verified.exit_code, 0) << verified.output;
}

TEST(Issuer, SerialNumbersArePositiveDistinctAndRandomInEveryBit) {
    constexpr int count = 1'000'000;
    std::vector<Bytes> all;
    all.reserve(count);
    std::array<int, 160> ones{};
    for (int i = 0; i < count; ++i) {
        all.push_back(random_serial());
        const Bytes& serial = all.back();
        ASSERT_EQ(serial.size(), 20U);
        ASSERT_EQ(serial[0] & 0x80, 0);
        ASSERT_NE(serial[0], 0);
        for (std::size_t bit = 0; bit < ones.size(); ++bit)
            ones[bit] += serial[bit / 8] >> (7 - bit % 8) & 1;
    }
    std::ranges::sort(all);
    EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
    EXPECT_EQ(ones[0], 0);
    for (std::size_t bit = 1; bit < ones.size(); ++bit) {
        // 500,000 expected (1/127 more in the first octet, which is never 0), standard deviation
        // 500; nine of them, one chance in 10^18.
        const double expected = bit < 8 ? count * 64.0 / 127 : count * 0.5;
        EXPECT_NEAR(ones[bit], expected, 4500) << "bit " << bit;
    }
}

TEST(Issuer, PreparedSerialNumbersAreThoseOfTheCertificate) {
    TestCa ca;
    std::set<Bytes> seen;
    for (int i = 0; i < 50; ++i) {
        auto prepared = ca.issuer.prepare(golden("csr_ed25519.pem"), shipped("device"), kNow);
        EXPECT_EQ(prepared->serial_number().size(), 20U);
        EXPECT_TRUE(seen.insert(prepared->serial_number()).second);
    }
}

TEST(Issuer, IssuesFromSeveralThreadsAtOnce) {
    const TestCa ca;
    const auto csr = golden("csr_p256.pem");
    const auto profile = shipped("device");
    std::array<std::vector<Certificate>, 4> issued;
    std::vector<std::thread> threads;
    threads.reserve(issued.size());
    for (auto& mine : issued) {
        threads.emplace_back([&] {
            MemoryLedger ledger;
            for (int i = 0; i < 25; ++i) {
                auto token = recorded(ledger, ca.issuer.prepare(csr, profile, kNow));
                mine.push_back(ca.issuer.sign(std::move(token)).value());
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    std::set<Bytes> serials;
    for (const auto& mine : issued) {
        for (const auto& certificate : mine) {
            EXPECT_TRUE(certificate.verify_signed_by(ca.issuer.certificate()));
            EXPECT_TRUE(serials.insert(certificate.fields().serial_number).second);
        }
    }
    EXPECT_EQ(serials.size(), 100U);
}

TEST(Root, IsASelfSignedCaThatOpensslAccepts) {
    const TempFolder folder;
    const auto key = PrivateKey::generate(KeyKind::P256).value();
    const auto root = make_root(key, "Hatchery Root", std::chrono::hours(24 * 365), kNow).value();
    EXPECT_TRUE(root.fields().is_ca);
    EXPECT_FALSE(root.fields().path_length);
    EXPECT_TRUE(check_issued_by(root, root, kNow));
    const auto file = folder.write("root.pem", root.pem());
    const auto verified =
        run("openssl verify -x509_strict -check_ss_sig -attime 1893456000 -CAfile " + file + " " +
            file);
    EXPECT_EQ(verified.exit_code, 0) << verified.output;
    EXPECT_THAT(run("openssl x509 -noout -ext keyUsage,basicConstraints -in " + file).output,
                HasSubstr("critical\n    Certificate Sign, CRL Sign\n"));
    EXPECT_EQ(make_root(key, "", 24h, kNow).error().message,
              "expected a root's common name of 1 to 64 characters and a positive validity");
    EXPECT_FALSE(make_root(key, "x", 0s, kNow));
}

}  // namespace
}  // namespace hatchery::ca
