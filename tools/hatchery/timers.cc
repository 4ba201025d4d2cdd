#include "tools/hatchery/timers.h"

#include "provisioning/flows/housekeeping.h"
#include "provisioning/flows/jobs_context.h"
#include "provisioning/jobs/schedule.h"

#include <spdlog/spdlog.h>

namespace hatchery::command {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSweep{60'000};
constexpr milliseconds kLookForJobs{200};
constexpr milliseconds kAfterJobsFailed{2000};
constexpr int kMostThings = 200;  // told in one commit; each gets two messages at most

/// @return whether more is due at once
Result<bool> do_jobs(const jobs::Context& context) {
    auto more = jobs::advance(context, clock_now());
    if (!more) return more;
    auto told = jobs::leave_notices(context, kMostThings, clock_now());
    if (!told) return told;
    return *more || *told;
}

}  // namespace

Timer::Timer(Work work)
    : work_(std::move(work)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void Timer::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const milliseconds pause = work_();
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, pause, [] { return false; });
    }
}

milliseconds keep_house(flows::Service& service) {
    const auto log = spdlog::get("serve");
    const auto swept = flows::sweep(service, clock_now());
    if (log && !swept) log->error("housekeeping_failed reason=\"{}\"", swept.error().message);
    if (log && swept && *swept > 0) log->info("housekeeping expired_tokens={}", *swept);
    return kSweep;
}

milliseconds keep_jobs_going(flows::Service& service) {
    const auto more = do_jobs(flows::jobs_context(service));
    if (more) return *more ? milliseconds(0) : kLookForJobs;
    if (const auto log = spdlog::get("serve")) {
        log->error("jobs_failed reason=\"{}\"", more.error().message);
    }
    return kAfterJobsFailed;
}

}  // namespace hatchery::command
