#include "provisioning/registry/outgoing.h"
#include "tests/provisioning/jobs/jobs_fixture.h"

namespace hatchery::jobs {
namespace {

using S = ExecutionStatus;

TEST_F(JobsTest, TimersEndWhatTakesTooLong) {
    make_things({"a", "b"});
    make_job("j1",
             {thing_arn("a"), thing_arn("b")},
             R"({"timeoutConfig":{"inProgressTimeoutInMinutes":10},
                 "jobExecutionsRetryConfig":{"criteriaList":
                    [{"failureType":"TIMED_OUT","numberOfRetries":1}]}})");
    EXPECT_FALSE(report("a", "j1", S::InProgress).refused);
    Update step;
    step.job_id = "j1";
    step.step_minutes = 3;
    EXPECT_FALSE(update(*context_, "b", step, kNow).refused);
    auto seen = describe(*context_, "b", {"j1", {}, false});
    EXPECT_EQ(execution_json(
                  **seen, DocumentForm::Value, kNow + kMinutes)["approximateSecondsBeforeTimedOut"],
              120);
    advance_all(kNow + 3 * kMinutes - std::chrono::seconds(1));
    EXPECT_EQ(status("b", "j1"), "IN_PROGRESS");
    advance_all(kNow + 3 * kMinutes);
    EXPECT_EQ(registry::to_string(execution("b", "j1", 1).status), "TIMED_OUT");
    EXPECT_EQ(registry::to_string(execution("b", "j1", 2).status), "QUEUED");
    EXPECT_EQ(status("a", "j1"), "IN_PROGRESS");
    advance_all(kNow + 10 * kMinutes);
    EXPECT_EQ(registry::to_string(execution("a", "j1", 1).status), "TIMED_OUT");
    EXPECT_EQ(count("j1", S::Queued), 2);
}

TEST_F(JobsTest, MinusOneClearsTheStepTimer) {
    make_things({"a"});
    make_job("j1", {thing_arn("a")});
    Update step;
    step.job_id = "j1";
    step.step_minutes = 3;
    EXPECT_FALSE(update(*context_, "a", step, kNow).refused);
    step.step_minutes = -1;
    EXPECT_FALSE(update(*context_, "a", step, kNow).refused);
    advance_all(kNow + 100 * kMinutes);
    EXPECT_EQ(status("a", "j1"), "IN_PROGRESS");
}

TEST_F(JobsTest, RolloutKeepsItsRate) {
    make_group("fleet");
    std::vector<std::string> names;
    for (int i = 0; i < 25; ++i)
        names.push_back("t" + std::to_string(i));
    make_things(names);
    for (const auto& name : names)
        join(name, "fleet");
    make_job(
        "j1", {group_arn("fleet")}, R"({"jobExecutionsRolloutConfig":{"maximumPerMinute":10}})");
    EXPECT_EQ(count("j1", S::Queued), 0);
    advance_all(kNow);
    advance_all(kNow + std::chrono::seconds(30));
    EXPECT_EQ(count("j1", S::Queued), 10);
    auto lists = pending(*context_, "t24");
    EXPECT_TRUE(lists->queued.empty());  // not rolled out: nothing to do yet
    advance_all(kNow + kMinutes);
    EXPECT_EQ(count("j1", S::Queued), 20);
    EXPECT_EQ(execution("t19", "j1").queued, kNow + kMinutes);
    advance_all(kNow + 2 * kMinutes);
    EXPECT_EQ(count("j1", S::Queued), 25);
}

TEST_F(JobsTest, AbortsWhenTooManyFail) {
    make_things({"a", "b", "c", "d"});
    make_job("j1",
             {thing_arn("a"), thing_arn("b"), thing_arn("c"), thing_arn("d")},
             R"({"abortConfig":{"criteriaList":[{"failureType":"FAILED","action":"CANCEL",
                "thresholdPercentage":50,"minNumberOfExecutedThings":2}]}})");
    EXPECT_FALSE(report("a", "j1", S::Failed).refused);
    EXPECT_FALSE(report("d", "j1", S::InProgress).refused);
    advance_all(kNow);
    EXPECT_EQ(job_status("j1"), JobStatus::InProgress);
    EXPECT_FALSE(report("b", "j1", S::Succeeded).refused);
    advance_all(kNow);
    EXPECT_EQ(job_status("j1"), JobStatus::Canceled);
    EXPECT_EQ(status("c", "j1"), "CANCELED");
    EXPECT_EQ(status("d", "j1"), "IN_PROGRESS");  // it may finish
    EXPECT_FALSE(report("d", "j1", S::Succeeded).refused);
    EXPECT_EQ(job_status("j1"), JobStatus::Canceled);
}

TEST_F(JobsTest, SchedulesBeginAndEndJobs) {
    make_things({"a", "b"});
    make_group("fleet");
    join("b", "fleet");
    make_job("j1",
             {thing_arn("a"), group_arn("fleet")},
             R"({"schedulingConfig":{"startTime":"2026-06-01 01:00","endTime":"2026-06-01 02:00",
                 "endBehavior":"CANCEL"}})");
    advance_all(kNow);
    EXPECT_EQ(job_status("j1"), JobStatus::Scheduled);
    EXPECT_TRUE(pending(*context_, "a")->queued.empty());
    advance_all(kNow + std::chrono::hours(1));
    EXPECT_EQ(job_status("j1"), JobStatus::InProgress);
    EXPECT_EQ(count("j1", S::Queued), 2);
    advance_all(kNow + std::chrono::hours(2));
    EXPECT_EQ(job_status("j1"), JobStatus::Canceled);
    EXPECT_EQ(status("b", "j1"), "CANCELED");
}

TEST_F(JobsTest, ACrashInTheMiddleLeavesWorkThatAdvanceDoes) {
    make_things({"a", "b"});
    make_group("fleet");
    join("a", "fleet");
    join("b", "fleet");
    registry::Job job;
    job.id = "j1";
    job.document = "{}";
    job.created = kNow;
    job.chores = registry::kPopulate;
    good(store_->write([&](store::Tx& tx) -> Result<> {  // the first commit of create_job, alone
        auto key = registry::add_job(tx, account_, job);
        if (!key) return std::move(key).error();
        return registry::add_job_group(tx, *key, "fleet");
    }));
    advance_all(kNow);
    EXPECT_EQ(count("j1", S::Queued), 2);
    auto found =
        store_->read([](store::Reader& reader) { return registry::find_job(reader, "j1"); });
    EXPECT_EQ(found->chores, 0);
}

/// "TOPIC-END payload" of what the thing is told.
std::vector<std::pair<std::string, json>> told(const Context& context, Time now = kNow) {
    EXPECT_TRUE(leave_notices(context, 100, now));
    auto messages = context.store.read([&](store::Reader& reader) {
        return registry::outgoing_messages(reader, context.account, 100);
    });
    EXPECT_TRUE(messages);
    std::vector<std::pair<std::string, json>> all;
    for (const auto& message : *messages) {
        all.emplace_back(message.topic, json::parse(message.payload));
        EXPECT_TRUE(context.store.write(
            [&](store::Tx& tx) { return registry::forget_outgoing(tx, message.key); }));
    }
    return all;
}

TEST_F(JobsTest, DevicesAreToldOfTheirListAndOfWhatIsNext) {
    make_things({"a"});
    make_job("j1", {thing_arn("a")});
    auto messages = told(*context_);
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0].first, "$aws/things/a/jobs/notify");
    const json summary = {{"jobId", "j1"},
                          {"queuedAt", kNow.time_since_epoch().count()},
                          {"lastUpdatedAt", kNow.time_since_epoch().count()},
                          {"versionNumber", 1},
                          {"executionNumber", 1}};
    EXPECT_EQ(
        messages[0].second,
        (json{{"jobs", {{"QUEUED", {summary}}}}, {"timestamp", kNow.time_since_epoch().count()}}));
    EXPECT_EQ(messages[1].first, "$aws/things/a/jobs/notify-next");
    EXPECT_EQ(messages[1].second["execution"]["jobId"], "j1");
    EXPECT_EQ(messages[1].second["execution"]["jobDocument"], (json{{"do", "it"}}));
    EXPECT_TRUE(told(*context_).empty());

    // A second job changes the list, not what is next; starting the first changes neither.
    make_job("j2", {thing_arn("a")}, "{}", false, kNow + kMinutes);
    messages = told(*context_);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].second["jobs"]["QUEUED"].size(), 2U);
    good(start_next(*context_, "a", {}, kNow));
    EXPECT_TRUE(told(*context_).empty());

    EXPECT_FALSE(report("a", "j1", S::Succeeded).refused);
    messages = told(*context_);
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0].second["jobs"]["QUEUED"].size(), 1U);
    EXPECT_EQ(messages[1].second["execution"]["jobId"], "j2");

    good(cancel_job(*context_, "j2", {}, kNow));
    messages = told(*context_);
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0].second["jobs"], json::object());
    EXPECT_FALSE(messages[1].second.contains("execution"));
}

TEST_F(JobsTest, WhatChangesWhileANoticeIsWrittenIsToldInTheNextRound) {
    make_things({"a"});
    NewJob job;
    job.id = "j1";
    job.document = R"({"file":"${aws:iot:s3-presigned-url:s3://b/k}"})";
    job.settings = R"({"presignedUrlConfig":{}})";
    job.targets = {thing_arn("a")};
    good(create_job(*context_, job, kNow));
    // Links are made between the look at the store and the write.
    bool is_first = true;
    Context with_link{*store_, account_, [&](std::string_view url, std::chrono::seconds) {
                          if (std::exchange(is_first, false))
                              good(start_next(*context_, "a", {}, kNow));
                          return Result<std::string>("link to " + std::string(url));
                      }};
    EXPECT_TRUE(told(with_link).empty());
    const auto messages = told(with_link);
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0].second["jobs"]["IN_PROGRESS"].size(), 1U);
    EXPECT_EQ(messages[1].second["execution"]["versionNumber"], 2);
    EXPECT_EQ(messages[1].second["execution"]["jobDocument"], (json{{"file", "link to s3://b/k"}}));
}

TEST_F(JobsTest, NoticesWaitWhileTheOutboxIsLong) {
    make_things({"a"});
    make_job("j1", {thing_arn("a")});
    constexpr int kMany = 2001;
    good(store_->write([](store::Tx& tx) -> Result<> {
        for (int i = 0; i < kMany; ++i) {
            if (auto left = registry::leave_message(tx, "t", "{}"); !left) return left;
        }
        return {};
    }));
    const auto left = leave_notices(*context_, 100, kNow);
    ASSERT_TRUE(left);
    EXPECT_FALSE(*left);
    good(store_->write([](store::Tx& tx) { return registry::forget_outgoing(tx, kMany); }));
    EXPECT_EQ(told(*context_).size(), 2U);
}

TEST_F(JobsTest, StartingALaterJobChangesWhatIsNextOnly) {
    make_things({"a"});
    make_job("j1", {thing_arn("a")});
    make_job("j2", {thing_arn("a")}, "{}", false, kNow + kMinutes);
    told(*context_);
    EXPECT_FALSE(report("a", "j2", S::InProgress).refused);
    const auto messages = told(*context_);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].first, "$aws/things/a/jobs/notify-next");
    EXPECT_EQ(messages[0].second["execution"]["jobId"], "j2");
}

}  // namespace
}  // namespace hatchery::jobs
