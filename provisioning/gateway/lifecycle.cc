#include "provisioning/gateway/lifecycle.h"

#include "ca/digest.h"
#include "provisioning/gateway/connect_watch.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::gateway {
namespace {

using EventJson = nlohmann::ordered_json;

// An hour after a client's last connection its version begins at 0 again.
constexpr std::chrono::hours kMemory{1};

/// Topics cannot hold these, so such clients have no events.
bool has_events(const Visitor& visitor) {
    return visitor.client_id.find_first_of("+#") == std::string::npos;
}

EventJson visit_event(const Visitor& visitor, std::string_view type) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    EventJson json;
    json["clientId"] = visitor.client_id;
    if (!visitor.thing.empty()) json["thingName"] = visitor.thing;
    json["timestamp"] = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    json["eventType"] = type;
    json["sessionIdentifier"] = visitor.session;
    json["principalIdentifier"] = visitor.certificate.hex();
    return json;
}

void send_event(flows::Messages& messages,
                std::string_view topic,
                const Visitor& visitor,
                const EventJson& payload) {
    messages.publish({"$aws/events/" + std::string(topic) + "/" + visitor.client_id,
                      payload.dump(-1, ' ', false, EventJson::error_handler_t::replace)},
                     {});
}

void send_topics(flows::Messages& messages,
                 std::string_view type,
                 const Visitor& visitor,
                 const std::vector<std::string>& topics) {
    if (topics.empty() || !has_events(visitor)) return;
    EventJson payload = visit_event(visitor, type);
    payload["topics"] = topics;
    send_event(messages, "subscriptions/" + std::string(type), visitor, payload);
}

}  // namespace

std::string_view disconnect_reason(CloseCause cause) {
    switch (cause) {
        case CloseCause::Disconnected:
            return "CLIENT_INITIATED_DISCONNECT";
        case CloseCause::DeviceLost:
            return "CONNECTION_LOST";
        case CloseCause::Malformed:
        case CloseCause::TooLarge:
        case CloseCause::Unsupported:
        case CloseCause::Limit:
            return "CLIENT_ERROR";
        case CloseCause::Refused:
            return "AUTH_ERROR";
        case CloseCause::Denied:
            return "FORBIDDEN_ACCESS";
        case CloseCause::KeepAlive:
            return "MQTT_KEEP_ALIVE_TIMEOUT";
        case CloseCause::TakenOver:
            return "DUPLICATE_CLIENTID";
        case CloseCause::Timeout:
        case CloseCause::Provisioned:
        case CloseCause::Stopping:
            return "SERVER_INITIATED_DISCONNECT";
        case CloseCause::Handshake:
        case CloseCause::Internal:
        case CloseCause::UpstreamRefused:
        case CloseCause::UpstreamLost:
            return "SERVER_ERROR";
    }
    return "UNKNOWN";
}

void Lifecycle::opens(Visitor& visitor, Instant now) {
    visitor.session = ca::random_uuid();
    watch_.opened(visitor.certificate, visitor.client_id);
    const std::lock_guard lock(mutex_);
    if (--opens_until_sweep_ == 0) forget_old(now);
    Client& client = clients_[visitor.client_id];
    if (client.open == 0 && now - client.last_left > kMemory) client.next_version = 0;
    visitor.version = client.next_version++;
    ++client.open;
}

bool Lifecycle::is_latest(const Visitor& visitor) const {
    const std::lock_guard lock(mutex_);
    const auto client = clients_.find(visitor.client_id);
    return client == clients_.end() || client->second.next_version == visitor.version + 1;
}

void Lifecycle::left(const Visitor& visitor, Instant now) {
    watch_.closed(visitor.certificate, visitor.client_id);
    const std::lock_guard lock(mutex_);
    const auto client = clients_.find(visitor.client_id);
    if (client == clients_.end()) return;
    if (client->second.open > 0) --client->second.open;
    client->second.last_left = now;
}

/// Now and then, so that a client id which never comes again takes no memory for ever.
void Lifecycle::forget_old(Instant now) {
    std::erase_if(clients_, [&](const auto& entry) {
        return entry.second.open == 0 && now - entry.second.last_left > kMemory;
    });
    opens_until_sweep_ = std::max<std::size_t>(1024, clients_.size());
}

void Lifecycle::connected(const Visitor& visitor) {
    if (!has_events(visitor)) return;
    EventJson payload = visit_event(visitor, "connected");
    payload["ipAddress"] = visitor.source_ip;
    payload["versionNumber"] = visitor.version;
    send_event(messages_, "presence/connected", visitor, payload);
}

void Lifecycle::disconnected(const Visitor& visitor, CloseCause cause) {
    if (!has_events(visitor)) return;
    EventJson payload = visit_event(visitor, "disconnected");
    payload["clientInitiatedDisconnect"] = cause == CloseCause::Disconnected;
    payload["disconnectReason"] = disconnect_reason(cause);
    payload["versionNumber"] = visitor.version;
    send_event(messages_, "presence/disconnected", visitor, payload);
}

void Lifecycle::refused(const Visitor& visitor) {
    if (!has_events(visitor)) return;
    Visitor named = visitor;
    named.session = ca::random_uuid();
    EventJson payload = visit_event(named, "connect_failed");
    payload["connectFailureReason"] = "AUTHORIZATION_FAILED";
    send_event(messages_, "presence/connect_failed", named, payload);
}

void Lifecycle::subscribed(const Visitor& visitor, const std::vector<std::string>& topics) {
    send_topics(messages_, "subscribed", visitor, topics);
}

void Lifecycle::unsubscribed(const Visitor& visitor, const std::vector<std::string>& topics) {
    send_topics(messages_, "unsubscribed", visitor, topics);
}

}  // namespace hatchery::gateway
