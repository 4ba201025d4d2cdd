// A real PKCS#11 module: SoftHSM2 with a token of its own. What happens on a shop floor is done to
// it through a second handle of the same module: sessions closed, logged out, the module restarted.
#include "ca/pkcs11.h"

#include "tests/ca/support.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <thread>

namespace hatchery::ca {
namespace {

using namespace testing;
using ::testing::HasSubstr;

constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";

/// One token a process: the module reads where its tokens are only once.
class SoftHsm {
  public:
    static SoftHsm& get() {
        static SoftHsm instance;
        return instance;
    }
    Pkcs11Token open(std::size_t sessions = 4) const {
        return Pkcs11Token::open(kModule, "factory", secret("1234"), sessions).value();
    }
    /// Calls a function of the module that takes a slot, or nothing: as somebody else would.
    unsigned long call(const char* name, unsigned long argument = 0) const {
        auto* const function =
            reinterpret_cast<unsigned long (*)(unsigned long)>(::dlsym(library_, name));
        return function(argument);
    }
    unsigned long slot() const {
        auto* const list =
            reinterpret_cast<unsigned long (*)(unsigned char, unsigned long*, unsigned long*)>(
                ::dlsym(library_, "C_GetSlotList"));
        std::array<unsigned long, 8> slots{};
        unsigned long count = slots.size();
        return list(1, slots.data(), &count) == 0 && count > 0 ? slots[0] : 0;
    }
    const TempFolder& folder() const { return folder_; }

  private:
    SoftHsm() {
        std::filesystem::create_directory(folder_.path("tokens"));
        const auto config = folder_.write(
            "softhsm2.conf",
            "directories.tokendir = " + folder_.path("tokens") + "\nobjectstore.backend = file\n");
        ::setenv(
            "SOFTHSM2_CONF", config.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): no thread yet
        const auto made =
            run("softhsm2-util --init-token --free --label factory --pin 1234 --so-pin 123456");
        EXPECT_EQ(made.exit_code, 0) << made.output;
        library_ = ::dlopen(kModule, RTLD_NOW | RTLD_LOCAL);
        EXPECT_NE(library_, nullptr);
    }
    TempFolder folder_;
    void* library_ = nullptr;
};

std::string fresh_label() {
    static int count = 0;
    return "key-" + std::to_string(++count);
}

TEST(Pkcs11, SignsWithEveryKindOfKeyAndNothingLeavesTheToken) {
    const auto token = SoftHsm::get().open();
    const TempFolder folder;
    for (const auto kind : {KeyKind::P256, KeyKind::P384, KeyKind::Rsa2048}) {
        const auto label = fresh_label();
        const auto key = token.generate(kind, label).value();
        EXPECT_FALSE(key.is_in_memory());
        EXPECT_EQ(key.to_encrypted_pem(secret("x")).error().message,
                  "the private key cannot leave its device");
        EXPECT_EQ(key.to_plain_pem().error().message, "the private key cannot leave its device");
        EXPECT_EQ(token.key(label)->public_key_der(), key.public_key_der());
        EXPECT_EQ(token.generate(kind, label).error().code, Code::AlreadyExists);
        // A request and a root, each signed in the token, verified by the openssl command.
        const auto csr =
            folder.write("csr.pem", make_csr(key, {{{"2.5.4.3", "x"}}, {}, {}}).value());
        EXPECT_THAT(run("openssl req -verify -noout -in " + csr).output, HasSubstr("verify OK"));
        const auto root = make_root(key, "HSM Root", std::chrono::hours(1), kNow).value();
        const auto file = folder.write("root.pem", root.pem());
        const auto verified =
            run("openssl verify -check_ss_sig -attime 1893456000 -CAfile " + file + " " + file);
        EXPECT_EQ(verified.exit_code, 0) << verified.output;
    }
    EXPECT_EQ(token.generate(KeyKind::Ed25519, "e").error().code, Code::InvalidRequest);
    EXPECT_EQ(token.key("nosuch").error().message,
              "HSM: the token \"factory\" has no private key of this name");
}

TEST(Pkcs11, IssuesCertificatesLikeAKeyInMemory) {
    const auto token = SoftHsm::get().open();
    const auto key = token.generate(KeyKind::P256, fresh_label()).value();
    const auto root = make_root(key, "HSM Root", std::chrono::hours(24 * 365), kNow).value();
    const auto issuer = Issuer::make(root, key, {}).value();
    MemoryLedger ledger;
    auto prepared =
        issuer.prepare(Csr::parse(bytes_of(data("csr_p256.pem"))).value(), shipped("device"), kNow);
    auto recorded = ledger.record(std::move(prepared.value()), "test", kNow);
    const auto leaf = issuer.sign(std::move(recorded.value())).value();
    EXPECT_TRUE(check_issued_by(leaf, root, kNow));
}

/// Of 20 signatures each, how many every thread got.
template <std::size_t kThreads>
std::array<int, kThreads> signed_by_threads(const PrivateKey& key) {
    std::array<int, kThreads> signed_by{};
    std::vector<std::thread> threads;
    threads.reserve(signed_by.size());
    for (int& count : signed_by) {
        threads.emplace_back([&] {
            for (int i = 0; i < 20; ++i)
                count += key.sign(bytes_of("message")).has_value() ? 1 : 0;
        });
    }
    for (auto& thread : threads)
        thread.join();
    return signed_by;
}

TEST(Pkcs11, SharesFewSessionsBetweenManyThreads) {
    const auto token = SoftHsm::get().open(2);
    const auto key = token.generate(KeyKind::P256, fresh_label()).value();
    EXPECT_THAT(signed_by_threads<8>(key), ::testing::Each(20));
    EXPECT_LE(token.health().open_sessions, 2U);
    EXPECT_EQ(token.health().recoveries, 0U);
}

/// smallstep/certificates#937 and oxidecomputer/offline-keystore#44: an idle log-out, lost
/// sessions, a restarted module.
TEST(Pkcs11, RecoversFromWhateverTheModuleForgets) {
    const auto& hsm = SoftHsm::get();
    const auto token = hsm.open();
    const auto key = token.generate(KeyKind::P256, fresh_label()).value();
    ASSERT_TRUE(key.sign(bytes_of("before")));
    EXPECT_EQ(hsm.call("C_CloseAllSessions", hsm.slot()), 0U);
    EXPECT_TRUE(key.sign(bytes_of("after lost sessions")));
    EXPECT_EQ(token.health().recoveries, 1U);
    EXPECT_EQ(hsm.call("C_Finalize"), 0U);
    EXPECT_TRUE(key.sign(bytes_of("after a restart")));
    EXPECT_EQ(token.health().recoveries, 2U);
    EXPECT_EQ(token.health().problem, "");
}

TEST(Pkcs11, RecoversOnceForManyThreads) {
    const auto& hsm = SoftHsm::get();
    const auto token = hsm.open(4);
    const auto key = token.generate(KeyKind::P256, fresh_label()).value();
    EXPECT_EQ(hsm.call("C_CloseAllSessions", hsm.slot()), 0U);
    EXPECT_THAT(signed_by_threads<4>(key), ::testing::Each(20));
    EXPECT_GE(token.health().recoveries, 1U);
}

TEST(Pkcs11, SaysWhatIsWrongAndNeverThePin) {
    const auto& hsm = SoftHsm::get();
    hsm.call("C_Finalize");  // a log-in is the whole process's: another test's would do
    const auto refusal = [](const char* module, const char* token, const char* pin) {
        return Pkcs11Token::open(module, token, secret(pin)).error();
    };
    EXPECT_EQ(refusal("/nosuch.so", "factory", "1234").code, Code::Unavailable);
    EXPECT_EQ(refusal(kModule, "nosuch", "1234").message, "HSM: there is no token \"nosuch\"");
    const auto wrong = refusal(kModule, "factory", "9999");
    EXPECT_EQ(wrong.code, Code::Unauthenticated);
    EXPECT_EQ(wrong.message, "HSM: cannot log in to the token \"factory\": the PIN is wrong");
}

TEST(Pkcs11, AKeyFileMayBeAUri) {
    const auto token = SoftHsm::get().open();
    const auto key = token.generate(KeyKind::P256, "line 7").value();
    const Pkcs11Uri uri{kModule, "factory", "line 7"};
    EXPECT_EQ(uri.to_string(),
              "pkcs11:token=factory;object=line%207?module-path=/usr/lib/softhsm/libsofthsm2.so");
    const auto read = read_private_key(uri.to_string() + "\n", secret("1234"));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->public_key_der(), key.public_key_der());
    EXPECT_TRUE(read_private_key(data("key_sec1_p256.pem"), Secret())->is_in_memory());
    for (const char* text : {"pkcs11:token=a;object=b",
                             "pkcs11:token=a;object=b?module-path=/x.so&pin-value=1234",
                             "pkcs11:token=%zz;object=b?module-path=/x.so",
                             "pkcs11:token=a;token=b;object=c?module-path=/x.so",
                             "pkcs11:"}) {
        const auto refused = Pkcs11Uri::parse(text);
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().message.find("1234"), std::string::npos);
    }
}

}  // namespace
}  // namespace hatchery::ca
