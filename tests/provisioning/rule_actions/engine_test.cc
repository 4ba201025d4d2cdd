// The queue and files; what goes over the network is in tests/integration/rules.sh.
#include "provisioning/rule_actions/engine.h"

#include "provisioning/registry/schema.h"
#include "tests/provisioning/temp_directory.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

namespace hatchery::rule_actions {
namespace {

using ::testing::HasSubstr;

constexpr std::chrono::seconds kEngineDeadline{30};

/// A database with one rule, and engines on it one after the other.
class RuleEngine : public ::testing::Test {
  protected:
    RuleEngine() {
        auto opened = registry::open(folder_ / "db");
        if (!opened) std::abort();
        store_ = std::move(*opened);
        options_.folder = folder_ / "rules";
    }

    void rule(const std::string& name, const std::string& actions, const std::string& more = "") {
        rule_on("SELECT *, topic(2) AS line FROM 'plant/#'", name, actions, more);
    }
    void rule_on(const std::string& sql,
                 const std::string& name,
                 const std::string& actions,
                 const std::string& more = "") {
        registry::TopicRule made;
        made.name = name;
        made.topic_filter = "any";  // only lists look at it
        made.payload = R"({"sql":")" + sql + R"(","actions":)" + actions + more + "}";
        const auto created = store_->write(
            [&](store::Tx& tx) { return registry::create_topic_rule(tx, {}, made, Time{}); });
        ASSERT_TRUE(created) << to_string(created.error());
    }
    void start() {
        auto started = Engine::start(*store_, std::move(options_));
        ASSERT_TRUE(started) << to_string(started.error());
        engine_ = std::move(*started);
        options_ = {};
        options_.folder = folder_ / "rules";
    }
    Result<> publish(const std::string& topic, const std::string& payload) {
        const topic_rules::Message message(
            topic, bytes_of(payload), "device-1", "cafe", topic_rules::Moment{});
        return engine_->keep(engine_->match(message));
    }
    std::int64_t queued() {
        const auto size =
            store_->read([](store::Reader& reader) { return registry::queue_size(reader); });
        return size ? size->actions : -1;
    }
    /// Waits until the queue is empty.
    void finish() {
        const auto deadline = std::chrono::steady_clock::now() + kEngineDeadline;
        while (queued() != 0) {
            ASSERT_LT(std::chrono::steady_clock::now(), deadline);
            std::this_thread::yield();
        }
    }
    std::string written(const std::string& name) {
        std::ifstream file(folder_ / "rules" / name);
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }

    hatchery::testing::TempDirectory folder_;
    std::unique_ptr<store::Store> store_;
    Options options_;
    std::unique_ptr<Engine> engine_;
};

/// What was republished, in order.
class Recorder : public Republisher {
  public:
    Result<> republish(std::string topic, ByteView payload) override {
        const std::lock_guard lock(mutex_);
        all_.push_back(topic + " " + std::string(text_of(payload)));
        return {};
    }
    std::vector<std::string> all() {
        const std::lock_guard lock(mutex_);
        return all_;
    }

  private:
    std::mutex mutex_;
    std::vector<std::string> all_;
};

TEST_F(RuleEngine, AppendsToAFileThatNobodyElseReads) {
    rule("log",
         R"([{"cloudwatchLogs":{"roleArn":"r","logGroupName":"/audits/${topic(2)}.jsonl"}}])");
    start();
    EXPECT_TRUE(engine_->has_rules());
    ASSERT_TRUE(publish("plant/line1", R"({"n":1})"));
    ASSERT_TRUE(publish("plant/line1", R"({"n":2})"));
    ASSERT_TRUE(publish("elsewhere", "{}"));
    finish();
    EXPECT_EQ(written("audits/line1.jsonl"),
              "{\"line\":\"line1\",\"n\":1}\n{\"line\":\"line1\",\"n\":2}\n");
    struct stat facts {};
    ASSERT_EQ(stat((folder_ / "rules/audits/line1.jsonl").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
}

TEST_F(RuleEngine, LeavesItsFolderForNoMessage) {
    options_.attempts = 1;
    rule("log",
         R"([{"cloudwatchLogs":{"roleArn":"r","logGroupName":"${client}"}}])",
         R"(,"errorAction":{"cloudwatchLogs":{"roleArn":"r","logGroupName":"errors"}})");
    start();
    for (const char* name : {"../out", "a/../../out", "..", "a/./b", "/", "a b", "a\\u0000b"})
        ASSERT_TRUE(publish("plant/x", R"({"client":")" + std::string(name) + R"("})"));
    finish();
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
    const std::string errors = written("errors");
    EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 7);
    EXPECT_THAT(errors, HasSubstr("expected a file's name of a-z"));
}

TEST_F(RuleEngine, KeepsItsQueueOverARestart) {
    rule("again", R"([{"republish":{"topic":"copy/${topic(2)}","roleArn":"r"}}])");
    start();
    for (int i = 1; i <= 3; ++i)
        ASSERT_TRUE(publish("plant/" + std::to_string(i), "{}"));
    engine_.reset();  // nobody took them: no gateway ran
    EXPECT_EQ(queued(), 3);
    start();
    Recorder recorder;
    engine_->set_republisher(&recorder);
    finish();
    engine_->set_republisher(nullptr);
    EXPECT_THAT(recorder.all(),
                ::testing::ElementsAre(
                    R"(copy/1 {"line":"1"})", R"(copy/2 {"line":"2"})", R"(copy/3 {"line":"3"})"));
}

TEST_F(RuleEngine, GivesWhatARuleRepublishesToOtherRules) {
    rule("first", R"([{"republish":{"topic":"copy/${topic(2)}","roleArn":"r"}}])");
    rule_on("SELECT *, topic(1) AS came, clientid() AS client, principal() AS who FROM 'copy/+'",
            "second",
            R"([{"cloudwatchLogs":{"roleArn":"r","logGroupName":"log"}}])");
    start();
    ASSERT_TRUE(publish("plant/1", R"({"n":1})"));
    Recorder recorder;
    engine_->set_republisher(&recorder);
    finish();
    engine_->set_republisher(nullptr);
    EXPECT_THAT(recorder.all(), ::testing::ElementsAre(R"(copy/1 {"line":"1","n":1})"));
    EXPECT_EQ(written("log"),
              R"({"came":"copy","client":"n/a","line":"1","n":1,"who":""})"
              "\n");
}

TEST_F(RuleEngine, EndsRulesThatRunInCircles) {
    rule_on("SELECT * FROM 'plant/#'",
            "circle",
            R"([{"republish":{"topic":"plant/${topic(2)}/x","roleArn":"r"}}])");
    start();
    ASSERT_TRUE(publish("plant/1", "{}"));
    engine_.reset();
    start();  // how often it went round is kept
    Recorder recorder;
    engine_->set_republisher(&recorder);
    finish();
    engine_->set_republisher(nullptr);
    EXPECT_EQ(recorder.all(), std::vector<std::string>(5, "plant/1/x {}"));
}

TEST_F(RuleEngine, DropsWhatHasNoRoomInItsQueue) {
    rule("again", R"([{"republish":{"topic":"copy/${topic(2)}","roleArn":"r"}}])");
    options_.max_actions = 2;
    start();
    for (int i = 1; i <= 4; ++i)
        ASSERT_TRUE(publish("plant/" + std::to_string(i), "{}"));
    EXPECT_EQ(queued(), 2);
    engine_.reset();
    options_.max_bytes = 60;
    start();  // what is there counts
    ASSERT_TRUE(publish("plant/5", R"({"long":")" + std::string(60, 'x') + R"("})"));
    EXPECT_EQ(queued(), 2);
    ASSERT_TRUE(publish("plant/6", "{}"));
    EXPECT_EQ(queued(), 3);
}

TEST_F(RuleEngine, TellsTheErrorActionWhatFailed) {
    rule(
        "store",
        R"([{"s3":{"roleArn":"r","bucketName":"b","key":"${topic()}"}}])",
        R"(,"errorAction":{"cloudwatchLogs":{"roleArn":"r","logGroupName":"errors-${topic(2)}"}})");
    options_.attempts = 1;
    start();
    ASSERT_TRUE(publish("plant/line1", R"({"n":1})"));
    finish();
    EXPECT_EQ(written("errors-line1"),
              R"({"base64OriginalPayload":"eyJuIjoxfQ==","clientId":"device-1","failures":)"
              R"([{"errorMessage":"hatchery.toml has no rules.s3.endpoint","failedAction":"s3",)"
              R"("failedResource":"{\"bucketName\":\"b\",\"key\":\"plant/line1\"}"}],)"
              R"("ruleName":"store","topic":"plant/line1"})"
              "\n");
}

TEST_F(RuleEngine, FollowsChangesOfRules) {
    start();
    EXPECT_FALSE(engine_->has_rules());
    rule("log", R"([{"cloudwatchLogs":{"roleArn":"r","logGroupName":"log"}}])");
    const auto wait_for = [&](bool wanted) {
        const auto deadline = std::chrono::steady_clock::now() + kEngineDeadline;
        while (engine_->has_rules() != wanted && std::chrono::steady_clock::now() < deadline)
            std::this_thread::yield();
        EXPECT_EQ(engine_->has_rules(), wanted);
    };
    wait_for(true);
    ASSERT_TRUE(store_->write(
        [](store::Tx& tx) { return registry::set_topic_rule_disabled(tx, "log", true); }));
    wait_for(false);
    ASSERT_TRUE(store_->write(
        [](store::Tx& tx) { return registry::set_topic_rule_disabled(tx, "log", false); }));
    wait_for(true);
    ASSERT_TRUE(
        store_->write([](store::Tx& tx) { return registry::delete_topic_rule(tx, "log"); }));
    wait_for(false);
}

}  // namespace
}  // namespace hatchery::rule_actions
