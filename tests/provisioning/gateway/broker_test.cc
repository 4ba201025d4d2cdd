#include "provisioning/gateway/gateway.h"
#include "tests/provisioning/gateway/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

namespace hatchery::gateway {
namespace {

using std::filesystem::path;
using ::testing::HasSubstr;

constexpr const char* kMosquitto = "/usr/sbin/mosquitto";

class BrokerTest : public ::testing::Test {
  protected:
    BrokerTest() {
        std::string name = (std::filesystem::temp_directory_path() / "broker-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        folder_ = name;
    }
    ~BrokerTest() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    static std::string socket_of(const Broker& broker) { return broker.upstream().substr(5); }
    static Ran publish(const Broker& broker, const std::string& rest) {
        return run("mosquitto_pub --unix " + socket_of(broker) + " " + rest);
    }
    /// The process that listens in `directory`.
    static pid_t process_of(const path& directory) {
        for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
            std::error_code error;
            const auto folder = std::filesystem::read_symlink(entry.path() / "cwd", error);
            if (error || folder != directory) continue;
            std::ifstream name(entry.path() / "comm");
            std::string text;
            std::getline(name, text);
            if (text == "mosquitto") return std::stoi(entry.path().filename().string());
        }
        return -1;
    }
    path folder_;
};

TEST_F(BrokerTest, AcceptsOnAPrivateSocketAndEndsWithItsOwner) {
    std::string socket;
    {
        auto broker = Broker::start(kMosquitto, folder_ / "b");
        ASSERT_TRUE(broker) << to_string(broker.error());
        socket = socket_of(**broker);
        EXPECT_EQ(std::filesystem::status(folder_ / "b").permissions(),
                  std::filesystem::perms::owner_all);
        EXPECT_EQ(publish(**broker, "-t t -m m -q 1").exit_code, 0);
    }
    EXPECT_EQ(process_of(folder_ / "b"), -1);
    EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST_F(BrokerTest, KeepsRetainedMessagesFromOneStartToTheNext) {
    for (const char* command : {"-t kept -m value -q 1 -r", "-t other -m x -q 1"}) {
        auto broker = Broker::start(kMosquitto, folder_);
        ASSERT_TRUE(broker) << to_string(broker.error());
        EXPECT_EQ(publish(**broker, command).exit_code, 0);
    }
    auto broker = Broker::start(kMosquitto, folder_);
    ASSERT_TRUE(broker) << to_string(broker.error());
    const Ran kept = run("mosquitto_sub --unix " + socket_of(**broker) + " -t kept -C 1 -W 20");
    EXPECT_EQ(kept.output, "value\n");
}

TEST_F(BrokerTest, StartsABrokerThatDiedAgain) {
    auto broker = Broker::start(kMosquitto, folder_);
    ASSERT_TRUE(broker) << to_string(broker.error());
    const pid_t first = process_of(folder_);
    ASSERT_GT(first, 0);
    ASSERT_EQ(::kill(first, SIGKILL), 0);
    // The client's own retries are the wait: it knows no other way to see the broker come back.
    const Ran back = run("for i in $(seq 200); do mosquitto_pub --unix " + socket_of(**broker) +
                         " -t t -m m -q 1 >/dev/null 2>&1 && exit 0; sleep 0.05; done; exit 1");
    EXPECT_EQ(back.exit_code, 0);
    EXPECT_NE(process_of(folder_), first);
}

TEST_F(BrokerTest, MovesTheSocketWhenThePathIsLongOrHasSpaces) {
    for (const std::string& name : {std::string(120, 'd'), std::string("with space")}) {
        std::string socket;
        {
            auto broker = Broker::start(kMosquitto, folder_ / name);
            ASSERT_TRUE(broker) << to_string(broker.error());
            socket = socket_of(**broker);
            EXPECT_LE(socket.size(), 107U);
            EXPECT_EQ(publish(**broker, "-t t -m m -q 1").exit_code, 0);
        }
        EXPECT_FALSE(std::filesystem::exists(path(socket).parent_path()));
    }
}

TEST_F(BrokerTest, SaysThatItIsNotInstalled) {
    auto broker = Broker::start(folder_ / "no-such-broker", folder_ / "b");
    ASSERT_FALSE(broker);
    EXPECT_EQ(broker.error().code, Code::Unavailable);
    EXPECT_EQ(broker.error().message, "broker not installed: No such file or directory");
    EXPECT_EQ(broker.error().where, (folder_ / "no-such-broker").string());
}

TEST_F(BrokerTest, SaysWhatABrokerPrintedThatDoesNotComeUp) {
    const path script = folder_ / "broken";
    std::ofstream(script) << "#!/bin/sh\necho no such option >&2\nexit 3\n";
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    auto broker = Broker::start(script, folder_ / "b");
    ASSERT_FALSE(broker);
    EXPECT_EQ(broker.error().code, Code::Unavailable);
    EXPECT_EQ(broker.error().message, "the broker ended: no such option\nexit code 3");
}

}  // namespace
}  // namespace hatchery::gateway
