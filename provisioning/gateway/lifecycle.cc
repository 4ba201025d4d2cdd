#include "provisioning/gateway/lifecycle.h"

#include "ca/base/clock.h"
#include "ca/digest.h"
#include "provisioning/gateway/connect_watch.h"
#include "templates/json_document.h"

#include <algorithm>

namespace hatchery::gateway {
namespace {

// An hour after a client's last connection its version begins at 0 again.
constexpr std::chrono::hours kMemory{1};

/// Topics cannot hold these, so such clients have no events.
bool has_events(const Visitor& visitor) {
    return visitor.client_id.find_first_of("+#") == std::string::npos;
}

/// A payload, written member by member: a document tree of it costs more than all else that is done
/// for an event.
class EventText {
  public:
    EventText(const Visitor& visitor, std::string_view type) {
        const auto now = clock_now_in_milliseconds().time_since_epoch();
        add_text("clientId", visitor.client_id);
        if (!visitor.thing.empty()) add_text("thingName", visitor.thing);
        add("timestamp", std::to_string(now.count()));
        add_text("eventType", type);
        add_text("sessionIdentifier", visitor.session);
        add_text("principalIdentifier", visitor.certificate.hex());
    }
    /// @param value  JSON
    void add(std::string_view name, std::string_view value) {
        text_.append(text_.empty() ? "{\"" : ",\"").append(name).append("\":").append(value);
    }
    void add_text(std::string_view name, std::string_view value) {
        add(name, {});
        templates::json::append_quoted(text_, value);
    }
    std::string take() { return std::move(text_) + "}"; }

  private:
    std::string text_;
};

void send_event(flows::Messages& messages,
                std::string_view topic,
                const Visitor& visitor,
                EventText payload) {
    messages.publish(
        {"$aws/events/" + std::string(topic) + "/" + visitor.client_id, payload.take()}, {});
}

void send_topics(flows::Messages& messages,
                 std::string_view type,
                 const Visitor& visitor,
                 const std::vector<std::string>& topics) {
    if (topics.empty() || !has_events(visitor)) return;
    EventText payload(visitor, type);
    std::string list;
    for (const auto& topic : topics)
        templates::json::append_quoted(list.append(list.empty() ? "[" : ","), topic);
    payload.add("topics", list + "]");
    send_event(messages, "subscriptions/" + std::string(type), visitor, std::move(payload));
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
    EventText payload(visitor, "connected");
    payload.add_text("ipAddress", visitor.source_ip);
    payload.add("versionNumber", std::to_string(visitor.version));
    send_event(messages_, "presence/connected", visitor, std::move(payload));
}

void Lifecycle::disconnected(const Visitor& visitor, CloseCause cause) {
    if (!has_events(visitor)) return;
    EventText payload(visitor, "disconnected");
    payload.add("clientInitiatedDisconnect", cause == CloseCause::Disconnected ? "true" : "false");
    payload.add_text("disconnectReason", disconnect_reason(cause));
    payload.add("versionNumber", std::to_string(visitor.version));
    send_event(messages_, "presence/disconnected", visitor, std::move(payload));
}

void Lifecycle::refused(const Visitor& visitor) {
    if (!has_events(visitor)) return;
    Visitor named = visitor;
    named.session = ca::random_uuid();
    EventText payload(named, "connect_failed");
    payload.add_text("connectFailureReason", "AUTHORIZATION_FAILED");
    send_event(messages_, "presence/connect_failed", named, std::move(payload));
}

void Lifecycle::subscribed(const Visitor& visitor, const std::vector<std::string>& topics) {
    send_topics(messages_, "subscribed", visitor, topics);
}

void Lifecycle::unsubscribed(const Visitor& visitor, const std::vector<std::string>& topics) {
    send_topics(messages_, "unsubscribed", visitor, topics);
}

}  // namespace hatchery::gateway
