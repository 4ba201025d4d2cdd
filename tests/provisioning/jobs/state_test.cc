#include "provisioning/jobs/state.h"

#include <gtest/gtest.h>

namespace hatchery::jobs {
namespace {

using S = ExecutionStatus;

TEST(State, DevicesMayGoFromOpenStatesToFourAndFromTerminalOnesNowhere) {
    constexpr S kAll[] = {S::Queued,
                          S::InProgress,
                          S::Succeeded,
                          S::Failed,
                          S::TimedOut,
                          S::Rejected,
                          S::Removed,
                          S::Canceled};
    const auto may_be_said = [](S to) {
        return to == S::InProgress || to == S::Succeeded || to == S::Failed || to == S::Rejected;
    };
    for (const S from : kAll) {
        for (const S to : kAll) {
            const auto checked = check_device_transition(from, to);
            const bool is_open = from == S::Queued || from == S::InProgress;
            const auto said = std::string(registry::to_string(from)) + " to " +
                              std::string(registry::to_string(to));
            EXPECT_EQ(checked.has_value(), is_open && may_be_said(to)) << said;
            if (checked) continue;
            EXPECT_EQ(to_string(checked.error().code),
                      may_be_said(to) ? "Conflict" : "InvalidRequest")
                << said;
        }
    }
}

TEST(State, RetriesWhatTheRuleNamesAsOftenAsItSays) {
    struct Case {
        FailureKind kind;
        S status;
        std::int64_t attempts;
        bool is_retried;
    };
    constexpr Case kCases[] = {
        {FailureKind::Failed, S::Failed, 0, true},
        {FailureKind::Failed, S::Failed, 1, true},
        {FailureKind::Failed, S::Failed, 2, false},
        {FailureKind::Failed, S::TimedOut, 0, false},
        {FailureKind::TimedOut, S::TimedOut, 0, true},
        {FailureKind::TimedOut, S::Failed, 0, false},
        {FailureKind::All, S::Failed, 1, true},
        {FailureKind::All, S::TimedOut, 1, true},
        {FailureKind::All, S::Rejected, 0, false},
        {FailureKind::All, S::Canceled, 0, false},
        {FailureKind::All, S::Succeeded, 0, false},
    };
    for (const auto& one : kCases) {
        Settings settings;
        settings.retries.push_back({one.kind, 2});
        EXPECT_EQ(is_retried(settings, one.status, one.attempts), one.is_retried)
            << registry::to_string(one.status) << " " << one.attempts;
    }
}

registry::ExecutionCounts counts_of(std::initializer_list<std::pair<S, std::int64_t>> counts) {
    registry::ExecutionCounts all{};
    for (const auto& [status, count] : counts)
        all[static_cast<std::size_t>(status)] = count;
    return all;
}

TEST(State, AbortsAtTheThresholdOfWhatWasExecuted) {
    Settings settings;
    settings.aborts.push_back({FailureKind::Failed, 20, 10});
    const auto is_met = [&](std::int64_t failed, std::int64_t succeeded, std::int64_t rejected) {
        return abort_rule_met(settings,
                              counts_of({{S::Failed, failed},
                                         {S::Succeeded, succeeded},
                                         {S::Rejected, rejected},
                                         {S::Queued, 1000}})) != nullptr;
    };
    EXPECT_FALSE(is_met(9, 0, 0));  // fewer than ten were executed
    EXPECT_TRUE(is_met(2, 8, 0));   // 20 % of ten
    EXPECT_FALSE(is_met(2, 9, 0));  // below 20 %
    EXPECT_FALSE(is_met(1, 4, 5));  // rejections are another kind
    settings.aborts[0].kind = FailureKind::All;
    EXPECT_TRUE(is_met(1, 4, 5));
    settings.aborts[0].percent = 0;
    EXPECT_FALSE(is_met(0, 100, 0));  // nothing failed
}

TEST(State, RolloutGrowsByItsFactorUpToItsLimit) {
    Rollout rollout;
    rollout.base_per_minute = 50;
    rollout.increment_factor = 2;
    rollout.notified_things = 1000;
    rollout.most_per_minute = 300;
    EXPECT_EQ(rollout_rate(rollout, 0, 0), 50);
    EXPECT_EQ(rollout_rate(rollout, 999, 0), 50);
    EXPECT_EQ(rollout_rate(rollout, 1000, 0), 100);
    EXPECT_EQ(rollout_rate(rollout, 2500, 0), 200);
    EXPECT_EQ(rollout_rate(rollout, 3000, 0), 300);
    EXPECT_EQ(rollout_rate(rollout, 100'000'000, 0), 300);
    rollout.notified_things = 0;
    rollout.succeeded_things = 10;
    EXPECT_EQ(rollout_rate(rollout, 100'000, 9), 50);
    EXPECT_EQ(rollout_rate(rollout, 100'000, 10), 100);
}

}  // namespace
}  // namespace hatchery::jobs
