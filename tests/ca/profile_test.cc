#include "ca/profile.h"

#include "ca/base/toml_guard.h"
#include "ca/name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hatchery::ca {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A good profile with one line more.
std::string with(const std::string& line) {
    return "name = \"p\"\nkeys = [\"p256\"]\nvalidity = \"1d\"\n"
           "key_usage = [\"digitalSignature\"]\n" +
           line;
}

TEST(Profile, ReadsEveryKey) {
    const auto profile = Profile::parse(R"(
name = "line-7"
keys = ["p256", "RSA-2048"]
validity = "25y"
backdate = "90m"
ignore_extensions = true
key_usage = ["digitalSignature", "keyAgreement"]
extended_key_usage = ["clientAuth", "serverAuth"]
subject_alt_names = ["dns", "ip", "email", "uri"]
one_per_device = true
[subject]
serialNumber = { required = true, pattern = "SN-[0-9]{4}" }
O = { fixed = "Example" }
CN = { default = "device" }
ignore_others = true
"1.3.6.1.4.1.1" = {}
)",
                                        "line-7.toml")
                             .value();
    EXPECT_EQ(profile.name, "line-7");
    EXPECT_THAT(profile.keys, ElementsAre(KeyKind::P256, KeyKind::Rsa2048));
    EXPECT_EQ(profile.validity, std::chrono::hours(25 * 365 * 24));
    EXPECT_EQ(profile.backdate, std::chrono::minutes(90));
    EXPECT_FALSE(profile.no_expiry);
    EXPECT_FALSE(profile.is_ca);
    EXPECT_THAT(profile.key_usage, ElementsAre("digitalSignature", "keyAgreement"));
    EXPECT_THAT(profile.extended_key_usage, ElementsAre("clientAuth", "serverAuth"));
    EXPECT_TRUE(profile.allow_dns_names && profile.allow_ip_addresses &&
                profile.allow_email_addresses && profile.allow_uris);
    EXPECT_TRUE(profile.one_per_device && profile.ignore_extensions &&
                profile.ignore_other_attributes);
    ASSERT_EQ(profile.subject.size(), 4U);  // in the order of the file
    EXPECT_EQ(profile.subject[0].oid, oid::kSerialNumber);
    EXPECT_TRUE(profile.subject[0].required);
    EXPECT_EQ(profile.subject[0].pattern->text(), "SN-[0-9]{4}");
    EXPECT_EQ(profile.subject[1].fixed, "Example");
    EXPECT_EQ(profile.subject[2].fallback, "device");
    EXPECT_EQ(profile.subject[3].oid, "1.3.6.1.4.1.1");
}

TEST(Profile, ReadsUnlimitedValidityAndAnySubject) {
    const auto profile = Profile::parse(
        "name = \"p\"\nkeys = [\"p256\"]\nvalidity = \"unlimited\"\n"
        "key_usage = [\"digitalSignature\"]\nsubject.any = true\n",
        "p");
    ASSERT_TRUE(profile);
    EXPECT_TRUE(profile->no_expiry);
    EXPECT_TRUE(profile->subject_any);
}

TEST(Profile, EveryShippedOneIsValidAndNamesItself) {
    std::vector<std::string_view> names;
    for (const auto& shipped : shipped_profiles()) {
        names.push_back(shipped.name);
        const auto profile = Profile::parse(shipped.toml, shipped.name);
        ASSERT_TRUE(profile) << to_string(profile.error());
        EXPECT_EQ(profile->name, shipped.name);
        EXPECT_EQ(profile->is_ca, shipped.name == "sub-ca");
    }
    EXPECT_THAT(
        names,
        ElementsAre(
            "device", "idevid", "claim", "verification", "server", "station", "sub-ca", "ocsp"));
}

TEST(Profile, ErrorsSayWhereAndWhat) {
    const std::pair<std::string, std::string> rows[] = {
        {with("colour = \"red\"\n"),
         "p.toml:5:1: unknown key \"colour\", expected one of name, keys, validity, backdate, ca, "
         "path_length, key_usage, extended_key_usage, policies, crl_urls, ocsp_urls, "
         "ca_issuers_urls, ocsp_no_check, subject_alt_names, ignore_extensions, one_per_device, "
         "renewal, renew_after_expiry, subject"},
        {with("[subject]\nCN = { require = true }\n"),
         "p.toml:6:8: unknown key \"require\", expected one of required, fixed, default, pattern"},
        {with("[subject]\n  commonName = {}\n"),
         "p.toml:6:3: unknown subject attribute \"commonName\", expected a name such as CN or "
         "serialNumber, or a dotted OID"},
        {with("[subject]\nCN = true\n"), "p.toml:6:6: CN: expected a table such as {}"},
        {with("[subject]\nCN = { required = 1 }\n"),
         "p.toml:6:19: required: expected true or false"},
        {with("[subject]\nCN = { pattern = \"[a\" }\n"),
         "p.toml:6:18: pattern: Unexpected character within '[...]' in regular expression"},
        {with("[subject]\nCN = { required = true, fixed = \"x\" }\n"),
         "p.toml:6:6: CN: expected one of required, fixed and default"},
        {with("[subject]\nCN = {}\n\"2.5.4.3\" = {}\n"),
         "p.toml:6:1: subject: \"2.5.4.3\" is there twice"},
        {with("subject = 3\n"), "p.toml:5:11: subject: expected a table"},
        {with("backdate = 3600\n"), "p.toml:5:12: backdate: expected a string"},
        {with("backdate = \"1 week\"\n"),
         "p.toml:5:12: backdate: expected a duration such as \"1h\", \"30d\" or \"10y\" of at most "
         "200y, found \"1 week\""},
        {with("backdate = \"99999999999999d\"\n"),
         "p.toml:5:12: backdate: expected a duration such as \"1h\", \"30d\" or \"10y\" of at most "
         "200y, found \"99999999999999d\""},
        {with("one_per_device = \"yes\"\n"), "p.toml:5:18: one_per_device: expected true or false"},
        {with("ca = true\n"), "p.toml:4:13: key_usage: a CA needs keyCertSign"},
        {with("path_length = 0\n"), "p.toml:5:15: path_length: only for ca = true"},
        {with("path_length = -1\n"), "p.toml:5:15: path_length: expected a number from 0 to 127"},
        {with("extended_key_usage = [\"codeSigning\"]\n"),
         "p.toml:5:22: extended_key_usage: unknown \"codeSigning\", expected one of serverAuth, "
         "clientAuth, OCSPSigning"},
        {with("subject_alt_names = [\"rid\"]\n"),
         "p.toml:5:21: subject_alt_names: unknown \"rid\", expected one of dns, ip, email, uri"},
        {with("subject_alt_names = [\"ip\", \"ip\"]\n"),
         "p.toml:5:28: subject_alt_names: \"ip\" is there twice"},
        {"keys = [\"p256\"]\n", "p.toml:1:1: missing key \"name\""},
        {"name = \"p\"\nkeys = [\"rsa1024\"]\n",
         "p.toml:2:8: keys: expected a key kind (rsa2048, rsa3072, rsa4096, p256, p384, ed25519), "
         "found \"rsa1024\""},
        {"name = \"p\"\nkeys = []\n", "p.toml:2:8: keys: expected at least one kind of key"},
        {"name = \"P 1\"\n", "p.toml:1:8: name: expected at most 64 of a-z, 0-9, - and _"},
        {"name = \"p\"\nkeys = [\"p256\"]\nvalidity = \"1d\"\nkey_usage = [\"keyCertSign\"]\n",
         "p.toml:4:13: key_usage: keyCertSign and cRLSign are for ca = true"},
        {"name = \"p\"\nkeys = [\"p256\"]\nvalidity = \"1d\"\nkey_usage = [\"keyEncipherment\"]\n",
         "p.toml:4:13: key_usage: expected a use that every accepted key has"},
        {"name = \"p\"\nkeys = [\"p256\"]\nvalidity = \"0s\"\n",
         "p.toml:3:12: validity: expected more than nothing"},
        {std::string(65537, '#'), "p.toml:1:1: expected a profile of at most 65536 bytes"}};
    for (const auto& [toml, message] : rows) {
        const auto profile = Profile::parse(toml, "p.toml");
        ASSERT_FALSE(profile) << toml;
        EXPECT_EQ(profile.error().code, Code::InvalidRequest);
        EXPECT_EQ(to_string(profile.error()), message) << toml;
    }
}

TEST(Profile, SyntaxErrorsCarryTheirPlace) {
    const auto profile = Profile::parse("name = \"p\"\nkeys = [\"p256\"\n", "p.toml");
    ASSERT_FALSE(profile);
    EXPECT_EQ(profile.error().where, "p.toml:2:16");
    EXPECT_FALSE(profile.error().message.empty());
}

/// toml++ 3 aborts on these, or runs into what it calls unreachable.
TEST(Profile, SurvivesWhatItsTomlReaderDoesNot) {
    const std::pair<std::string, const char*> rows[] = {
        {"name = \"p\"\n [[ %x]]\n", "p.toml:2:5"},
        {"[", "p.toml:1:2"},
        {"\xcf\xa0", "p.toml:1:1"},
        {"name = \"p\" \xc2\xa0", "p.toml:1:12"},
        {"a = [ 5p=\"\xca\x9b\"]", "p.toml:1:9"},
        {"a = 5.\"\xca\x9b\"", "p.toml:1:7"},
        {"a = [[}", "p.toml:1:7"},
        {"a = \"\"\"\\\xef\xb9\xbf\"\"\"", "p.toml:1:5"},
        {"a = " + std::string(40, '['), "p.toml:1:37"},
        {"a" + std::string(32'000, '.') + " = 1", "p.toml:1:18"},
        {std::string("a\0b", 3), "p.toml:1:2"}};
    for (const auto& [toml, where] : rows) {
        EXPECT_EQ(to_string(Profile::parse(toml, "p.toml").error()),
                  std::string(where) + ": " + std::string(kReadableToml));
    }
    const auto profile = Profile::parse(
        with("# [% \xcf\xa0\nsubject_alt_names = [\n  \"dns\",\n]\n[subject]\n"
             "O = { fixed = \"\xc3\x9c [% \" }\nCN = { pattern = \"\"\"\n[%ü]\"\"\"\" }\n"),
        "p.toml");
    ASSERT_TRUE(profile) << to_string(profile.error());
    EXPECT_EQ(profile->subject[0].fixed, "\xc3\x9c [% ");
    EXPECT_EQ(profile->subject[1].pattern->text(), "[%ü]\"");
}

}  // namespace
}  // namespace hatchery::ca
