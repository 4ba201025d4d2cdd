#include "tools/fleet/device.h"

#include <algorithm>
#include <exception>

namespace hatchery::fleet {

Deadline step_deadline(const Options& options) {
    return std::chrono::steady_clock::now() + options.timeout;
}

bool is_worth_a_retry(const Error& error) {
    if (error.code == Code::Forbidden) return error.where.empty();
    return error.code == Code::Unavailable || error.code == Code::Throttled;
}

void back_off(int attempt) {
    const auto wait = std::chrono::milliseconds(200) * (1 << std::min(attempt - 1, 5));
    std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(wait, std::chrono::seconds(5)));
}

void describe(const Error& error, DeviceResult& result) {
    result.outcome = error.code == Code::Forbidden ? Outcome::Refused : Outcome::Failed;
    result.reason = error.where.empty() ? error.message : error.where;
    result.message = error.where.empty() ? "" : error.message;
}

void publish_telemetry(const Fleet& fleet,
                       MqttClient& client,
                       const std::string& serial,
                       const std::string& thing) {
    const auto topic = fill(fleet.options.topic, "thing", thing);
    auto published = client.publish(topic, R"({"temperature":21.5})", step_deadline(fleet.options));
    if (!published) {
        fleet.report.unfinished(serial,
                                "publish to " + topic + ": " + to_string(published.error()));
        return;
    }
    fleet.report.message_acknowledged();
    client.disconnect(step_deadline(fleet.options));
}

void run_all(const Fleet& fleet,
             const std::vector<std::string>& serials,
             std::size_t at_once,
             const std::function<std::unique_ptr<Flow>()>& make_flow) {
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        const auto flow = make_flow();
        for (auto i = next.fetch_add(1); i < serials.size(); i = next.fetch_add(1)) {
            try {
                flow->run(i, serials[i]);
            } catch (const std::exception& error) {
                fleet.report.unfinished(serials[i], error.what());
            }
        }
    };
    const auto threads = std::min(at_once, serials.size());
    std::vector<std::thread> running;
    running.reserve(threads);
    for (std::size_t i = 0; i < threads; ++i)
        running.emplace_back(work);
    for (auto& thread : running)
        thread.join();
}

}  // namespace hatchery::fleet
