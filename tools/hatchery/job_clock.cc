#include "tools/hatchery/job_clock.h"

#include "provisioning/flows/jobs_context.h"
#include "provisioning/jobs/schedule.h"

#include <spdlog/spdlog.h>

#include <chrono>

namespace hatchery::command {

namespace {
constexpr std::chrono::milliseconds kLook{200};
constexpr std::chrono::milliseconds kAfterAFailure{2000};
constexpr int kMostThings = 200;  // told in one commit; each gets two messages at most
}  // namespace

JobClock::JobClock(flows::Service& service)
    : service_(service), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void JobClock::run(const std::stop_token& stop) {
    const auto log = spdlog::get("serve");
    while (!stop.stop_requested()) {
        const auto more = tick();
        if (more && *more) continue;
        if (log && !more) log->error("jobs_failed reason=\"{}\"", more.error().message);
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, more ? kLook : kAfterAFailure, [] { return false; });
    }
}

Result<bool> JobClock::tick() {
    const auto context = flows::jobs_context(service_);
    auto more = jobs::advance(context, clock_now());
    if (!more) return more;
    auto told = jobs::leave_notices(context, kMostThings, clock_now());
    if (!told) return told;
    return *more || *told;
}

}  // namespace hatchery::command
