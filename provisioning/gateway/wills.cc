#include "provisioning/gateway/wills.h"

#include "ca/base/clock.h"
#include "provisioning/gateway/log.h"
#include "provisioning/gateway/mqtt_properties.h"

#include <spdlog/logger.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace hatchery::gateway {
namespace {

constexpr std::size_t kMostWaiting = 65'536;

/// How long the broker keeps the session when the connection ends: with 3.1.1 for ever, or not.
std::chrono::seconds session_expiry(const mqtt::Connect& connect) {
    if (connect.level == mqtt::kLevel311) {
        return connect.clean_session ? std::chrono::seconds(0) : std::chrono::seconds::max();
    }
    const auto expiry =
        mqtt::integer_property(connect.properties, mqtt::property::kSessionExpiryInterval);
    return std::chrono::seconds(expiry.value_or(0));
}

/// How long the broker keeps the will then (MQTT 5, 3.1.3.2.2): until the session ends, at most.
std::chrono::seconds will_delay(const mqtt::Connect& connect) {
    const auto delay =
        mqtt::integer_property(connect.will->properties, mqtt::property::kWillDelayInterval);
    return std::min(std::chrono::seconds(delay.value_or(0)), session_expiry(connect));
}

/// Is it known that the broker keeps or publishes the will at the end of this connection? What it
/// does as it ends itself is not; nor as another connection goes on with the session, where
/// mosquitto 2.0 does not publish what MQTT 3.1.1 says.
bool is_certain(const mqtt::Connect& connect, CloseCause cause) {
    if (cause == CloseCause::UpstreamLost) return false;
    return cause != CloseCause::TakenOver || session_expiry(connect) == std::chrono::seconds(0);
}

}  // namespace

void Wills::opened(const mqtt::Connect& connect) {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(connect.client_id);
    if (found == waiting_.end()) return;
    const Waiting waiting = std::move(found->second);
    waiting_.erase(found);
    if (connect.clean_session) give(waiting.will, connect.client_id, waiting.certificate);
}

void Wills::ended(const mqtt::Connect& connect,
                  const std::string& certificate,
                  CloseCause cause,
                  Instant now) {
    const bool is_looked_at = rules_ != nullptr && rules_->has_rules();
    if (!is_looked_at || !connect.will || !is_certain(connect, cause)) return;
    const auto delay = will_delay(connect);
    if (delay == std::chrono::seconds(0)) {
        give(*connect.will, connect.client_id, certificate);
    } else {
        keep(connect.client_id, {*connect.will, certificate, now + delay});
    }
}

void Wills::keep(const std::string& client_id, Waiting waiting) {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < kMostWaiting) {
        waiting_.insert_or_assign(client_id, std::move(waiting));
    } else {
        log().error(
            "will_dropped client={} topic={}", log_value(client_id), log_value(waiting.will.topic));
    }
}

void Wills::give_due(Instant now) {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](const auto& entry) {
        const auto& [client_id, waiting] = entry;
        const bool is_due = waiting.due <= now;
        if (is_due) give(waiting.will, client_id, waiting.certificate);
        return is_due;
    });
}

void Wills::give(const mqtt::Will& will,
                 const std::string& client_id,
                 const std::string& certificate) {
    const topic_rules::Message message(
        will.topic, will.payload, client_id, certificate, clock_now_in_milliseconds());
    if (auto made = rules_->match(message); !made.empty()) rules_->keep_later(std::move(made));
}

}  // namespace hatchery::gateway
