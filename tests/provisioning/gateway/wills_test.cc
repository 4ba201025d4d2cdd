// When rules see a will: what the broker does with it, by MQTT 5's section 3.1.2.5 and 3.1.3.2.2.
#include "provisioning/gateway/wills.h"

#include "provisioning/gateway/mqtt_properties.h"
#include "provisioning/registry/schema.h"
#include "tests/provisioning/temp_directory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <thread>

namespace hatchery::gateway {
namespace {

using std::chrono::seconds;

constexpr seconds kWillsDeadline{60};

mqtt::Connect device(std::uint8_t level, bool clean) {
    mqtt::Connect connect;
    connect.level = level;
    connect.clean_session = clean;
    connect.client_id = "pump";
    connect.will = mqtt::Will{"gone/pump", to_bytes(bytes_of(R"({"n":1})"))};
    return connect;
}

mqtt::Connect device_v5(std::uint32_t delay, std::uint32_t expiry) {
    auto connect = device(mqtt::kLevel5, true);
    mqtt::append_property(connect.will->properties, mqtt::property::kWillDelayInterval, delay);
    mqtt::append_property(connect.properties, mqtt::property::kSessionExpiryInterval, expiry);
    return connect;
}

mqtt::Connect comes_back(bool clean) {
    auto connect = device(mqtt::kLevel5, clean);
    connect.will.reset();
    return connect;
}

/// A rule that writes each will into a file.
class WillsTest : public ::testing::Test {
  protected:
    WillsTest() {
        auto opened = registry::open(folder_ / "db");
        if (!opened) std::abort();
        store_ = std::move(*opened);
        registry::TopicRule rule;
        rule.name = "wills";
        rule.topic_filter = "gone/#";
        rule.payload = R"({"sql":"SELECT n, clientid() AS client, principal() AS who FROM 'gone/#'",
            "actions":[{"cloudwatchLogs":{"roleArn":"r","logGroupName":"wills"}}]})";
        const auto made = store_->write([&](store::Tx& tx) {
            return registry::create_topic_rule(tx, registry::Account{}, rule, Time{});
        });
        if (!made) std::abort();
        rule_actions::Options options;
        options.folder = folder_ / "rules";
        auto started = rule_actions::Engine::start(*store_, std::move(options));
        if (!started) std::abort();
        engine_ = std::move(*started);
        wills_.emplace(engine_.get());
    }

    void ended(const mqtt::Connect& connect, CloseCause cause) {
        wills_->ended(connect, "cafe", cause, start_);
    }
    void after(seconds time) { wills_->give_due(start_ + time); }
    /// How many wills rules have seen so far.
    std::size_t seen() {
        const auto deadline = std::chrono::steady_clock::now() + kWillsDeadline;
        while (waiting() != 0) {
            if (std::chrono::steady_clock::now() > deadline) return 99;
            std::this_thread::yield();
        }
        std::ifstream file(folder_ / "rules" / "wills");
        std::size_t lines = 0;
        for (std::string line; std::getline(file, line); ++lines)
            EXPECT_EQ(line, R"({"client":"pump","n":1,"who":"cafe"})");
        return lines;
    }

    const Wills::Instant start_ = std::chrono::steady_clock::now();
    testing::TempDirectory folder_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<rule_actions::Engine> engine_;
    std::optional<Wills> wills_;

  private:
    /// Its turn in the store comes after what was given before.
    std::int64_t waiting() {
        std::int64_t count = -1;
        const auto done = store_->write([&](store::Tx& tx) -> Result<> {
            auto size = registry::queue_size(tx);
            if (!size) return std::move(size).error();
            count = size->actions;
            return {};
        });
        return done ? count : -1;
    }
};

TEST_F(WillsTest, AreSeenAtTheEndOfTheConnection) {
    ended(device(mqtt::kLevel311, true), CloseCause::DeviceLost);
    EXPECT_EQ(seen(), 1U);
    ended(device(mqtt::kLevel311, false), CloseCause::KeepAlive);
    EXPECT_EQ(seen(), 2U);
    ended(device_v5(0, 60), CloseCause::Denied);
    EXPECT_EQ(seen(), 3U);
}

TEST_F(WillsTest, AreSeenAfterTheirDelay) {
    ended(device_v5(30, 60), CloseCause::DeviceLost);
    after(seconds(29));
    EXPECT_EQ(seen(), 0U);
    after(seconds(30));
    EXPECT_EQ(seen(), 1U);
    after(seconds(90));
    EXPECT_EQ(seen(), 1U);
}

TEST_F(WillsTest, AreSeenWhenTheSessionEnds) {
    ended(device_v5(30, 10), CloseCause::DeviceLost);
    after(seconds(9));
    EXPECT_EQ(seen(), 0U);
    after(seconds(10));
    EXPECT_EQ(seen(), 1U);
    ended(device_v5(30, 0), CloseCause::DeviceLost);
    EXPECT_EQ(seen(), 2U);
}

TEST_F(WillsTest, AreNoneWhenTheSessionGoesOn) {
    ended(device_v5(30, 60), CloseCause::DeviceLost);
    wills_->opened(comes_back(false));
    after(seconds(30));
    EXPECT_EQ(seen(), 0U);
    ended(device_v5(30, 60), CloseCause::DeviceLost);
    wills_->opened(comes_back(true));  // a new session ends the old one
    EXPECT_EQ(seen(), 1U);
    after(seconds(30));
    EXPECT_EQ(seen(), 1U);
}

TEST_F(WillsTest, OfAConnectionThatIsTakenOverAreSeenIfItsSessionEnds) {
    ended(device(mqtt::kLevel311, true), CloseCause::TakenOver);
    EXPECT_EQ(seen(), 1U);
    ended(device(mqtt::kLevel311, false), CloseCause::TakenOver);
    ended(device_v5(0, 60), CloseCause::TakenOver);
    EXPECT_EQ(seen(), 1U);
}

TEST_F(WillsTest, AreNotSeenWhereTheBrokerEndsTheConnectionOrThereIsNone) {
    ended(device(mqtt::kLevel311, true), CloseCause::UpstreamLost);
    ended(comes_back(true), CloseCause::DeviceLost);
    EXPECT_EQ(seen(), 0U);
    Wills nobody(nullptr);
    nobody.ended(device(mqtt::kLevel311, true), "cafe", CloseCause::DeviceLost, start_);
    EXPECT_EQ(seen(), 0U);
}

}  // namespace
}  // namespace hatchery::gateway
