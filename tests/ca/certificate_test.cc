#include "ca/certificate.h"

#include "tests/ca/support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hatchery::ca {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Certificate golden(const std::string& name) {
    return Certificate::from_pem(data(name)).value();
}

std::string openssl_x509(const std::string& file, const std::string& options) {
    auto text =
        run("openssl x509 -noout " + options + " -in " + HATCHERY_TEST_DATA + "/ca/" + file).output;
    if (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

TEST(Certificate, ReadsTheVersionOneLeafOfATutorialDevice) {
    const auto leaf = golden("cert_v1_leaf.pem");
    const auto& fields = leaf.fields();
    EXPECT_EQ(fields.version, 1);
    EXPECT_EQ(leaf.serial_hex(), "921285cbb7a5e086");
    EXPECT_EQ(leaf.serial_decimal(), "10525622389124227206");
    EXPECT_EQ(fields.subject.to_string(), "dnQualifier=q7,OU=Devices,O=Example,CN=HWMODEL-1");
    EXPECT_EQ(fields.issuer.to_string(), "CN=Tutorial Root,O=Example");
    EXPECT_EQ(fields.key_algorithm, "RSA");
    EXPECT_EQ(fields.key_bits, 2048);
    EXPECT_EQ(fields.curve, "");
    EXPECT_EQ(fields.signature_algorithm, "sha256WithRSAEncryption");
    EXPECT_FALSE(fields.is_ca);
    EXPECT_TRUE(fields.subject_key_identifier.empty());
    EXPECT_TRUE(fields.authority_key_identifier.empty());
    EXPECT_EQ(
        "notBefore=" + to_iso8601(fields.not_before) + "\nnotAfter=" + to_iso8601(fields.not_after),
        [] {
            auto text = openssl_x509("cert_v1_leaf.pem", "-dates -dateopt iso_8601");
            for (auto& c : text) {
                if (c == ' ') c = 'T';
            }
            return text;
        }());
    EXPECT_TRUE(check_issued_by(leaf, golden("cert_tutorial_root.pem"), kNow));
}

TEST(Certificate, IdIsTheFingerprintThatOpensslPrints) {
    const auto leaf = golden("cert_v1_leaf.pem");
    auto theirs = openssl_x509("cert_v1_leaf.pem", "-fingerprint -sha256");
    theirs = theirs.substr(theirs.find('=') + 1);
    std::erase(theirs, ':');
    EXPECT_EQ(leaf.id(), CertificateId::parse(theirs).value());
    EXPECT_EQ(leaf.id().hex().size(), 64U);
}

TEST(Certificate, ReadsDerAndWritesThePemItRead) {
    const auto der = data("cert_v1_leaf.der");
    const auto certificate = Certificate::from_der(bytes_of(der)).value();
    EXPECT_EQ(certificate.pem(), data("cert_v1_leaf.pem"));
    EXPECT_EQ(text_of(certificate.der()), der);
}

TEST(Certificate, ReadsEveryCertificateOfABundleInOrder) {
    const auto bundle = "bag attributes\n" + data("cert_bundle.pem") + data("key_sec1_p256.pem");
    const auto all = Certificate::all_from_pem(bundle).value();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].id(), golden("cert_v1_leaf.pem").id());
    EXPECT_EQ(all[1].id(), golden("cert_tutorial_root.pem").id());
    EXPECT_EQ(Certificate::from_pem(bundle)->id(), all[0].id());
}

TEST(Certificate, RefusesWhatIsNotOneDerCertificate) {
    const auto der = data("cert_v1_leaf.der");
    const std::pair<std::string, const char*> rows[] = {
        {"", "expected a DER certificate, found bytes that do not parse as one"},
        {"hello", "expected a DER certificate, found bytes that do not parse as one"},
        {der.substr(0, der.size() - 1),
         "expected a DER certificate, found bytes that do not parse as one"},
        {data("csr_p256.der"), "expected a DER certificate, found bytes that do not parse as one"},
        {data("cert_trailing_garbage.der"), "expected one certificate, found 2 bytes after it"},
        {std::string(65537, '0'), "expected a certificate of at most 65536 bytes, found 65537"}};
    for (const auto& [bytes, message] : rows) {
        const auto certificate = Certificate::from_der(bytes_of(bytes));
        ASSERT_FALSE(certificate);
        EXPECT_EQ(certificate.error().code, Code::CertificateInvalid);
        EXPECT_EQ(certificate.error().message, message);
    }
}

TEST(Certificate, RefusesAnotherEncodingOfTheSameCertificate) {
    // The outer SEQUENCE's length in one octet more than needed: BER, another id, the same
    // certificate to a lax reader.
    const auto der = data("cert_v1_leaf.der");
    ASSERT_EQ(static_cast<unsigned char>(der[1]), 0x82);
    const std::string ber = der.substr(0, 1) + '\x83' + '\0' + der.substr(2);
    EXPECT_EQ(Certificate::from_der(bytes_of(ber)).error().message,
              "expected a certificate in DER, found another encoding of it");
}

TEST(Certificate, RefusesPemWithoutACertificateOrCutShort) {
    const auto pem = data("cert_v1_leaf.pem");
    const std::pair<std::string, const char*> rows[] = {
        {"", "expected a PEM certificate, found none"},
        {data("csr_p256.pem"), "expected a PEM certificate, found none"},
        {pem.substr(0, 300), "expected a line -----END CERTIFICATE-----"},
        {"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
         "expected base64 inside the PEM block CERTIFICATE"},
        {"-----BEGIN CERTIFICATE", "expected \"-----\" after the PEM label"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
         "expected a DER certificate, found bytes that do not parse as one"}};
    for (const auto& [text, message] : rows) {
        const auto one = Certificate::from_pem(text);
        ASSERT_FALSE(one);
        EXPECT_EQ(one.error().code, Code::CertificateInvalid);
        EXPECT_EQ(one.error().message, message);
        EXPECT_EQ(Certificate::all_from_pem(text).error().message, message);
    }
    EXPECT_EQ(Certificate::from_pem(std::string(1048577, ' ')).error().message,
              "expected at most 1048576 bytes of PEM, found 1048577");
}

TEST(Certificate, ReadsOddSerialNumbersOfForeignCas) {
    EXPECT_EQ(golden("cert_negative_serial.pem").serial_hex(), "05");
    EXPECT_EQ(golden("cert_oversized_serial.pem").serial_hex(),
              "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    EXPECT_EQ(golden("cert_oversized_serial.pem").serial_decimal(),
              "1780731860627700044960722568376592200742329637303199754547598369979440671");
}

TEST(Certificate, TurnsEveryStringTypeOfANameIntoUtf8) {
    for (const char* file : {"cert_name_t61.pem", "cert_name_bmp.pem", "cert_name_utf8.pem"}) {
        const auto certificate = golden(file);
        EXPECT_EQ(certificate.fields().subject.to_string(), "CN=Gerät,O=Müller") << file;
        EXPECT_EQ(certificate.fields().subject.first(oid::kCommonName), "Gerät");
        EXPECT_FALSE(certificate.fields().subject.first(oid::kCountry));
    }
}

TEST(Certificate, PrintsNamesAsRfc4514Does) {
    const auto subject = golden("cert_name_escaped.pem").fields().subject;
    EXPECT_EQ(subject.to_string(), "CN=a+serialNumber=7,OU=\\#x,O=A\\, B \\+ C,C=DE");
    // OpenSSL turns the members of one RDN around too; among themselves they have no order.
    EXPECT_EQ(openssl_x509("cert_name_escaped.pem", "-subject -nameopt RFC2253,sname"),
              "subject=serialNumber=7+CN=a,OU=\\#x,O=A\\, B \\+ C,C=DE");
    ASSERT_EQ(subject.attributes.size(), 5U);
    EXPECT_EQ(subject.attributes[3].rdn, subject.attributes[4].rdn);
    EXPECT_EQ(subject.attributes[1].value, "A, B + C");
}

TEST(Certificate, ReadsSubjectAlternativeNames) {
    const auto certificate = golden("cert_alt_names.pem");
    const auto& fields = certificate.fields();
    EXPECT_THAT(fields.dns_names, ElementsAre("one.example.com"));
    EXPECT_THAT(fields.ip_addresses, ElementsAre("192.0.2.7", "2001:db8::1"));
    EXPECT_THAT(fields.email_addresses, ElementsAre("a@example.com"));
    EXPECT_THAT(fields.uris, ElementsAre("urn:dev:7"));
}

TEST(Certificate, RefusesWeakKeysAndDigests) {
    EXPECT_EQ(check_algorithms(golden("cert_rsa1024.pem")).error().message,
              "The key in the certificate is not valid: expected RSA of at least 2048 bits, found "
              "1024");
    EXPECT_EQ(check_algorithms(golden("cert_explicit_curve.pem")).error().message,
              "The key in the certificate is not valid: expected RSA, P-256, P-384, P-521 or "
              "Ed25519, found explicit curve parameters");
    EXPECT_EQ(check_algorithms(golden("cert_sha1.pem")).error().message,
              "expected a signature with SHA-256, SHA-384, SHA-512 or Ed25519, found "
              "sha1WithRSAEncryption");
    for (const char* file : {"cert_v1_leaf.pem", "cert_name_utf8.pem"}) {
        EXPECT_TRUE(check_algorithms(golden(file))) << file;
    }
}

TEST(Certificate, AcceptsEd25519AndP384) {
    for (const auto kind : {KeyKind::Ed25519, KeyKind::P384}) {
        const TestCa ca(kind);
        EXPECT_TRUE(check_algorithms(ca.root));
        EXPECT_TRUE(check_issued_by(ca.issuer.certificate(), ca.root, kNow));
    }
}

TEST(Certificate, ValidityIncludesItsFirstAndLastSecond) {
    const TestCa ca;
    const auto& fields = ca.root.fields();
    using namespace std::chrono_literals;
    EXPECT_TRUE(check_validity(ca.root, fields.not_before));
    EXPECT_TRUE(check_validity(ca.root, fields.not_after));
    EXPECT_EQ(check_validity(ca.root, fields.not_before - 1s).error().message,
              "the certificate \"CN=Test Root\" is not valid before 2029-12-31T23:00:00Z, now is "
              "2029-12-31T22:59:59Z");
    EXPECT_EQ(check_validity(ca.root, fields.not_after + 1s).error().message,
              "the certificate \"CN=Test Root\" expired at 2059-12-24T23:59:59Z, now is "
              "2059-12-25T00:00:00Z");
}

TEST(Certificate, NamesTheCaAndTheDateWhenTheCaIsExpired) {
    TestCa ca;
    auto profile = shipped("device");
    profile.no_expiry = true;
    const auto key = PrivateKey::generate(KeyKind::P256).value();
    const auto leaf = ca.issue(csr_of(key, {{{"2.5.4.3", "dev"}}, {}, {}}), profile).value();
    const auto later = kNow + std::chrono::hours(24 * 365 * 40);
    const auto checked = check_issued_by(leaf, ca.issuer.certificate(), later);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, Code::CertificateInvalid);
    EXPECT_EQ(checked.error().message,
              "the CA \"CN=Test Issuing CA\" expired at 2049-12-26T23:59:59Z, now is "
              "2069-12-22T00:00:00Z");
}

TEST(Certificate, TellsTheIssuerByNameAndSignature) {
    TestCa ca;
    const TestCa same_names;
    const auto key = PrivateKey::generate(KeyKind::P256).value();
    const auto leaf =
        ca.issue(csr_of(key, {{{"2.5.4.3", "dev"}}, {}, {}}), shipped("device")).value();
    EXPECT_TRUE(check_issued_by(leaf, ca.issuer.certificate(), kNow));
    EXPECT_EQ(check_issued_by(leaf, same_names.issuer.certificate(), kNow).error().message,
              "the certificate's signature is not one of \"CN=Test Issuing CA\"");
    EXPECT_EQ(check_issued_by(leaf, ca.root, kNow).error().message,
              "expected the issuer name \"CN=Test Root\", found \"CN=Test Issuing CA\"");
    EXPECT_EQ(check_issued_by(leaf, leaf, kNow).error().message,
              "the issuer \"CN=dev\" is no CA: expected basicConstraints CA:TRUE");
}

TEST(Certificate, RefusesALeafWhoseContentWasChanged) {
    TestCa ca;
    const auto key = PrivateKey::generate(KeyKind::P256).value();
    const auto leaf =
        ca.issue(csr_of(key, {{{"2.5.4.3", "device-1"}}, {}, {}}), shipped("device")).value();
    std::string der(text_of(leaf.der()));
    der.replace(der.find("device-1"), 8, "device-2");
    const auto changed = Certificate::from_der(bytes_of(der)).value();
    EXPECT_EQ(changed.fields().subject.to_string(), "CN=device-2");
    EXPECT_THAT(check_issued_by(changed, ca.issuer.certificate(), kNow).error().message,
                HasSubstr("the certificate's signature is not one of"));
}

TEST(Certificate, NoChangedByteCrashesTheParser) {
    const auto der = data("cert_v1_leaf.der");
    const auto root = golden("cert_tutorial_root.pem");
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < der.size(); ++i) {
        for (const char flip : {'\x01', '\x80', '\xff'}) {
            auto changed = der;
            changed[i] = static_cast<char>(changed[i] ^ flip);
            const auto certificate = Certificate::from_der(bytes_of(changed));
            if (certificate && check_issued_by(*certificate, root, kNow)) ++accepted;
        }
    }
    EXPECT_EQ(accepted, 0U);
}

}  // namespace
}  // namespace hatchery::ca
