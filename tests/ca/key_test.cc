#include "ca/key.h"

#include "tests/ca/support.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>

namespace hatchery::ca {
namespace {

using namespace testing;

TEST(Key, HasTwoSpellingsOfEachKind) {
    const std::pair<KeyKind, std::pair<const char*, const char*>> rows[] = {
        {KeyKind::Rsa2048, {"RSA-2048", "rsa2048"}},
        {KeyKind::Rsa3072, {"RSA-3072", "rsa3072"}},
        {KeyKind::Rsa4096, {"RSA-4096", "rsa4096"}},
        {KeyKind::P256, {"P-256", "p256"}},
        {KeyKind::P384, {"P-384", "p384"}},
        {KeyKind::Ed25519, {"Ed25519", "ed25519"}}};
    for (const auto& [kind, names] : rows) {
        EXPECT_EQ(to_string(kind), names.first);
        EXPECT_EQ(parse_key_kind(names.first).value(), kind);
        EXPECT_EQ(parse_key_kind(names.second).value(), kind);
    }
    EXPECT_EQ(parse_key_kind("rsa1024").error().message,
              "expected a key kind (rsa2048, rsa3072, rsa4096, p256, p384, ed25519), found "
              "\"rsa1024\"");
}

TEST(Key, ReadsEveryPemFormThatOpensslWrites) {
    const std::pair<const char*, const char*> rows[] = {{"key_sec1_p256.pem", ""},
                                                        {"key_pkcs1_rsa2048.pem", ""},
                                                        {"key_pkcs8_ed25519.pem", ""},
                                                        {"key_pkcs8_encrypted.pem", "correct"},
                                                        {"key_pkcs8_scrypt.pem", "correct"},
                                                        {"key_pkcs1_encrypted.pem", "correct"}};
    for (const auto& [file, passphrase] : rows) {
        const auto key = PrivateKey::from_pem(data(file), secret(passphrase));
        ASSERT_TRUE(key) << file << ": " << key.error().message;
        const auto theirs = run(std::string("openssl pkey -pubout -passin pass:") + passphrase +
                                " -in " + HATCHERY_TEST_DATA + "/ca/" + file);
        EXPECT_EQ(key->public_key_pem(), theirs.output) << file;
    }
}

TEST(Key, TellsAMissingFromAWrongPassphrase) {
    for (const char* file :
         {"key_pkcs8_encrypted.pem", "key_pkcs8_scrypt.pem", "key_pkcs1_encrypted.pem"}) {
        const auto missing = PrivateKey::from_pem(data(file), Secret());
        ASSERT_FALSE(missing);
        EXPECT_EQ(missing.error().code, Code::Unauthenticated);
        EXPECT_EQ(missing.error().message, "the private key is encrypted and needs a passphrase");
        const auto wrong = PrivateKey::from_pem(data(file), secret("battery staple"));
        ASSERT_FALSE(wrong);
        EXPECT_EQ(wrong.error().code, Code::Unauthenticated);
        EXPECT_EQ(wrong.error().message, "the passphrase does not open the private key");
    }
}

TEST(Key, RefusesTextWithoutAKeyAndNeverQuotesIt) {
    const std::string canary = "c2VjcmV0LWNhbmFyeS1ieXRlcw==";
    const std::string rows[] = {
        "",
        canary,
        data("cert_v1_leaf.pem"),
        "-----BEGIN PRIVATE KEY-----\n" + canary + "\n-----END PRIVATE KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----\n" + canary + "\n-----END EC PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + canary +
            "\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: NONE,00\n\n" + canary +
            "\n-----END RSA PRIVATE KEY-----\n",
        data("key_dsa.pem"),
        std::string(70000, 'A')};
    for (const auto& pem : rows) {
        const auto key = PrivateKey::from_pem(pem, secret("x"));
        ASSERT_FALSE(key) << pem;
        EXPECT_EQ(key.error().code, Code::InvalidRequest);
        EXPECT_EQ(key.error().message.find(canary), std::string::npos);
        EXPECT_FALSE(key.error().message.empty());
    }
}

TEST(Key, EncryptedFormOpensWithThePassphraseOnlyHereAndInOpenssl) {
    const TempFolder folder;
    for (const auto kind : {KeyKind::Rsa2048, KeyKind::P256, KeyKind::P384, KeyKind::Ed25519}) {
        const auto key = PrivateKey::generate(kind).value();
        const auto pem = key.to_encrypted_pem(secret("long passphrase")).value();
        EXPECT_EQ(pem.substr(0, 38), "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
        const auto again = PrivateKey::from_pem(pem, secret("long passphrase"));
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_EQ(again->public_key_der(), key.public_key_der());
        EXPECT_EQ(PrivateKey::from_pem(pem, secret("long passphras")).error().code,
                  Code::Unauthenticated);
        const auto file = folder.write("key.pem", pem);
        EXPECT_EQ(run("openssl pkey -pubout -passin 'pass:long passphrase' -in " + file).output,
                  key.public_key_pem());
        EXPECT_NE(run("openssl pkey -pubout -passin pass:wrong -in " + file).exit_code, 0);
        EXPECT_NE(run("openssl asn1parse -in " + file).output.find(":scrypt"), std::string::npos);
    }
}

TEST(Key, RefusesToEncryptUnderAnEmptyPassphrase) {
    const auto pem = PrivateKey::generate(KeyKind::P256)->to_encrypted_pem(Secret());
    ASSERT_FALSE(pem);
    EXPECT_EQ(pem.error().message, "expected a passphrase that is not empty");
}

TEST(Key, IsWrittenAsOpensslWritesIt) {
    const auto encoded = [](auto encode, EVP_PKEY* key) {
        unsigned char* out = nullptr;
        const int size = encode(key, &out);
        Bytes der(out, out + std::max(size, 0));
        OPENSSL_free(out);
        return der;
    };
    // Of 1,000 private keys some begin with a zero byte.
    for (int i = 0; i < 1000; ++i) {
        const auto key = PrivateKey::generate(i == 0 ? KeyKind::P384 : KeyKind::P256).value();
        ASSERT_EQ(key.public_key_der(), encoded(i2d_PUBKEY, key.handle()));
        const Secret pem = key.to_plain_pem().value();
        const Bytes der = encoded(i2d_PrivateKey, key.handle());
        std::string base64(4 * (der.size() + 2) / 3 + 1, '\0');
        base64.resize(static_cast<std::size_t>(
            EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()),
                            der.data(),
                            static_cast<int>(der.size()))));
        std::string lines(pem.text());
        std::erase(lines, '\n');
        ASSERT_EQ(lines,
                  "-----BEGIN EC PRIVATE KEY-----" + base64 + "-----END EC PRIVATE KEY-----");
    }
}

TEST(Key, KeepsTheFormOfACompressedPoint) {
    const TempFolder folder;
    const auto file = folder.write(
        "compressed.pem",
        run("openssl ecparam -name prime256v1 -genkey -noout -conv_form compressed").output);
    const auto key = PrivateKey::from_pem(folder.read("compressed.pem"), Secret()).value();
    EXPECT_EQ(key.public_key_pem(), run("openssl pkey -pubout -in " + file).output);
    EXPECT_EQ(PrivateKey::from_pem(key.to_plain_pem().value().text(), Secret())->public_key_der(),
              key.public_key_der());
}

TEST(Key, PlainFormIsTheOneThatAwsHandsToDevices) {
    const TempFolder folder;
    const std::pair<KeyKind, const char*> rows[] = {
        {KeyKind::Rsa2048, "-----BEGIN RSA PRIVATE KEY-----\n"},
        {KeyKind::P256, "-----BEGIN EC PRIVATE KEY-----\n"},
        {KeyKind::Ed25519, "-----BEGIN PRIVATE KEY-----\n"}};
    for (const auto& [kind, first_line] : rows) {
        const auto key = PrivateKey::generate(kind).value();
        const auto pem = key.to_plain_pem().value();
        EXPECT_TRUE(pem.text().starts_with(first_line));
        const auto file = folder.write("plain.pem", pem.text());
        EXPECT_EQ(run("openssl pkey -pubout -in " + file).output, key.public_key_pem());
        EXPECT_EQ(PrivateKey::from_pem(pem.text(), Secret())->public_key_der(),
                  key.public_key_der());
    }
}

}  // namespace
}  // namespace hatchery::ca
