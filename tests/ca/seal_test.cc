#include "ca/seal.h"

#include "tests/ca/support.h"

#include <gtest/gtest.h>

namespace hatchery::ca {
namespace {

using namespace testing;

TEST(Seal, MasterKeyOpensWithItsPassphraseAndOpensWhatItWrapped) {
    const auto key = WrapKey::generate();
    const auto sealed = key.seal(secret("long passphrase")).value();
    const auto wrapped = key.wrap(bytes_of("secret access key"), "AKIA1").value();
    const auto opened = WrapKey::open(sealed, secret("long passphrase"));
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened->unwrap(wrapped, "AKIA1")->text(), "secret access key");
}

TEST(Seal, TellsAWrongPassphraseFromADamagedFile) {
    const auto sealed = WrapKey::generate().seal(secret("right")).value();
    EXPECT_EQ(WrapKey::open(sealed, secret("wrong")).error().code, Code::Unauthenticated);
    EXPECT_EQ(WrapKey::open(sealed, secret("wrong")).error().message,
              "the passphrase does not open the master key");
    EXPECT_EQ(WrapKey::open(sealed, Secret()).error().message,
              "the master key is encrypted and needs a passphrase");
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        Bytes damaged = sealed;
        damaged[i] ^= 1;
        const auto opened = WrapKey::open(damaged, secret("right"));
        ASSERT_FALSE(opened) << i;
        EXPECT_EQ(opened.error().message, "the sealed master key is damaged") << i;
        EXPECT_EQ(opened.error().code, Code::InvalidRequest);
    }
    for (std::size_t size = 0; size < sealed.size(); ++size) {
        EXPECT_FALSE(WrapKey::open(ByteView(sealed).first(size), secret("right"))) << size;
    }
}

TEST(Seal, RefusesAnEmptyPassphrase) {
    EXPECT_EQ(WrapKey::generate().seal(Secret()).error().message,
              "expected a passphrase that is not empty");
}

TEST(Seal, WrappedSecretIsBoundToItsLabelAndToEveryByte) {
    const auto key = WrapKey::generate();
    const auto wrapped = key.wrap(bytes_of("secret"), "AKIA1").value();
    EXPECT_EQ(wrapped.size(), 12U + 6U + 16U);
    EXPECT_EQ(key.unwrap(wrapped, "AKIA2").error().code, Code::Internal);
    EXPECT_EQ(WrapKey::generate().unwrap(wrapped, "AKIA1").error().message,
              "a wrapped secret is damaged or belongs to another name");
    for (std::size_t i = 0; i < wrapped.size(); ++i) {
        Bytes damaged = wrapped;
        damaged[i] ^= 0x80;
        EXPECT_FALSE(key.unwrap(damaged, "AKIA1")) << i;
        EXPECT_FALSE(key.unwrap(ByteView(wrapped).first(i), "AKIA1")) << i;
    }
}

TEST(Seal, WrapsTheSameTwiceIntoDifferentBytes) {
    const auto key = WrapKey::generate();
    EXPECT_NE(key.wrap(bytes_of("secret"), "a").value(), key.wrap(bytes_of("secret"), "a").value());
    EXPECT_EQ(key.unwrap(key.wrap({}, "").value(), "")->text(), "");
}

}  // namespace
}  // namespace hatchery::ca
