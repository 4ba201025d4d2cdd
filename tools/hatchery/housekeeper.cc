#include "tools/hatchery/housekeeper.h"

#include "provisioning/flows/housekeeping.h"

#include <spdlog/spdlog.h>

#include <chrono>

namespace hatchery::command {

namespace {
constexpr std::chrono::seconds kInterval{60};
}

Housekeeper::Housekeeper(flows::Service& service)
    : service_(service), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void Housekeeper::run(const std::stop_token& stop) {
    const auto log = spdlog::get("serve");
    while (!stop.stop_requested()) {
        const auto swept = flows::sweep(service_, clock_now());
        if (log && !swept) log->error("housekeeping_failed reason=\"{}\"", swept.error().message);
        if (log && swept && *swept > 0) log->info("housekeeping expired_tokens={}", *swept);
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, kInterval, [] { return false; });
    }
}

}  // namespace hatchery::command
