// Proofs about issuing as a whole: three other implementations accept every kind of certificate;
// the bytes are those that OpenSSL builds; no request, however made, gets what its profile does not
// give.
#include "ca/crl.h"
#include "ca/der.h"
#include "ca/digest.h"
#include "ca/issuer.h"
#include "ca/key_quality.h"
#include "ca/lint.h"
#include "ca/openssl.h"
#include "ca/signature.h"
#include "ca/tbs.h"
#include "ca/weak_keys.h"
#include "tests/ca/support.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/conf.h>
#include <openssl/core_names.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <fstream>
#include <random>

namespace hatchery::ca {
namespace {

using namespace testing;
using ::testing::HasSubstr;

CsrSubject subject_for(std::string_view profile) {
    CsrSubject subject;
    const bool verification = profile == "verification";
    subject.attributes.emplace_back("2.5.4.3",
                                    verification ? std::string(64, 'a') : std::string("unit-7"));
    if (profile == "device" || profile == "idevid") {
        subject.attributes.emplace_back("2.5.4.5", "SN-0001");
    }
    if (profile == "server") subject.dns_names = {"one.example.com"};
    return subject;
}

constexpr std::string_view kLeafProfiles[] = {
    "device", "idevid", "claim", "verification", "server", "station", "ocsp"};

// --- three implementations

Profile long_lived_ca() {
    auto profile = shipped("sub-ca");
    profile.validity = std::chrono::hours(24 * 365 * 29);
    return profile;
}

/// A CA made now: certtool 3.7 and its like know no other time to verify at.
struct PresentCa {
    Time now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    PrivateKey root_key = PrivateKey::generate(KeyKind::P256).value();
    PrivateKey key = PrivateKey::generate(KeyKind::P256).value();
    Certificate root =
        make_root(root_key, "Test Root", std::chrono::hours(24 * 365 * 30), now).value();
    MemoryLedger ledger;
    Issuer issuer = Issuer::make(issue(Issuer::make(root, root_key, {}).value(),
                                       csr_of(key, {{{"2.5.4.3", "Test Issuing CA"}}, {}, {}}),
                                       long_lived_ca()),
                                 key,
                                 {root})
                        .value();
    Certificate issue(const Issuer& by, const Csr& csr, const Profile& profile) {
        auto prepared = by.prepare(csr, profile, now);
        return by.sign(ledger.record(std::move(prepared.value()), "test", now).value()).value();
    }
};

/// NSS's certificate usage for vfychain: 0 TLS client, 1 TLS server, 10 OCSP responder.
std::string nss_usage(std::string_view profile) {
    return profile == "server" ? "1" : profile == "ocsp" ? "10" : "0";
}

struct Kind {
    std::string label;
    std::string_view shipped_name;
    Profile profile;
};

/// Every profile, and the two seconds between UTCTime and GeneralizedTime (RFC 5280 4.1.2.5).
std::vector<Kind> every_kind(Time now) {
    std::vector<Kind> kinds;
    for (const auto name : kLeafProfiles)
        kinds.push_back({std::string(name), name, with_status(name)});
    const Time year_2050 = std::chrono::sys_days{std::chrono::year{2050} / 1 / 1};
    for (const int second : {0, 1}) {
        Kind kind{"notAfter " + std::to_string(second) + " s into 2050", "device", {}};
        kind.profile = with_status("device");
        kind.profile.validity = year_2050 - now + std::chrono::seconds(second);
        kinds.push_back(std::move(kind));
    }
    return kinds;
}

TEST(Proof, EveryKindOfCertificateIsAcceptedByOpensslGnutlsAndNss) {
    const TempFolder folder;
    PresentCa ca;
    const auto root = folder.write("root.pem", ca.root.pem());
    const auto issuing = folder.write("issuing.pem", ca.issuer.certificate().pem());
    folder.write("issuing.der", text_of(ca.issuer.certificate().der()));
    const auto store = folder.path("nss");
    const auto made = run("mkdir " + store + " && certutil -N --empty-password -d " + store +
                          " && certutil -A -d " + store + " -n root -t CT,CT,CT -i " + root);
    ASSERT_EQ(made.exit_code, 0) << made.output;
    for (const auto& [name, shipped_name, profile] : every_kind(ca.now)) {
        const auto key = PrivateKey::generate(KeyKind::P256).value();
        const auto leaf = ca.issue(ca.issuer, csr_of(key, subject_for(shipped_name)), profile);
        const auto file = folder.write("leaf.pem", leaf.pem());
        const auto openssl = run("openssl verify -x509_strict -CAfile " + root + " -untrusted " +
                                 issuing + " " + file);
        EXPECT_EQ(openssl.exit_code, 0) << name << ": " << openssl.output;
        folder.write("chain.pem", leaf.pem() + ca.issuer.certificate().pem() + ca.root.pem());
        const auto gnutls = run("certtool --verify --load-ca-certificate " + root + " --infile " +
                                folder.path("chain.pem"));
        EXPECT_EQ(gnutls.exit_code, 0) << name << ": " << gnutls.output;
        EXPECT_THAT(gnutls.output, HasSubstr("Chain verification output: Verified.")) << name;
        const auto nss =
            run("vfychain -d " + store + " -u " + nss_usage(shipped_name) + " " +
                folder.write("leaf.der", text_of(leaf.der())) + " " + folder.path("issuing.der"));
        EXPECT_EQ(nss.exit_code, 0) << name << ": " << nss.output;
        EXPECT_THAT(nss.output, HasSubstr("Chain is good!")) << name;
    }
}

// --- byte for byte

X509Ptr openssl_certificate(const Certificate& ours,
                            const Profile& profile,
                            const Certificate& ca) {
    X509Ptr theirs(X509_new());
    const auto& fields = ours.fields();
    EXPECT_EQ(X509_set_version(theirs.get(), X509_VERSION_3), 1);
    const BignumPtr serial(BN_bin2bn(
        fields.serial_number.data(), static_cast<int>(fields.serial_number.size()), nullptr));
    BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(theirs.get()));
    X509_set_issuer_name(theirs.get(), X509_get_subject_name(ca.handle()));
    const auto seconds = [](Time time) { return time.time_since_epoch().count(); };
    ASN1_TIME_set(X509_getm_notBefore(theirs.get()), seconds(fields.not_before));
    ASN1_TIME_set(X509_getm_notAfter(theirs.get()), seconds(fields.not_after));
    X509_NAME* subject = X509_get_subject_name(theirs.get());
    for (const auto& attribute : fields.subject.attributes) {
        const bool printable = attribute.oid == oid::kSerialNumber;
        X509_NAME_add_entry_by_txt(subject,
                                   attribute.oid.c_str(),
                                   printable ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING,
                                   bytes_of(attribute.value).data(),
                                   static_cast<int>(attribute.value.size()),
                                   -1,
                                   0);
    }
    X509_set_pubkey(theirs.get(), X509_get0_pubkey(ours.handle()));
    X509V3_CTX context;
    X509V3_set_ctx(&context, ca.handle(), theirs.get(), nullptr, nullptr, 0);
    const OpensslPtr<CONF, NCONF_free> empty(NCONF_new(nullptr));
    X509V3_set_nconf(&context, empty.get());
    const auto add = [&](int nid, const std::string& value) {
        X509_EXTENSION* extension = X509V3_EXT_nconf_nid(empty.get(), &context, nid, value.c_str());
        ASSERT_NE(extension, nullptr) << OBJ_nid2sn(nid) << " " << value;
        X509_add_ext(theirs.get(), extension, -1);
        X509_EXTENSION_free(extension);
    };
    const auto listed = [](const std::vector<std::string>& items) {
        std::string text;
        for (const auto& item : items)
            text += (text.empty() ? "" : ",") + item;
        return text;
    };
    const std::string length =
        profile.path_length ? ",pathlen:" + std::to_string(*profile.path_length) : "";
    add(NID_basic_constraints, profile.is_ca ? "critical,CA:TRUE" + length : "critical,CA:FALSE");
    std::vector<std::string> usages = profile.key_usage;
    if (fields.key_algorithm != "RSA") std::erase(usages, "keyEncipherment");
    add(NID_key_usage, "critical," + listed(usages));
    if (!profile.extended_key_usage.empty()) {
        add(NID_ext_key_usage, listed(profile.extended_key_usage));
    }
    add(NID_subject_key_identifier, "hash");
    add(NID_authority_key_identifier, "keyid:always");
    if (!fields.dns_names.empty()) add(NID_subject_alt_name, "DNS:" + fields.dns_names.front());
    if (!profile.policies.empty()) add(NID_certificate_policies, listed(profile.policies));
    const auto url = [&](const std::string& pattern) {
        return expand_url(pattern, ca, fields.serial_number);
    };
    if (!profile.crl_urls.empty()) {
        add(NID_crl_distribution_points, "URI:" + url(profile.crl_urls.front()));
        add(NID_info_access,
            "OCSP;URI:" + url(profile.ocsp_urls.front()) +
                ",caIssuers;URI:" + url(profile.ca_issuers_urls.front()));
    }
    if (profile.ocsp_no_check) add(NID_id_pkix_OCSP_noCheck, "ignored");
    return theirs;
}

TEST(Proof, BytesAreThoseThatOpensslBuilds) {
    for (const auto ca_kind : {KeyKind::P256, KeyKind::Rsa2048}) {
        TestCa ca(ca_kind);
        for (const auto kind : {KeyKind::P256, KeyKind::P384, KeyKind::Rsa2048, KeyKind::Ed25519}) {
            const auto key = PrivateKey::generate(kind).value();
            for (const auto name : kLeafProfiles) {
                auto profile = with_status(name);
                profile.policies = {"1.3.6.1.4.1.55555.1", "2.5.29.32.0"};
                const auto ours = ca.issue(csr_of(key, subject_for(name)), profile).value();
                const auto theirs = openssl_certificate(ours, profile, ca.issuer.certificate());
                EVP_PKEY* signer = ca.issuer.key().handle();
                ASSERT_GT(X509_sign(theirs.get(), signer, EVP_sha256()), 0);
                const auto tbs = [](X509* x) {
                    return to_hex(encode_openssl(
                        [x](unsigned char** out) { return i2d_re_X509_tbs(x, out); }));
                };
                EXPECT_EQ(tbs(theirs.get()), to_hex(ca.ledger.recorded.back())) << name;
                if (::testing::Test::HasFailure()) return;
            }
        }
    }
}

TEST(Proof, AnIssuedCertificateSaysWhatItsBytesSay) {
    TestCa ca;
    for (const auto name : kLeafProfiles) {
        const auto key = PrivateKey::generate(KeyKind::P256).value();
        const auto issued = ca.issue(csr_of(key, subject_for(name)), with_status(name)).value();
        const auto parsed = Certificate::from_der(issued.der()).value();
        const auto& a = issued.fields();
        const auto& b = parsed.fields();
        EXPECT_EQ(a.id, b.id);
        EXPECT_EQ(a.version, b.version);
        EXPECT_EQ(a.serial_number, b.serial_number);
        EXPECT_EQ(a.subject.to_string(), b.subject.to_string());
        EXPECT_EQ(a.issuer.to_string(), b.issuer.to_string());
        EXPECT_EQ(a.subject_der, b.subject_der);
        EXPECT_EQ(a.issuer_der, b.issuer_der);
        EXPECT_EQ(a.not_before, b.not_before);
        EXPECT_EQ(a.not_after, b.not_after);
        EXPECT_EQ(a.is_ca, b.is_ca);
        EXPECT_EQ(a.path_length, b.path_length);
        EXPECT_EQ(a.subject_key_identifier, b.subject_key_identifier);
        EXPECT_EQ(a.authority_key_identifier, b.authority_key_identifier);
        EXPECT_EQ(a.public_key_der, b.public_key_der);
        EXPECT_EQ(a.key_algorithm, b.key_algorithm);
        EXPECT_EQ(a.key_bits, b.key_bits);
        EXPECT_EQ(a.curve, b.curve);
        EXPECT_EQ(a.signature_algorithm, b.signature_algorithm);
        EXPECT_EQ(a.dns_names, b.dns_names);
        EXPECT_TRUE(issued.verify_signed_by(ca.issuer.certificate()));
    }
}

// --- properties

/// A request out of parts that nobody sane would put together, correctly signed by its key.
Bytes random_request(std::mt19937& random, const PrivateKey& key) {
    const auto pick = [&](std::size_t count) { return random() % count; };
    static const char* const types[] = {"2.5.4.3",
                                        "2.5.4.5",
                                        "2.5.4.6",
                                        "2.5.4.10",
                                        "2.5.4.12",
                                        "1.2.840.113549.1.9.1",
                                        "1.2.3.4.5.6"};
    static const char* const extensions[] = {"2.5.29.19",
                                             "2.5.29.15",
                                             "2.5.29.37",
                                             "2.5.29.17",
                                             "2.5.29.14",
                                             "2.5.29.35",
                                             "2.5.29.30",
                                             "2.5.29.36",
                                             "1.2.3.4",
                                             "1.3.6.1.5.5.7.1.24"};
    static const Bytes values[] = {
        der::sequence({der::boolean_true()}),
        der::sequence({}),
        der::sequence({der::boolean_true(), der::small_integer(9)}),
        {0x03, 0x02, 0x01, 0x06},
        {0x03, 0x02, 0x07, 0x80},
        der::sequence({der::oid("2.5.29.37.0").value()}),
        der::sequence({der::oid("1.3.6.1.5.5.7.3.2").value()}),
        der::sequence({der::tlv(der::context(2), {bytes_of("a.b")})}),
        der::sequence({der::tlv(der::context(6), {bytes_of("u:x")})}),
        der::sequence({der::tlv(der::context(1), {bytes_of("a@b")})}),
        der::sequence({der::tlv(der::context(7), {bytes_of("1234")})}),
        der::sequence({der::tlv(der::context_constructed(4), {der::sequence({})})}),
        der::tlv(der::kOctetString, {bytes_of("k")}),
        {0xff, 0x00}};
    Bytes names;
    for (std::size_t i = pick(4); i > 0; --i) {
        const std::string text = pick(5) == 0
                                     ? "Test Issuing CA"
                                     : std::string(1 + pick(80), static_cast<char>('A' + pick(60)));
        const auto tag = pick(4) == 0   ? der::kBmpString
                         : pick(2) == 0 ? der::kUtf8String
                                        : der::kPrintableString;
        const Bytes one = der::tlv(der::kSet,
                                   {der::sequence({der::oid(types[pick(std::size(types))]).value(),
                                                   der::tlv(tag, {bytes_of(text)})})});
        names.insert(names.end(), one.begin(), one.end());
    }
    Bytes wanted;
    for (std::size_t i = pick(4); i > 0; --i) {
        const Bytes one =
            der::sequence({der::oid(extensions[pick(std::size(extensions))]).value(),
                           pick(2) == 0 ? der::boolean_true() : Bytes{},
                           der::tlv(der::kOctetString, {values[pick(std::size(values))]})});
        wanted.insert(wanted.end(), one.begin(), one.end());
    }
    const Bytes attribute = der::sequence({der::oid("1.2.840.113549.1.9.14").value(),
                                           der::tlv(der::kSet, {der::sequence({wanted})})});
    const Bytes info = der::sequence({der::small_integer(0),
                                      der::sequence({names}),
                                      key.public_key_der(),
                                      der::tlv(der::context_constructed(0), {attribute})});
    return sign_der(info, key).value();
}

/// What a certificate must not be, seen by OpenSSL alone.
void expect_within(const Certificate& leaf, const Profile& profile, const Certificate& issuer) {
    X509* x = leaf.handle();
    EXPECT_EQ(X509_check_ca(x), 0);
    EXPECT_EQ(X509_get_extension_flags(x) & (EXFLAG_CRITICAL | EXFLAG_INVALID), 0U);
    EXPECT_EQ(X509_get_key_usage(x) & (KU_KEY_CERT_SIGN | KU_CRL_SIGN), 0U);
    if (!profile.no_expiry) {
        EXPECT_LE(leaf.fields().not_after, issuer.fields().not_after);
    }
    EXPECT_LE(leaf.fields().not_after, profile.no_expiry ? kNoExpiry : kNow + profile.validity);
    EXPECT_NE(leaf.fields().subject_der, issuer.fields().subject_der);
    for (const auto& attribute : leaf.fields().subject.attributes) {
        EXPECT_TRUE(std::ranges::any_of(profile.subject, [&](const auto& rule) {
            return rule.oid == attribute.oid;
        })) << attribute.oid;
    }
    EXPECT_TRUE(leaf.fields().dns_names.empty() || profile.allow_dns_names);
    EXPECT_TRUE(leaf.fields().ip_addresses.empty() || profile.allow_ip_addresses);
    EXPECT_TRUE(leaf.fields().email_addresses.empty() || profile.allow_email_addresses);
    EXPECT_TRUE(leaf.fields().uris.empty() || profile.allow_uris);
    EXPECT_TRUE(leaf.verify_signed_by(issuer));
}

TEST(Proof, NoRequestGetsMoreThanItsProfileGives) {
    TestCa ca;
    std::mt19937 random(20301);  // NOLINT(cert-msc51-cpp): the same requests in every run
    const auto key = PrivateKey::generate(KeyKind::P256).value();
    std::vector<Profile> profiles;
    for (const auto name : kLeafProfiles)
        profiles.push_back(shipped(name));
    profiles.push_back(shipped("device"));
    profiles.back().ignore_extensions = true;
    profiles.back().ignore_other_attributes = true;
    profiles.push_back(shipped("device"));
    profiles.back().allow_email_addresses = profiles.back().allow_uris = true;
    int issued = 0;
    int refused = 0;
    for (int i = 0; i < 1500; ++i) {
        const auto csr = Csr::parse(random_request(random, key));
        if (!csr) {
            ++refused;
            continue;
        }
        for (const auto& profile : profiles) {
            const auto leaf = ca.issue(*csr, profile);
            if (leaf) expect_within(*leaf, profile, ca.issuer.certificate());
            ++(leaf ? issued : refused);
            if (::testing::Test::HasFailure()) return;
        }
    }
    EXPECT_GT(issued, 300);  // or the property holds of nothing
    EXPECT_GT(refused, 300);
}

// --- the lint finds what a builder might do wrong

TEST(Lint, ChangedOctetsGiveNobodyMore) {
    TestCa ca;
    const auto csr = Csr::parse(bytes_of(data("csr_p256.pem"))).value();
    const auto profile = with_status("device");
    const auto prepared = ca.issuer.prepare(csr, profile, kNow).value();
    const LintContext context{profile,
                              ca.issuer.certificate(),
                              signature_algorithm(ca.issuer.key()).value(),
                              csr.fields().public_key_der,
                              prepared.serial_number(),
                              kNow};
    const auto good = lint_tbs(prepared.tbs(), context).value();
    std::size_t unseen = 0;
    for (std::size_t i = 0; i < prepared.tbs().size(); ++i) {
        for (const unsigned flip : {0x01U, 0x20U, 0x80U}) {
            Bytes changed = prepared.tbs();
            changed[i] = static_cast<std::uint8_t>(changed[i] ^ flip);
            const auto found = lint_tbs(changed, context);
            if (!found) continue;
            ++unseen;
            // What may differ: text in a free subject attribute, its own key identifier, and times
            // within the profile's.
            EXPECT_EQ(found->serial_number, good.serial_number) << i;
            EXPECT_EQ(found->public_key_der, good.public_key_der) << i;
            EXPECT_EQ(found->issuer_der, good.issuer_der) << i;
            EXPECT_EQ(found->is_ca, good.is_ca) << i;
            EXPECT_EQ(found->authority_key_identifier, good.authority_key_identifier) << i;
            EXPECT_LE(found->not_after, good.not_after) << i;
            EXPECT_GE(found->not_before, good.not_before) << i;
        }
    }
    EXPECT_LT(unseen, 3 * 120U);  // of three changes to each of some 500 octets
    EXPECT_GT(prepared.tbs().size(), 450U);
}

TEST(Lint, RefusesAProfileThatChangedUnderARequest) {
    TestCa ca;
    const auto csr = Csr::parse(bytes_of(data("csr_p256.pem"))).value();
    auto profile = shipped("device");
    profile.crl_urls = {"http://example.com/{unknown}.crl"};
    const auto refused = ca.issuer.prepare(csr, profile, kNow);
    ASSERT_FALSE(refused);
    EXPECT_EQ(to_string(refused.error()),
              "certificate.extensions: the certificate was not signed: the URLs are not those of "
              "profile \"device\"");
    EXPECT_EQ(ca.ledger.recorded.size(), 1U);  // the issuing CA alone
}

// --- keys that others may know

std::string refusal_of(const std::string& file) {
    const TestCa ca;
    const auto csr = Csr::parse(bytes_of(data(file)));
    if (!csr) return csr.error().message;
    const auto prepared = ca.issuer.prepare(*csr, shipped("claim"), kNow);
    return prepared ? "accepted" : to_string(prepared.error());
}

TEST(KeyQuality, RefusesKeysThatOthersCanFind) {
    const std::pair<const char*, const char*> rows[] = {
        {"csr_rsa_roca.pem",
         "CSR.key: weak key: the RSA modulus has the form of CVE-2017-15361 (ROCA)"},
        {"csr_rsa_close_primes.pem",
         "CSR.key: weak key: the primes of the RSA modulus are close to each other"},
        {"csr_rsa_small_factor.pem", "CSR.key: weak key: the RSA modulus has the factor 7"},
        {"csr_rsa_even_modulus.pem", "CSR.key: weak key: the RSA modulus has the factor 2"},
        {"csr_rsa_exponent_three.pem",
         "CSR.key: weak key: expected an odd RSA exponent of at least 65537, found 3"},
        {"csr_rsa_exponent_even.pem",
         "CSR.key: weak key: expected an odd RSA exponent of at least 65537, found 65538"},
        {"csr_point_not_on_curve.pem", "CSR.key: expected a point on P-256, found none"},
        {"csr_point_at_infinity.pem", "CSR.key: expected a point on P-256, found none"}};
    for (const auto& [file, message] : rows)
        EXPECT_EQ(refusal_of(file), message) << file;
    EXPECT_EQ(refusal_of("csr_rsa2048.pem"), "accepted");
    for (int i = 0; i < 3; ++i) {
        TestCa ca;
        const auto key = PrivateKey::generate(KeyKind::Rsa2048).value();
        EXPECT_TRUE(ca.issue(csr_of(key, subject_for("device")), shipped("device")));
    }
}

TEST(KeyQuality, RefusesDebiansKeysOf2008ByTheirList) {
    TestCa ca;
    const auto csr = Csr::parse(bytes_of(data("csr_rsa_debian_2008.pem"))).value();
    ASSERT_TRUE(ca.issue(csr, shipped("claim")));  // nothing but a list can tell
    auto weak = std::make_shared<WeakKeys>();
    ASSERT_TRUE(
        weak->add("# SHA-1 of the modulus, last 80 bits\n8df20e6961a16398b85a\r\n\n"
                  "00008f7e6a29aea0b430",
                  "blacklist.RSA-2048"));
    EXPECT_EQ(weak->size(), 2U);
    ca.issuer.refuse_keys(weak);
    EXPECT_EQ(to_string(ca.issue(csr, shipped("claim")).error()),
              "CSR.key: weak key: it is one of those that Debian's OpenSSL made from 2006 to 2008 "
              "(CVE-2008-0166)");
    EXPECT_TRUE(ca.issue(Csr::parse(bytes_of(data("csr_rsa2048.pem"))).value(), shipped("claim")));
    EXPECT_TRUE(ca.issue(Csr::parse(bytes_of(data("csr_p256.pem"))).value(), shipped("device")));
    for (const char* bad :
         {"8df20e6961a16398b85", "8df20e6961a16398b85a00", "hello, this is no hex"}) {
        WeakKeys list;
        const auto refused = list.add("8df20e6961a16398b85a\n" + std::string(bad), "a list");
        ASSERT_FALSE(refused);
        EXPECT_EQ(to_string(refused.error()),
                  "a list:2: expected 20 hexadecimal digits, found \"" + std::string(bad) + "\"");
    }
}

TEST(KeyQuality, RefusesAPrimeThatTwoKeysShare) {
    TestCa ca;
    const auto first = Csr::parse(bytes_of(data("csr_rsa_shared_prime_1.pem"))).value();
    const auto second = Csr::parse(bytes_of(data("csr_rsa_shared_prime_2.pem"))).value();
    const auto other = Csr::parse(bytes_of(data("csr_rsa2048.pem"))).value();
    const auto profile = shipped("claim");
    ASSERT_TRUE(ca.issue(other, profile));
    ASSERT_TRUE(ca.issue(first, profile));
    EXPECT_TRUE(ca.issue(first, profile));  // the same key is another matter: the ledger's
    EXPECT_EQ(to_string(ca.issue(second, profile).error()),
              "CSR.key: weak key: the RSA modulus shares a prime with that of another request");
    EXPECT_TRUE(ca.issue(other, profile));
    // Behind many other keys still, and forgotten after at most 256.
    SharedPrimes seen;
    ASSERT_TRUE(seen.check(first.public_key()));
    PublicKey filler = other.public_key();
    int checked = 0;
    for (; checked < 400 && !seen.check(second.public_key()); ++checked) {
        const BignumPtr prime(BN_new());
        BN_generate_prime_ex(prime.get(), 128, 0, nullptr, nullptr, nullptr);
        filler.modulus.resize(16);
        BN_bn2bin(prime.get(), filler.modulus.data());
        static_cast<void>(seen.check(filler));
    }
    EXPECT_GE(checked, 128);
    EXPECT_LT(checked, 400);
}

/// A device that signs with anything but its own key: the CA stops at the first wrong signature.
class BrokenDevice : public KeyDevice {
  public:
    Result<Bytes> sign(ByteView message) const override { return other_.sign(message); }

  private:
    PrivateKey other_ = PrivateKey::generate(KeyKind::P256).value();
};

TEST(Issuer, HandsOutNothingThatDoesNotVerifyAndStops) {
    const auto key = PrivateKey::generate(KeyKind::P256).value();
    const auto root = make_root(key, "Root", std::chrono::hours(24), kNow).value();
    const auto broken =
        PrivateKey::in_device(key.public_key_der(), std::make_shared<BrokenDevice>()).value();
    const auto issuer = Issuer::make(root, broken, {}).value();
    const auto csr = Csr::parse(bytes_of(data("csr_p256.pem"))).value();
    MemoryLedger ledger;
    const auto sign = [&] {
        auto prepared = issuer.prepare(csr, shipped("device"), kNow);
        return issuer.sign(ledger.record(std::move(prepared.value()), "test", kNow).value())
            .error()
            .message;
    };
    EXPECT_EQ(sign(), "the new certificate does not verify with the issuer's key");
    EXPECT_EQ(sign(),
              "the CA's key has given a wrong signature: check memory or HSM, then restart");
}

/// Flips a bit wherever this process's writable memory holds the complement of `bytes` (whose own
/// copy here would else be found), as a fault in its memory would.
int flip_in_memory(ByteView bytes) {
    int flipped = 0;
    const int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long from = 0, to = 0;
        char writable = '-';
        if (std::sscanf(line.c_str(), "%lx-%lx r%c", &from, &to, &writable) != 3) continue;
        if (writable != 'w' || to - from > 256UL << 20) continue;  // a sanitizer's shadow, say
        Bytes content(to - from);
        const auto size = pread(memory, content.data(), content.size(), static_cast<off_t>(from));
        content.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        for (auto at = content.begin();; ++at) {
            at = std::search(
                at, content.end(), bytes.begin(), bytes.end(), [](unsigned a, unsigned b) {
                    return (a ^ b) == 0xff;
                });
            if (at == content.end()) break;
            const auto place = static_cast<off_t>(from) + (at - content.begin());
            const auto changed = static_cast<std::uint8_t>(*at ^ 0x10);
            if (pwrite(memory, &changed, 1, place) == 1) ++flipped;
        }
    }
    close(memory);
    return flipped;
}

TEST(Issuer, NoticesTheFirstSignatureByAKeyWhoseMemoryFailed) {
    TestCa ca(KeyKind::P256);
    const auto csr = Csr::parse(bytes_of(data("csr_p256.pem"))).value();
    for (int i = 0; i < 20; ++i)  // at full speed: nothing is sampled
        ASSERT_TRUE(ca.issue(csr, shipped("device")));
    BIGNUM* d = nullptr;
    ASSERT_EQ(EVP_PKEY_get_bn_param(ca.issuer.key().handle(), OSSL_PKEY_PARAM_PRIV_KEY, &d), 1);
    Bytes limbs(32);  // as OpenSSL's numbers lie in memory
    ASSERT_EQ(BN_bn2nativepad(d, limbs.data(), 32), 32);
    BN_clear_free(d);
    for (auto& octet : limbs)
        octet = static_cast<std::uint8_t>(~octet);
    ASSERT_GE(flip_in_memory(limbs), 1);
    EXPECT_EQ(ca.issue(csr, shipped("device")).error().message,
              "the new certificate does not verify with the issuer's key");
    EXPECT_EQ(ca.issue(csr, shipped("device")).error().message,
              "the CA's key has given a wrong signature: check memory or HSM, then restart");
}

/// EncryptedPrivateKeyInfo whose key derivation has these parameters.
std::string sealed_key(std::string_view kdf, std::initializer_list<Bytes> costs) {
    Bytes parameters = der::tlv(der::kOctetString, {bytes_of("saltsalt")});
    for (const auto& cost : costs)
        parameters.insert(parameters.end(), cost.begin(), cost.end());
    const Bytes function = der::sequence({der::oid(kdf).value(), der::sequence({parameters})});
    const Bytes cipher = der::sequence(
        {der::oid("2.16.840.1.101.3.4.1.42").value(), der::tlv(der::kOctetString, {Bytes(16, 7)})});
    const Bytes algorithm = der::sequence(
        {der::oid("1.2.840.113549.1.5.13").value(), der::sequence({function, cipher})});
    return pem_text("ENCRYPTED PRIVATE KEY",
                    der::sequence({algorithm, der::tlv(der::kOctetString, {Bytes(64, 9)})}));
}

TEST(Key, RefusesToSpendMinutesOnAHostileFile) {
    const std::string_view pbkdf2 = "1.2.840.113549.1.5.12";
    const std::string_view scrypt = "1.3.6.1.4.1.11591.4.11";
    const Bytes two_to_the_31 = der::integer(Bytes{0x80, 0, 0, 0});
    const Bytes eight = der::small_integer(8);
    for (const auto& pem : {sealed_key(pbkdf2, {two_to_the_31}),
                            sealed_key(scrypt, {two_to_the_31, eight, eight}),
                            sealed_key(scrypt, {eight, two_to_the_31, two_to_the_31})}) {
        const auto refused = PrivateKey::from_pem(pem, secret("x"));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Code::InvalidRequest);
        EXPECT_EQ(refused.error().message,
                  "the private key's encryption asks for too much work to open it: expected at "
                  "most 10000000 iterations, or scrypt with N*r*p of at most 1048576");
    }
    // The same bytes with a fair cost fail for another reason: they are no key.
    EXPECT_EQ(PrivateKey::from_pem(sealed_key(pbkdf2, {eight}), secret("x")).error().code,
              Code::Unauthenticated);
}

}  // namespace
}  // namespace hatchery::ca
