#include "ca/csr.h"

#include "tests/ca/support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hatchery::ca {
namespace {

using namespace testing;
using ::testing::ElementsAre;

TEST(Csr, ReadsPemOfEitherLabelAndDer) {
    const auto pem = Csr::parse(bytes_of(data("csr_p256.pem"))).value();
    const auto der = Csr::parse(bytes_of(data("csr_p256.der"))).value();
    EXPECT_EQ(pem.fields().der, der.fields().der);
    EXPECT_EQ(pem.fields().subject.to_string(),
              "serialNumber=SN-0001,CN=Model 7,OU=Sensors,O=Example");
    EXPECT_EQ(pem.fields().key_algorithm, "EC");
    EXPECT_EQ(pem.fields().key_bits, 256);
    EXPECT_EQ(pem.fields().curve, "P-256");
    EXPECT_TRUE(pem.fields().extensions.empty());
    EXPECT_TRUE(pem.verify_signature());
    EXPECT_TRUE(Csr::parse(bytes_of(data("csr_new_label.pem"))));
    EXPECT_TRUE(Csr::parse(bytes_of("some text first\r\n" + data("csr_p256.pem") + "and after")));
}

TEST(Csr, AKeyOfOurOwnNeedsNoProof) {
    for (const auto kind : {KeyKind::P256, KeyKind::P384, KeyKind::Ed25519, KeyKind::Rsa2048}) {
        SCOPED_TRACE(to_string(kind));
        const auto key = PrivateKey::generate(kind).value();
        const auto own = Csr::for_own_key(key).value();
        const auto asked = Csr::parse(bytes_of(make_csr(key, {}).value())).value();
        EXPECT_TRUE(own.verify_signature());
        EXPECT_EQ(own.fields().public_key_der, asked.fields().public_key_der);
        EXPECT_EQ(own.fields().key_algorithm, asked.fields().key_algorithm);
        EXPECT_EQ(own.fields().key_bits, asked.fields().key_bits);
        EXPECT_EQ(own.fields().curve, asked.fields().curve);
        EXPECT_EQ(own.fields().subject_der, asked.fields().subject_der);
        EXPECT_TRUE(own.fields().extensions.empty());
    }
}

TEST(Csr, ReadsEveryKindOfKey) {
    const auto rsa = Csr::parse(bytes_of(data("csr_rsa2048.pem"))).value();
    EXPECT_EQ(rsa.fields().key_algorithm, "RSA");
    EXPECT_EQ(rsa.fields().key_bits, 2048);
    EXPECT_TRUE(rsa.verify_signature());
    const auto ed = Csr::parse(bytes_of(data("csr_ed25519.pem"))).value();
    EXPECT_EQ(ed.fields().key_algorithm, "ED25519");
    EXPECT_TRUE(ed.verify_signature());
    const auto explicit_curve = Csr::parse(bytes_of(data("csr_explicit_curve.pem"))).value();
    EXPECT_EQ(explicit_curve.fields().key_algorithm, "EC");
    EXPECT_EQ(explicit_curve.fields().curve, "");
}

TEST(Csr, ReadsRequestedNamesAndExtensions) {
    const auto csr = Csr::parse(bytes_of(data("csr_alt_names.pem"))).value();
    EXPECT_THAT(csr.fields().dns_names, ElementsAre("one.example.com", "*.example.com"));
    EXPECT_THAT(csr.fields().ip_addresses, ElementsAre("192.0.2.7", "2001:db8::1"));
    ASSERT_EQ(csr.fields().extensions.size(), 1U);
    EXPECT_EQ(csr.fields().extensions[0].oid, "2.5.29.17");
    EXPECT_FALSE(csr.fields().extensions[0].critical);
    const auto ca = Csr::parse(bytes_of(data("csr_ca_true.pem"))).value();
    ASSERT_EQ(ca.fields().extensions.size(), 1U);
    EXPECT_EQ(ca.fields().extensions[0].oid, "2.5.29.19");
    EXPECT_TRUE(ca.fields().extensions[0].critical);
    EXPECT_EQ(to_hex(ca.fields().extensions[0].value), "30030101ff");
}

TEST(Csr, RefusesWhatIsNoRequest) {
    const std::pair<std::string, const char*> rows[] = {
        {"", "expected a certificate request in PEM or DER, found neither"},
        {"hello", "expected a certificate request in PEM or DER, found neither"},
        {data("cert_v1_leaf.pem"), "expected a certificate request in PEM or DER, found neither"},
        {data("cert_v1_leaf.der"),
         "expected a certificate request, found bytes that do not parse as one"},
        {data("csr_cut.der"),
         "expected a certificate request, found bytes that do not parse as one"},
        {data("csr_trailing_garbage.der"),
         "expected one certificate request, found 1 bytes after it"},
        {data("csr_p256.pem").substr(0, 200), "expected a line -----END CERTIFICATE REQUEST-----"},
        {data("csr_two_extension_requests.pem"), "expected at most one extensionRequest attribute"},
        {data("csr_malformed_extensions.pem"), "malformed extensionRequest attribute"},
        {data("csr_nul_in_dns_name.pem"), "malformed subjectAltName: expected ASCII text"},
        {std::string(65537, '0'),
         "expected a certificate request of at most 65536 bytes, found 65537"}};
    for (const auto& [text, message] : rows) {
        const auto csr = Csr::parse(bytes_of(text));
        ASSERT_FALSE(csr) << message;
        EXPECT_EQ(csr.error().code, Code::InvalidRequest);
        EXPECT_EQ(csr.error().where, "CSR");
        EXPECT_EQ(csr.error().message, message);
    }
}

TEST(Csr, RefusesABrokenSelfSignature) {
    for (const char* file : {"csr_broken_signature.pem", "csr_broken_subject.pem"}) {
        const auto csr = Csr::parse(bytes_of(data(file)));
        ASSERT_TRUE(csr) << file;
        const auto verified = csr->verify_signature();
        ASSERT_FALSE(verified);
        EXPECT_EQ(verified.error().where, "CSR.signature");
        EXPECT_EQ(verified.error().message,
                  "the request's self-signature does not verify with its own key");
    }
}

TEST(Csr, IsMadeSoThatOpensslVerifiesIt) {
    const TempFolder folder;
    for (const auto kind : {KeyKind::Rsa2048, KeyKind::P256, KeyKind::P384, KeyKind::Ed25519}) {
        const auto key = PrivateKey::generate(kind).value();
        const auto pem = make_csr(key,
                                  {{{"2.5.4.3", "Gerät 1"}, {"2.5.4.5", "SN_1"}},
                                   {"one.example.com"},
                                   {"192.0.2.7", "2001:db8::1"}})
                             .value();
        const auto theirs =
            run("openssl req -verify -noout -subject -nameopt RFC2253,utf8,-esc_msb "
                "-in " +
                folder.write("csr.pem", pem));
        EXPECT_EQ(theirs.exit_code, 0) << theirs.output;
        EXPECT_NE(theirs.output.find("verify OK"), std::string::npos) << theirs.output;
        EXPECT_NE(theirs.output.find("serialNumber=SN_1,CN=Gerät 1"), std::string::npos)
            << theirs.output;
        const auto csr = Csr::parse(bytes_of(pem)).value();
        EXPECT_TRUE(csr.verify_signature());
        EXPECT_THAT(csr.fields().ip_addresses, ElementsAre("192.0.2.7", "2001:db8::1"));
        EXPECT_EQ(csr.fields().public_key_der, key.public_key_der());
    }
}

TEST(Csr, IsNotMadeForAnAddressOrAttributeThatIsNone) {
    const auto key = PrivateKey::generate(KeyKind::P256).value();
    EXPECT_EQ(make_csr(key, {{}, {}, {"300.1.1.1"}}).error().message,
              "expected an IP address, found \"300.1.1.1\"");
    EXPECT_EQ(make_csr(key, {{{"CN", "x"}}, {}, {}}).error().message,
              "expected an object identifier, found \"CN\"");
}

TEST(Csr, NoChangedByteIsAcceptedOrCrashesTheParser) {
    const auto der = data("csr_p256.der");
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < der.size(); ++i) {
        for (const char flip : {'\x01', '\x80', '\xff'}) {
            auto changed = der;
            changed[i] = static_cast<char>(changed[i] ^ flip);
            const auto csr = Csr::parse(bytes_of(changed));
            if (csr && csr->verify_signature()) ++accepted;
        }
    }
    EXPECT_EQ(accepted, 0U);
}

}  // namespace
}  // namespace hatchery::ca
