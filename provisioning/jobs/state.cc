#include "provisioning/jobs/state.h"

#include <algorithm>
#include <cmath>

namespace hatchery::jobs {

namespace {

std::int64_t count_of(const registry::ExecutionCounts& counts, ExecutionStatus status) {
    return counts[static_cast<std::size_t>(status)];
}

std::int64_t failures(const registry::ExecutionCounts& counts, FailureKind kind) {
    const auto failed = count_of(counts, ExecutionStatus::Failed);
    const auto rejected = count_of(counts, ExecutionStatus::Rejected);
    const auto timed_out = count_of(counts, ExecutionStatus::TimedOut);
    switch (kind) {
        case FailureKind::Failed:
            return failed;
        case FailureKind::Rejected:
            return rejected;
        case FailureKind::TimedOut:
            return timed_out;
        case FailureKind::All:
            break;
    }
    return failed + rejected + timed_out;
}

}  // namespace

Result<> check_device_transition(ExecutionStatus from, ExecutionStatus to) {
    const bool may_be_said = to == ExecutionStatus::InProgress || to == ExecutionStatus::Failed ||
                             to == ExecutionStatus::Succeeded || to == ExecutionStatus::Rejected;
    if (!may_be_said) {
        return fail(Code::InvalidRequest,
                    "expected IN_PROGRESS, FAILED, SUCCEEDED or REJECTED, found " +
                        std::string(registry::to_string(to)),
                    "status");
    }
    if (!registry::is_terminal(from)) return {};
    return fail(Code::Conflict,
                "the execution is " + std::string(registry::to_string(from)) +
                    ", from where it cannot become " + std::string(registry::to_string(to)),
                "status");
}

bool is_retried(const Settings& settings, ExecutionStatus status, std::int64_t attempts) {
    return std::any_of(settings.retries.begin(), settings.retries.end(), [&](const RetryRule& r) {
        const bool is_meant =
            (status == ExecutionStatus::Failed && r.kind != FailureKind::TimedOut) ||
            (status == ExecutionStatus::TimedOut && r.kind != FailureKind::Failed);
        return is_meant && attempts < r.most;
    });
}

const AbortRule* abort_rule_met(const Settings& settings, const registry::ExecutionCounts& counts) {
    std::int64_t executed = 0;
    for (const auto status : {ExecutionStatus::Succeeded,
                              ExecutionStatus::Failed,
                              ExecutionStatus::TimedOut,
                              ExecutionStatus::Rejected,
                              ExecutionStatus::Removed,
                              ExecutionStatus::Canceled}) {
        executed += count_of(counts, status);
    }
    for (const auto& rule : settings.aborts) {
        if (executed < rule.least_executed) continue;
        const auto failed = failures(counts, rule.kind);
        const double percent = 100.0 * static_cast<double>(failed) / static_cast<double>(executed);
        if (failed > 0 && percent >= rule.percent) return &rule;
    }
    return nullptr;
}

std::int64_t rollout_rate(const Rollout& rollout, std::int64_t notified, std::int64_t succeeded) {
    constexpr double kMostSteps = 64;  // by then any rate is at its limit
    double steps = 0;
    if (rollout.notified_things > 0) {
        steps = std::floor(static_cast<double>(notified) / rollout.notified_things);
    } else if (rollout.succeeded_things > 0) {
        steps = std::floor(static_cast<double>(succeeded) / rollout.succeeded_things);
    }
    const double rate =
        rollout.base_per_minute * std::pow(rollout.increment_factor, std::min(steps, kMostSteps));
    return static_cast<std::int64_t>(std::min<double>(rate, rollout.most_per_minute));
}

}  // namespace hatchery::jobs
