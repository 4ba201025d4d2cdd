#include "ca/base/bytes.h"
#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "ca/base/error.h"
#include "ca/base/secret.h"
#include "ca/digest.h"

#include <gtest/gtest.h>

#include <set>
#include <type_traits>

namespace hatchery {
namespace {

TEST(Base, HexGoesBothWays) {
    EXPECT_EQ(to_hex(Bytes{0x00, 0x9a, 0xff}), "009aff");
    EXPECT_EQ(from_hex("009AfF").value(), (Bytes{0x00, 0x9a, 0xff}));
    EXPECT_EQ(from_hex("").value(), Bytes{});
    EXPECT_EQ(from_hex("abc").error().message, "expected an even number of hexadecimal digits");
    EXPECT_EQ(from_hex("0g").error().message, "expected hexadecimal digits");
}

TEST(Base, Base64FollowsTheVectorsOfRfc4648) {
    const std::pair<const char*, const char*> rows[] = {{"", ""},
                                                        {"f", "Zg=="},
                                                        {"fo", "Zm8="},
                                                        {"foo", "Zm9v"},
                                                        {"foob", "Zm9vYg=="},
                                                        {"fooba", "Zm9vYmE="},
                                                        {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, base64] : rows) {
        EXPECT_EQ(to_base64(bytes_of(plain)), base64);
        EXPECT_EQ(text_of(from_base64(base64).value()), plain);
    }
    EXPECT_EQ(text_of(from_base64(" Zm9v\r\nYmFy\n").value()), "foobar");
    for (const char* bad :
         {"Z", "Zg", "Zg=", "Zg===", "Z===", "Zg==Zg==", "Zm9v!", "=Zg=", "===="}) {
        EXPECT_FALSE(from_base64(bad)) << bad;
    }
}

TEST(Base, DecimalIsWhatAwsPrintsForASerialNumber) {
    EXPECT_EQ(to_decimal(from_hex("921285cbb7a5e086").value()), "10525622389124227206");
    EXPECT_EQ(to_decimal({}), "0");
    EXPECT_EQ(to_decimal(Bytes{0, 0}), "0");
    EXPECT_EQ(to_decimal(Bytes{1, 0}), "256");
    EXPECT_EQ(to_decimal(Bytes(20, 0xff)), "1461501637330902918203684832716283019655932542975");
}

TEST(Base, CertificateIdIsSixtyFourHexadecimalCharacters) {
    const std::string hex(64, 'a');
    EXPECT_EQ(CertificateId::parse(hex)->hex(), hex);
    EXPECT_EQ(CertificateId::parse(std::string(64, 'A'))->hex(), hex);
    for (const auto& bad : {std::string(63, 'a'), std::string(66, 'a'), std::string(64, 'g')}) {
        EXPECT_EQ(CertificateId::parse(bad).error().message,
                  "expected a certificate id of 64 hexadecimal characters");
    }
    EXPECT_EQ(CertificateId::from_bytes(Bytes(31)).error().message,
              "expected a certificate id of 32 bytes, found 31");
    EXPECT_NE(CertificateId::parse(hex).value(), CertificateId{});
}

TEST(Base, TimePrintsAsIso8601) {
    EXPECT_EQ(to_iso8601(Time{}), "1970-01-01T00:00:00Z");
    EXPECT_EQ(to_iso8601(Time{std::chrono::seconds{253402300799}}), "9999-12-31T23:59:59Z");
}

TEST(Base, SecretTakesTheTextAndLeavesNothing) {
    std::string text = "correct horse";
    const auto secret = Secret::take(text);
    EXPECT_EQ(secret.text(), "correct horse");
    EXPECT_TRUE(text.empty());
    EXPECT_EQ(secret.duplicate().text(), "correct horse");
    static_assert(!std::is_copy_constructible_v<Secret>);
    static_assert(!std::is_copy_assignable_v<Secret>);
}

TEST(Base, ErrorPutsThePlaceInFront) {
    EXPECT_EQ(to_string(fail(Code::NotFound, "no such thing", "/a/b")), "/a/b: no such thing");
    EXPECT_EQ(to_string(fail(Code::NotFound, "no such thing")), "no such thing");
    EXPECT_EQ(to_string(Code::CertificateState), "CertificateState");
}

TEST(Digest, FollowsThePublishedVectors) {
    // FIPS 180-4 examples and RFC 4231 test case 2.
    EXPECT_EQ(to_hex(ca::sha256(bytes_of("abc"))),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(to_hex(ca::sha1(bytes_of("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(to_hex(ca::hmac_sha256(bytes_of("Jefe"), bytes_of("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Digest, AnHmacKnowsNothingOfTheOneBefore) {
    // RFC 4231 test cases 6 and 1, and the empty key's well-known answer between and after.
    const std::string empty = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
    const Bytes long_key(131, 0xaa), short_key(20, 0x0b);
    EXPECT_EQ(to_hex(ca::hmac_sha256(
                  long_key, bytes_of("Test Using Larger Than Block-Size Key - Hash Key First"))),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    EXPECT_EQ(to_hex(ca::hmac_sha256({}, {})), empty);
    EXPECT_EQ(to_hex(ca::hmac_sha256(short_key, bytes_of("Hi There"))),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(to_hex(ca::hmac_sha256({}, {})), empty);
}

TEST(Digest, RandomUuidIsVersionFour) {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const auto uuid = ca::random_uuid();
        ASSERT_EQ(uuid.size(), 36U);
        EXPECT_EQ(uuid[14], '4');
        EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
        for (const std::size_t at : {8U, 13U, 18U, 23U})
            EXPECT_EQ(uuid[at], '-');
        EXPECT_TRUE(seen.insert(uuid).second);
    }
}

TEST(Digest, ConstantTimeComparisonComparesAllBytes) {
    EXPECT_TRUE(ca::equal_constant_time(bytes_of("abc"), bytes_of("abc")));
    EXPECT_FALSE(ca::equal_constant_time(bytes_of("abc"), bytes_of("abd")));
    EXPECT_FALSE(ca::equal_constant_time(bytes_of("abc"), bytes_of("abcd")));
    EXPECT_TRUE(ca::equal_constant_time({}, {}));
}

}  // namespace
}  // namespace hatchery
