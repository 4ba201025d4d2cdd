#include "tests/provisioning/jobs/jobs_fixture.h"

namespace hatchery::jobs {
namespace {

using S = ExecutionStatus;

TEST_F(JobsTest, SnapshotGivesThingsAndMembersOneExecutionEachAndCompletes) {
    make_things({"a", "b", "c", "other"});
    make_group("fleet");
    make_group("below", "fleet");
    join("b", "fleet");
    join("c", "below");
    join("a", "below");  // a is a target itself, too
    make_job("j1", {thing_arn("a"), group_arn("fleet")});
    EXPECT_EQ(count("j1", S::Queued), 3);
    EXPECT_EQ(job_status("j1"), JobStatus::InProgress);
    make_things({"late"});
    join("late", "fleet");
    advance_all(kNow);
    EXPECT_EQ(count("j1", S::Queued), 3);  // a snapshot stays as it is

    for (const std::string thing : {"a", "b", "c"}) {
        EXPECT_EQ(job_status("j1"), JobStatus::InProgress);
        EXPECT_FALSE(report(thing, "j1", S::Succeeded).refused);
    }
    EXPECT_EQ(job_status("j1"), JobStatus::Completed);
}

TEST_F(JobsTest, SnapshotOfNobodyIsCompletedAtOnce) {
    make_group("empty");
    make_job("j1", {group_arn("empty")});
    EXPECT_EQ(job_status("j1"), JobStatus::Completed);
}

TEST_F(JobsTest, ManyThingsGetAndLoseTheirExecutionsOverManyCommits) {
    constexpr int kThings = 4'500;  // three commits of at most 2,000 rows
    make_group("fleet");
    good(store_->write([&](store::Tx& tx) -> Result<> {
        for (int i = 0; i < kThings; ++i) {
            const std::string name = "sensor-" + std::to_string(i);
            auto made = registry::create_thing(tx, account_, {name, {}, {}, {}}, kNow);
            if (!made) return std::move(made).error();
            if (auto in = registry::add_thing_to_group(tx, name, "fleet"); !in) return in;
        }
        return {};
    }));
    make_job("j1", {group_arn("fleet")});
    EXPECT_EQ(count("j1", S::Queued), kThings);
    EXPECT_EQ(status("sensor-4499", "j1"), "QUEUED");
    EXPECT_FALSE(report("sensor-7", "j1", S::InProgress).refused);
    good(cancel_job(*context_, "j1", {}, kNow));
    EXPECT_EQ(count("j1", S::Canceled), kThings - 1);
    EXPECT_EQ(count("j1", S::InProgress), 1);
    good(cancel_job(*context_, "j1", {{}, {}, true}, kNow));
    EXPECT_EQ(count("j1", S::Canceled), kThings);
}

TEST_F(JobsTest, CreateRefusesWhatItCannotDo) {
    make_things({"a"});
    NewJob job{"j1", "{}", "{}", {thing_arn("a")}, false, false, {}};
    auto refused = [&](NewJob changed) { return create_job(*context_, changed, kNow); };
    auto changed = job;
    changed.document = "{no json";
    expect_refused(
        refused(changed), Code::InvalidRequest, "document: expected a job document that is JSON");
    changed = job;
    changed.document = "\"" + std::string(32767, 'x') + "\"";
    expect_refused(refused(changed),
                   Code::InvalidRequest,
                   "document: expected at most 32768 characters, found 32769");
    changed = job;
    changed.targets = {thing_arn("a"), thing_arn("nobody")};
    expect_refused(refused(changed), Code::NotFound, "thing nobody does not exist");
    changed = job;
    changed.targets = {"arn:aws:iot:us-east-1:123456789012:cert/a"};
    expect_refused(refused(changed),
                   Code::InvalidRequest,
                   "targets: expected the ARN of a thing or thing group of this account, found "
                   "'arn:aws:iot:us-east-1:123456789012:cert/a'");
    changed = job;
    changed.id = "not an id";
    expect_refused(refused(changed),
                   Code::InvalidRequest,
                   "jobId: expected 1 to 64 characters of [a-zA-Z0-9_-], found 'not an id'");
    good(create_job(*context_, job, kNow));
    expect_refused(refused(job), Code::AlreadyExists, "job j1 exists already");
}

TEST_F(JobsTest, ContinuousFollowsWhoJoinsAndLeaves) {
    make_things({"a", "b", "c", "direct"});
    make_group("fleet");
    join("a", "fleet");
    join("b", "fleet");
    make_job("j1", {group_arn("fleet"), thing_arn("direct")}, "{}", true);
    EXPECT_FALSE(report("a", "j1", S::Succeeded).refused);

    join("c", "fleet");
    leave("b", "fleet");
    leave("a", "fleet");  // has done it: nothing to take away
    advance_all(kNow);
    EXPECT_EQ(status("c", "j1"), "QUEUED");
    EXPECT_EQ(status("b", "j1"), "REMOVED");
    EXPECT_EQ(status("a", "j1"), "SUCCEEDED");
    EXPECT_EQ(status("direct", "j1"), "QUEUED");
    EXPECT_EQ(job_status("j1"), JobStatus::InProgress);

    join("b", "fleet");
    join("a", "fleet");
    make_group("below", "fleet");  // made after the job
    make_things({"d"});
    join("d", "below");
    advance_all(kNow);
    EXPECT_EQ(execution("b", "j1").number, 2);
    EXPECT_EQ(status("b", "j1"), "QUEUED");
    EXPECT_EQ(execution("a", "j1").number, 1);  // once is enough
    EXPECT_EQ(status("d", "j1"), "QUEUED");
}

TEST_F(JobsTest, ContinuousLeavesAThingThatIsStillInAnotherTarget) {
    make_things({"a"});
    make_group("one");
    make_group("two");
    join("a", "one");
    join("a", "two");
    make_job("j1", {group_arn("one"), group_arn("two")}, "{}", true);
    leave("a", "one");
    advance_all(kNow);
    EXPECT_EQ(status("a", "j1"), "QUEUED");
    leave("a", "two");
    advance_all(kNow);
    EXPECT_EQ(status("a", "j1"), "REMOVED");
}

TEST_F(JobsTest, NextIsWhatIsInProgressThenTheLongestQueued) {
    make_things({"a"});
    make_job("first", {thing_arn("a")}, "{}", false, kNow);
    make_job("second", {thing_arn("a")}, "{}", false, kNow + kMinutes);
    make_job("third", {thing_arn("a")}, "{}", false, kNow + 2 * kMinutes);
    auto next = describe(*context_, "a", {"$next", {}, true});
    good(next);
    EXPECT_EQ((*next)->execution.job_id, "first");
    EXPECT_EQ((*next)->document, R"({"do":"it"})");
    EXPECT_FALSE(report("a", "third", S::InProgress).refused);
    next = describe(*context_, "a", {"$next", {}, false});
    EXPECT_EQ((*next)->execution.job_id, "third");
    EXPECT_FALSE((*next)->document);
    auto started = start_next(*context_, "a", {}, kNow + 3 * kMinutes);
    good(started);
    EXPECT_EQ((*started)->execution.job_id, "third");  // as it is
    EXPECT_EQ((*started)->execution.version, 2);
    EXPECT_FALSE(report("a", "third", S::Failed).refused);
    started = start_next(*context_, "a", {R"({"step":"one"})", 5}, kNow + 3 * kMinutes);
    EXPECT_EQ((*started)->execution.job_id, "first");
    EXPECT_EQ((*started)->execution.version, 2);
    EXPECT_EQ((*started)->execution.details, R"({"step":"one"})");
    EXPECT_EQ((*started)->execution.started, kNow + 3 * kMinutes);
    auto lists = pending(*context_, "a");
    good(lists);
    ASSERT_EQ(lists->in_progress.size(), 1U);
    ASSERT_EQ(lists->queued.size(), 1U);
    EXPECT_EQ(lists->queued[0].job_id, "second");
    expect_refused(pending(*context_, "nobody"), Code::NotFound, "thing nobody does not exist");
}

TEST_F(JobsTest, ExpectedVersionGuardsAnUpdate) {
    make_things({"a"});
    make_job("j1", {thing_arn("a")});
    Update wanted;
    wanted.job_id = "j1";
    wanted.expected_version = 2;
    auto updated = update(*context_, "a", wanted, kNow);
    ASSERT_TRUE(updated.refused);
    EXPECT_EQ(updated.refused->code, Code::VersionConflict);
    ASSERT_TRUE(updated.execution);  // the state that it met
    EXPECT_EQ(
        state_json(*updated.execution),
        (json{{"status", "QUEUED"}, {"statusDetails", json::object()}, {"versionNumber", 1}}));
    wanted.expected_version = 1;
    wanted.include_document = true;
    updated = update(*context_, "a", wanted, kNow);
    EXPECT_FALSE(updated.refused);
    EXPECT_EQ(updated.execution->version, 2);
    EXPECT_EQ(updated.document, R"({"do":"it"})");
    EXPECT_EQ(execution("a", "j1").version, 2);
}

TEST_F(JobsTest, TerminalExecutionsAreOver) {
    make_things({"a"});
    make_job("j1", {thing_arn("a")});
    EXPECT_FALSE(report("a", "j1", S::Rejected).refused);
    auto again = report("a", "j1", S::InProgress);
    ASSERT_TRUE(again.refused);
    EXPECT_EQ(again.refused->code, Code::Conflict);
    EXPECT_EQ(to_string(*again.refused),
              "status: the execution is REJECTED, from where it cannot become IN_PROGRESS");
    expect_refused(describe(*context_, "a", {"j1", {}, true}),
                   Code::LimitExceeded,
                   "the execution is REJECTED");
    expect_refused(describe(*context_, "a", {"j1", 2, true}),
                   Code::NotFound,
                   "thing a has no execution 2 of job j1");
    auto none = start_next(*context_, "a", {}, kNow);
    good(none);
    EXPECT_FALSE(*none);
}

TEST_F(JobsTest, FailuresAreTriedAgainUnderTheNextNumber) {
    make_things({"a"});
    make_job("j1",
             {thing_arn("a")},
             R"({"jobExecutionsRetryConfig":{"criteriaList":
                [{"failureType":"FAILED","numberOfRetries":1}]}})");
    EXPECT_FALSE(report("a", "j1", S::Failed).refused);
    EXPECT_EQ(job_status("j1"), JobStatus::InProgress);
    EXPECT_EQ(registry::to_string(execution("a", "j1", 1).status), "FAILED");
    EXPECT_EQ(registry::to_string(execution("a", "j1", 2).status), "QUEUED");
    EXPECT_EQ(execution("a", "j1", 2).attempts, 1);
    EXPECT_EQ(count("j1", S::Failed), 0);  // it counts nowhere any more
    EXPECT_FALSE(report("a", "j1", S::Failed).refused);
    EXPECT_EQ(count("j1", S::Failed), 1);
    EXPECT_EQ(job_status("j1"), JobStatus::Completed);
}

TEST_F(JobsTest, CancelTakesWhatIsQueuedAndByForceWhatRuns) {
    make_things({"a", "b"});
    make_job("j1", {thing_arn("a"), thing_arn("b")});
    EXPECT_FALSE(report("a", "j1", S::InProgress).refused);
    good(cancel_job(*context_, "j1", {"BROKEN", "no good", false}, kNow));
    EXPECT_EQ(job_status("j1"), JobStatus::Canceled);
    EXPECT_EQ(status("a", "j1"), "IN_PROGRESS");
    EXPECT_EQ(status("b", "j1"), "CANCELED");
    good(cancel_job(*context_, "j1", {{}, {}, true}, kNow));
    EXPECT_EQ(status("a", "j1"), "CANCELED");
    EXPECT_TRUE(execution("a", "j1").is_force_canceled);
    make_job("j2", {thing_arn("a")});
    EXPECT_FALSE(report("a", "j2", S::Succeeded).refused);
    expect_refused(
        cancel_job(*context_, "j2", {}, kNow), Code::InvalidRequest, "job j2 is COMPLETED");
    expect_refused(cancel_job(*context_, "j3", {}, kNow), Code::NotFound, "job j3 does not exist");
}

TEST_F(JobsTest, DeleteWantsAnEndOrForce) {
    make_things({"a"});
    make_job("j1", {thing_arn("a")});
    expect_refused(delete_job(*context_, "j1", false, kNow),
                   Code::Conflict,
                   "job j1 is IN_PROGRESS: only COMPLETED and CANCELED ones are deleted without "
                   "force");
    good(delete_job(*context_, "j1", true, kNow));
    expect_refused(
        delete_job(*context_, "j1", true, kNow), Code::NotFound, "job j1 does not exist");
    make_job("j1", {thing_arn("a")});  // the name is free again
    EXPECT_EQ(execution("a", "j1").number, 1);
}

TEST_F(JobsTest, ExecutionsAreCanceledAndDeletedOneByOne) {
    make_things({"a", "b"});
    make_job("j1", {thing_arn("a"), thing_arn("b")});
    EXPECT_FALSE(report("a", "j1", S::InProgress).refused);
    expect_refused(cancel_execution(*context_, "a", "j1", {}, kNow),
                   Code::Conflict,
                   "the execution is IN_PROGRESS, which is only canceled with force");
    expect_refused(cancel_execution(*context_, "b", "j1", {false, 7, {}}, kNow),
                   Code::VersionConflict,
                   "expectedVersion: expected version 7, found 1");
    good(cancel_execution(*context_, "b", "j1", {false, 1, R"({"why":"no"})"}, kNow));
    EXPECT_EQ(execution("b", "j1").details, R"({"why":"no"})");
    expect_refused(cancel_execution(*context_, "b", "j1", {true, {}, {}}, kNow),
                   Code::Conflict,
                   "the execution is CANCELED");
    expect_refused(delete_execution(*context_, "a", "j1", 1, false, kNow),
                   Code::Conflict,
                   "the execution is IN_PROGRESS: only terminal ones are deleted without force");
    good(delete_execution(*context_, "b", "j1", 1, false, kNow));
    EXPECT_EQ(job_status("j1"), JobStatus::InProgress);
    good(delete_execution(*context_, "a", "j1", 1, true, kNow));
    EXPECT_EQ(job_status("j1"), JobStatus::Completed);  // nothing is left to wait for
}

TEST_F(JobsTest, AssociateAddsTargetsToContinuousJobsOnly) {
    make_things({"a", "b", "c"});
    make_group("fleet");
    join("b", "fleet");
    make_job("snapshot", {thing_arn("c")});
    expect_refused(associate_targets(*context_, "snapshot", {thing_arn("a")}, {}, kNow),
                   Code::InvalidRequest,
                   "job snapshot is a SNAPSHOT, whose targets do not change");
    make_job("j1", {thing_arn("a")}, "{}", true);
    good(associate_targets(*context_, "j1", {group_arn("fleet"), thing_arn("a")}, "more", kNow));
    EXPECT_EQ(count("j1", S::Queued), 2);
    auto job = store_->read([](store::Reader& reader) { return registry::find_job(reader, "j1"); });
    EXPECT_EQ(job->targets, (std::vector<std::string>{thing_arn("a"), group_arn("fleet")}));
    EXPECT_EQ(job->comment, "more");
}

TEST_F(JobsTest, UpdateReplacesOnlyWhatItNames) {
    make_things({"a"});
    make_job("j1", {thing_arn("a")}, R"({"description":"old","timeoutConfig":{}})");
    expect_refused(
        update_job(*context_, "j1", R"({"timeoutConfig":{"inProgressTimeoutInMinutes":-1}})", kNow),
        Code::InvalidRequest,
        "/timeoutConfig/inProgressTimeoutInMinutes: expected an integer from 1 to 10080, found -1");
    good(
        update_job(*context_, "j1", R"({"timeoutConfig":{"inProgressTimeoutInMinutes":7}})", kNow));
    auto job = store_->read([](store::Reader& reader) { return registry::find_job(reader, "j1"); });
    EXPECT_EQ(json::parse(job->settings)["description"], "old");
    EXPECT_EQ(stored_settings(job->settings).in_progress_timeout, std::chrono::minutes(7));
}

TEST_F(JobsTest, LinksReplacePlaceholdersWhenTheDeviceFetches) {
    make_things({"a"});
    std::vector<std::string> asked;
    context_->make_link = [&](std::string_view url, std::chrono::seconds lifetime) {
        asked.push_back(std::string(url) + " " + std::to_string(lifetime.count()));
        return Result<std::string>("https://link/" + std::to_string(asked.size()));
    };
    NewJob job{
        "j1",
        R"({"a":"${aws:iot:s3-presigned-url:https://s3/b/one}","b":["${aws:iot:s3-presigned-url:https://s3/b/two}"]})",
        R"({"presignedUrlConfig":{"expiresInSec":90}})",
        {thing_arn("a")},
        false,
        false,
        {}};
    context_->check_file = [](std::string_view url) {
        return url.ends_with("one") ? Result<>()
                                    : fail(Code::NotFound, "file b/two does not exist");
    };
    expect_refused(create_job(*context_, job, kNow),
                   Code::InvalidRequest,
                   "document: expected a kept file (hatchery file put) in place of "
                   "https://s3/b/two: file b/two does not exist");
    context_->check_file = [](std::string_view) { return Result<>(); };
    good(create_job(*context_, job, kNow));
    EXPECT_TRUE(asked.empty());
    auto found = describe(*context_, "a", {"$next", {}, true});
    good(found);
    EXPECT_EQ((*found)->document, R"({"a":"https://link/1","b":["https://link/2"]})");
    EXPECT_EQ(asked, (std::vector<std::string>{"https://s3/b/one 90", "https://s3/b/two 90"}));
}

TEST_F(JobsTest, GoneThingsTakeTheirExecutionsAlong) {
    make_things({"a", "b"});
    make_job("j1", {thing_arn("a"), thing_arn("b")});
    EXPECT_FALSE(report("a", "j1", S::Succeeded).refused);
    good(store_->write([](store::Tx& tx) { return registry::delete_thing(tx, "b", {}); }));
    advance_all(kNow);
    EXPECT_EQ(job_status("j1"), JobStatus::Completed);
}

}  // namespace
}  // namespace hatchery::jobs
