#include "provisioning/jobs/topics.h"

#include "tests/provisioning/jobs/jobs_fixture.h"

namespace hatchery::jobs {
namespace {

TEST(JobTopics, AreTheRequestsBelowAThingsJobs) {
    for (const std::string_view topic : {"$aws/things/t/jobs/get",
                                         "$aws/things/t/jobs/start-next",
                                         "$aws/things/t/jobs/j1/get",
                                         "$aws/things/t/jobs/$next/get",
                                         "$aws/things/t/jobs/j1/update",
                                         "$aws/things/t/jobs/nonsense"}) {
        EXPECT_TRUE(is_request(topic)) << topic;
    }
    for (const std::string_view topic : {"$aws/things/t/jobs",
                                         "$aws/things/t/jobs/",
                                         "$aws/things//jobs/get",
                                         "$aws/things/t/shadow/get",
                                         "$aws/things/t/jobs/notify",
                                         "$aws/things/t/jobs/notify-next",
                                         "$aws/things/t/jobs/get/accepted",
                                         "$aws/things/t/jobs/j1/update/rejected",
                                         "things/t/jobs/get",
                                         "$aws/certificates/create/json"}) {
        EXPECT_FALSE(is_request(topic)) << topic;
    }
}

class JobTopicsTest : public JobsTest {
  protected:
    void SetUp() override {
        JobsTest::SetUp();
        make_things({"t"});
        make_job("j1", {thing_arn("t")});
    }
    /// The payload; the topic must be that of `outcome`.
    json ask(const std::string& rest, const std::string& outcome, std::string_view payload) {
        const std::string topic = "$aws/things/t/jobs/" + rest;
        const auto reply = answer_request(*context_, topic, bytes_of(payload), kNow);
        EXPECT_EQ(reply.topic, topic + "/" + outcome) << reply.payload;
        return json::parse(reply.payload);
    }
};

TEST_F(JobTopicsTest, WholeLifeOfAnExecution) {
    const auto now = kNow.time_since_epoch().count();
    json answer = ask("get", "accepted", R"({"clientToken":"one"})");
    EXPECT_EQ(answer["clientToken"], "one");
    EXPECT_EQ(answer["timestamp"], now);
    EXPECT_EQ(answer["inProgressJobs"], json::array());
    EXPECT_EQ(answer["queuedJobs"][0]["jobId"], "j1");

    answer = ask("$next/get", "accepted", "");
    EXPECT_EQ(answer["execution"]["status"], "QUEUED");
    EXPECT_EQ(answer["execution"]["jobDocument"], (json{{"do", "it"}}));
    answer = ask("j1/get", "accepted", R"({"includeJobDocument":false,"executionNumber":1})");
    EXPECT_FALSE(answer["execution"].contains("jobDocument"));

    answer = ask("start-next", "accepted", R"({"statusDetails":{"a":"b"}})");
    EXPECT_EQ(answer["execution"]["status"], "IN_PROGRESS");
    EXPECT_EQ(answer["execution"]["statusDetails"], (json{{"a", "b"}}));
    EXPECT_EQ(answer["execution"]["startedAt"], now);
    EXPECT_EQ(answer["execution"]["thingName"], "t");

    answer = ask("j1/update",
                 "accepted",
                 R"({"status":"SUCCEEDED","expectedVersion":2,"includeJobExecutionState":true,
                     "includeJobDocument":true})");
    EXPECT_EQ(
        answer["executionState"],
        (json{{"status", "SUCCEEDED"}, {"statusDetails", {{"a", "b"}}}, {"versionNumber", 3}}));
    EXPECT_EQ(answer["jobDocument"], (json{{"do", "it"}}));
    answer = ask("start-next", "accepted", "{}");
    EXPECT_FALSE(answer.contains("execution"));
}

TEST_F(JobTopicsTest, RefusalsHaveTheirCode) {
    struct Case {
        const char *rest, *payload, *code, *message;
    };
    constexpr Case kCases[] = {
        {"nonsense",
         "{}",
         "InvalidTopic",
         "expected get, start-next, JOB-ID/get, $next/get or JOB-ID/update, found 'nonsense'"},
        {"get", "{", "InvalidJson", "expected a JSON object as payload"},
        {"get", "[]", "InvalidJson", "expected a JSON object as payload"},
        {"j2/get", "{}", "ResourceNotFound", "thing t has no execution of job j2"},
        {"j1/update", "{}", "InvalidRequest", "status: expected a string, found none"},
        {"j1/update",
         R"({"status":"CANCELED"})",
         "InvalidRequest",
         "status: expected IN_PROGRESS, FAILED, SUCCEEDED or REJECTED, found CANCELED"},
        {"j1/update",
         R"({"status":"FAILED","statusDetails":{"a":1}})",
         "InvalidRequest",
         "statusDetails: expected at most 10 strings of 1 to 1024 characters without control "
         "characters, named by 1 to 128 of [a-zA-Z0-9:_-]"},
        {"j1/update",
         R"({"status":"FAILED","stepTimeoutInMinutes":0})",
         "InvalidRequest",
         "stepTimeoutInMinutes: expected 1 to 10080, or -1, found 0"},
        {"j1/update",
         R"({"status":"FAILED","expectedVersion":9})",
         "VersionMismatch",
         "expectedVersion: expected version 9, found 1"},
    };
    for (const auto& one : kCases) {
        const json answer = ask(one.rest, "rejected", one.payload);
        EXPECT_EQ(answer["code"], one.code) << one.rest << one.payload;
        EXPECT_EQ(answer["message"], one.message) << one.rest << one.payload;
        EXPECT_EQ(answer["timestamp"], kNow.time_since_epoch().count());
    }
}

TEST_F(JobTopicsTest, RefusedUpdatesTellTheState) {
    json answer = ask(
        "j1/update", "rejected", R"({"status":"FAILED","expectedVersion":9,"clientToken":"x"})");
    EXPECT_EQ(answer["executionState"]["versionNumber"], 1);
    EXPECT_EQ(answer["clientToken"], "x");
    ask("j1/update", "accepted", R"({"status":"FAILED"})");
    answer = ask("j1/update", "rejected", R"({"status":"SUCCEEDED"})");
    EXPECT_EQ(answer["code"], "InvalidStateTransition");
    EXPECT_EQ(answer["executionState"]["status"], "FAILED");
    answer = ask("j1/get", "rejected", "{}");
    EXPECT_EQ(answer["code"], "TerminalStateReached");
}

TEST_F(JobTopicsTest, DepthIsBounded) {
    std::string deep = "{\"a\":";
    for (int i = 0; i < 1000; ++i)
        deep += "[";
    const json answer = ask("get", "rejected", deep);
    EXPECT_EQ(answer["code"], "InvalidJson");
}

}  // namespace
}  // namespace hatchery::jobs
