// Keys on their way out; the openssl command line opens them in tests/cli/thing.sh.
#include "ca/key_container.h"

#include "tests/ca/support.h"

#include <gtest/gtest.h>

namespace hatchery::ca {
namespace {

PrivateKey generated(KeyKind kind) {
    return PrivateKey::generate(kind).value();
}

TEST(KeyContainer, EncryptsToAPublicKeyAndNeverTwiceAlike) {
    for (const KeyKind kind : {KeyKind::Rsa2048, KeyKind::P256, KeyKind::P384}) {
        const std::string recipient = generated(kind).public_key_pem();
        const auto first = encrypt_to("secret text", recipient);
        const auto second = encrypt_to("secret text", recipient);
        ASSERT_TRUE(first && second) << to_string(kind);
        EXPECT_TRUE(first->starts_with("-----BEGIN CMS-----\n"));
        EXPECT_TRUE(first->ends_with("-----END CMS-----\n"));
        EXPECT_EQ(first->find("secret"), std::string::npos);
        EXPECT_NE(*first, *second);
    }
}

TEST(KeyContainer, RefusesWhatIsNoRecipient) {
    const auto refusal = [](std::string_view recipient) {
        const auto made = encrypt_to("secret", recipient);
        return made ? std::string("accepted") : made.error().message;
    };
    const std::string expected =
        "expected a certificate or a public key, PEM, found something else";
    EXPECT_EQ(refusal(""), expected);
    EXPECT_EQ(refusal("rubbish"), expected);
    EXPECT_EQ(refusal("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), expected);
    const auto own = generated(KeyKind::P256).to_plain_pem();
    EXPECT_EQ(refusal(own->text()), expected);  // a private key is nobody's address
    EXPECT_EQ(refusal(generated(KeyKind::Ed25519).public_key_pem()),
              "expected an EC key or an RSA key of at least 2048 bits, found another one");
}

}  // namespace
}  // namespace hatchery::ca
