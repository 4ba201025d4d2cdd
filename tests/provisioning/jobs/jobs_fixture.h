// A registry with things, groups and jobs for each test.
#pragma once

#include "provisioning/jobs/device.h"
#include "provisioning/jobs/schedule.h"
#include "provisioning/registry/schema.h"
#include "provisioning/registry/things.h"
#include "tests/provisioning/temp_directory.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace hatchery::jobs {

using nlohmann::json;
using registry::JobStatus;

inline constexpr Time kNow{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};
inline constexpr std::chrono::minutes kMinutes{1};

class JobsTest : public ::testing::Test {
  protected:
    void SetUp() override {
        auto opened = registry::open(directory_ / "registry.db");
        ASSERT_TRUE(opened) << to_string(opened.error());
        store_ = std::move(*opened);
        context_.emplace(Context{*store_, account_, {}});
    }

    void TearDown() override { EXPECT_TRUE(is_counted()); }
    /// Are the counts of executions (count_executions) what counting them gives?
    bool is_counted() {
        constexpr std::string_view kWrong =
            "WITH counted AS (SELECT job, status, executions FROM job_counts WHERE executions <> "
            "0), there AS (SELECT job, status, count(*) FROM job_executions "
            "WHERE is_superseded = 0 GROUP BY job, status) "
            "SELECT 1 FROM (SELECT * FROM counted EXCEPT SELECT * FROM there) UNION ALL "
            "SELECT 1 FROM (SELECT * FROM there EXCEPT SELECT * FROM counted)";
        auto wrong =
            store_->read([&](store::Reader& reader) { return reader.query(kWrong).step(); });
        EXPECT_TRUE(wrong) << to_string(wrong.error());
        return wrong && !*wrong;
    }

    std::string thing_arn(const std::string& name) { return account_.arn("thing", name); }
    std::string group_arn(const std::string& name) { return account_.arn("thinggroup", name); }
    void make_things(const std::vector<std::string>& names) {
        good(store_->write([&](store::Tx& tx) -> Result<> {
            for (const auto& name : names) {
                auto made = registry::create_thing(tx, account_, {name, {}, {}, {}}, kNow);
                if (!made) return std::move(made).error();
            }
            return {};
        }));
    }
    void make_group(const std::string& name, std::optional<std::string> parent = {}) {
        registry::ThingGroup group;
        group.name = name;
        group.parent = std::move(parent);
        good(store_->write([&](store::Tx& tx) {
            return registry::create_thing_group(tx, account_, group, kNow);
        }));
    }
    void join(const std::string& thing, const std::string& group) {
        good(store_->write(
            [&](store::Tx& tx) { return registry::add_thing_to_group(tx, thing, group); }));
    }
    void leave(const std::string& thing, const std::string& group) {
        good(store_->write(
            [&](store::Tx& tx) { return registry::remove_thing_from_group(tx, thing, group); }));
    }
    void make_job(const std::string& id,
                  std::vector<std::string> targets,
                  const std::string& settings = "{}",
                  bool is_continuous = false,
                  Time now = kNow) {
        NewJob job;
        job.id = id;
        job.document = R"({"do":"it"})";
        job.settings = settings;
        job.targets = std::move(targets);
        job.is_continuous = is_continuous;
        good(create_job(*context_, job, now));
    }
    /// Until nothing more is due at once.
    void advance_all(Time now) {
        for (;;) {
            auto more = jobs::advance(*context_, now);
            ASSERT_TRUE(more) << to_string(more.error());
            if (!*more) return;
        }
    }
    JobStatus job_status(const std::string& id) {
        auto job =
            store_->read([&](store::Reader& reader) { return registry::find_job(reader, id); });
        EXPECT_TRUE(job);
        return job ? job->status : JobStatus::DeletionInProgress;
    }
    registry::JobExecution execution(const std::string& thing,
                                     const std::string& job,
                                     std::optional<std::int64_t> number = {}) {
        auto found = store_->read([&](store::Reader& reader) {
            return registry::find_execution(reader, thing, job, number);
        });
        EXPECT_TRUE(found) << to_string(found.error());
        return found ? std::move(*found) : registry::JobExecution{};
    }
    std::string status(const std::string& thing, const std::string& job) {
        return std::string(registry::to_string(execution(thing, job).status));
    }
    registry::ExecutionCounts counts(const std::string& id) {
        auto found = store_->read([&](store::Reader& reader) {
            auto job = registry::find_job(reader, id);
            return registry::count_executions(reader, job ? job->key : 0);
        });
        return found ? *found : registry::ExecutionCounts{};
    }
    std::int64_t count(const std::string& id, ExecutionStatus of) {
        return counts(id)[static_cast<std::size_t>(of)];
    }
    Updated report(const std::string& thing,
                   const std::string& job,
                   ExecutionStatus to,
                   Time now = kNow) {
        Update wanted;
        wanted.job_id = job;
        wanted.status = to;
        return update(*context_, thing, wanted, now);
    }
    template <class T>
    void good(const Result<T>& result) {
        ASSERT_TRUE(result) << to_string(result.error());
    }

    testing::TempDirectory directory_;
    registry::Account account_;
    std::unique_ptr<store::Store> store_;
    std::optional<Context> context_;
};

template <class T>
void expect_refused(const Result<T>& result, Code code, std::string_view message) {
    ASSERT_FALSE(result) << "expected: " << message;
    EXPECT_EQ(to_string(result.error().code), to_string(code));
    EXPECT_EQ(to_string(result.error()), message);
}

}  // namespace hatchery::jobs
