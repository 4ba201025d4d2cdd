// What a job's configuration members say: rollout, abort, timeouts, retries, presigned links and
// schedule, as CreateJob and UpdateJob take them (iot 2015-05-28), checked once.
#pragma once

#include "ca/base/clock.h"
#include "ca/base/error.h"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::jobs {

enum class FailureKind { Failed, Rejected, TimedOut, All };

struct RetryRule {
    FailureKind kind = FailureKind::All;  ///< never Rejected
    int most = 0;
};
struct AbortRule {
    FailureKind kind = FailureKind::All;
    double percent = 100;
    int least_executed = 1;
};
struct Rollout {
    double base_per_minute = 1000;
    double increment_factor = 1;
    int notified_things = 0;   ///< the rate grows each time so many more were told; 0: never
    int succeeded_things = 0;  ///< or have succeeded
    int most_per_minute = 1000;
};
enum class EndBehavior { StopRollout, Cancel, ForceCancel };

struct Settings {
    std::optional<std::chrono::minutes> in_progress_timeout;
    std::vector<RetryRule> retries;
    std::vector<AbortRule> aborts;
    std::optional<Rollout> rollout;
    std::chrono::seconds link_lifetime{3600};  ///< of presigned links
    bool presigns = false;                     ///< presignedUrlConfig is there
    std::optional<Time> starts, ends;
    EndBehavior end_behavior = EndBehavior::StopRollout;
};

/// The members of `settings` that are known here; others are let through.
/// @errors InvalidRequest  `where` = JSON pointer
Result<Settings> parse_settings(const nlohmann::json& settings);
/// The same of a stored job's text, which was checked when it came.
Settings stored_settings(std::string_view text);

}  // namespace hatchery::jobs
