// What a device of an open session sends: PUBLISH, SUBSCRIBE, UNSUBSCRIBE.
#include "provisioning/gateway/mqtt_properties.h"
#include "provisioning/gateway/session_codes.h"
#include "provisioning/jobs/topics.h"

#include <algorithm>
#include <utility>

namespace hatchery::gateway {
namespace {

constexpr std::uint8_t kSubscribeFailure = 0x80;  // MQTT 3.1.1, 3.9.3
constexpr std::size_t kMaxPendingSubacks = 64;
constexpr std::uint32_t kSubscriptionUnknown = 0x11;  // MQTT 5, 3.11.3: no subscription existed

bool is_below_aws(std::string_view filter) {
    return filter.starts_with("$aws/");
}

/// The filter of a shared subscription without "$share/NAME/".
std::string_view without_share(std::string_view filter) {
    constexpr std::string_view kShare = "$share/";
    if (!filter.starts_with(kShare)) return filter;
    const auto slash = filter.find('/', kShare.size());
    return slash == std::string_view::npos ? filter : filter.substr(slash + 1);
}

}  // namespace

void Session::publish_packet(const mqtt::Packet& packet) {
    const auto publish = mqtt::parse_publish(packet, connect_.level);
    if (!publish) return close(CloseCause::Malformed, publish.error().message);
    if (publish->qos > kMaxQos) {
        return close(CloseCause::Unsupported,
                     "PUBLISH with QoS 2 on " + in_quotes(publish->topic),
                     reason::kQosNotSupported);
    }
    // Our CONNACK offers no aliases, so using one is an error (MQTT 5, 3.2.2.3.8).
    if (!publish->properties.empty() &&
        mqtt::integer_property(publish->properties, mqtt::property::kTopicAlias)) {
        return close(
            CloseCause::Malformed, "PUBLISH with a topic alias", reason::kTopicAliasInvalid);
    }
    if (publish->topic.empty()) {
        return close(CloseCause::Malformed, "PUBLISH without a topic", reason::kProtocolError);
    }
    const bool is_request =
        flows::is_provisioning_request(publish->topic) || jobs::is_request(publish->topic);
    if (publish->topic.starts_with('$') && !is_request) {
        return close(CloseCause::Denied, "PUBLISH to reserved topic " + in_quotes(publish->topic));
    }
    if (!is_request && is_over_topic_limits(publish->topic)) {
        ++actions_.limits_met.topics;
        return close(CloseCause::Limit,
                     "PUBLISH to a topic over the limits, " + in_quotes(publish->topic),
                     reason::kTopicNameInvalid);
    }
    if (!allows(policy::Action::Publish, publish->topic)) {
        return deny_publish(
            *publish, CloseCause::Denied, "iot:Publish on " + in_quotes(publish->topic));
    }
    if (is_request) return provisioning_request(*publish);
    if (publish->retain && !allows(policy::Action::RetainPublish, publish->topic)) {
        return deny_publish(
            *publish, CloseCause::Denied, "iot:RetainPublish on " + in_quotes(publish->topic));
    }
    if (is_alone_) return close_alone("PUBLISH to " + in_quotes(publish->topic));
    if (publish->qos > 0 && ++inflight_ == limits_.max_inflight) ++actions_.limits_met.inflight;
    if (reports_publishes_) {
        actions_.published.push_back(
            {std::string(publish->topic), to_bytes(publish->payload), publish->qos > 0});
    }
    send_upstream(packet.bytes);
}

/// AWS IoT: PUBACK with a reason for QoS 1 of MQTT 5, else the connection ends.
void Session::deny_publish(const mqtt::Publish& publish, CloseCause cause, std::string detail) {
    if (!is_v5() || publish.qos == 0) return close(cause, std::move(detail));
    actions_.note = "denied: " + detail;
    send_device(mqtt::encode_puback(publish.packet_id, reason::kNotAuthorized));
}

void Session::provisioning_request(const mqtt::Publish& publish) {
    if (publish.qos > 0) send_device(mqtt::encode_puback(publish.packet_id));
    actions_.requests.push_back(
        {std::string(publish.topic),
         to_bytes(publish.payload),
         to_bytes(mqtt::whole_property(publish.properties, mqtt::property::kCorrelationData))});
}

void Session::subscribe_packet(const mqtt::Packet& packet) {
    auto subscribe = mqtt::parse_subscribe(packet, connect_.level);
    if (!subscribe) return close(CloseCause::Malformed, subscribe.error().message);
    if (pending_subacks_.contains(subscribe->packet_id) ||
        pending_subacks_.size() >= kMaxPendingSubacks) {
        return close(CloseCause::Malformed,
                     "SUBSCRIBE with packet identifier " + std::to_string(subscribe->packet_id) +
                         " before the last one was acknowledged");
    }
    PendingCodes answer;
    mqtt::Subscribe upstream{subscribe->packet_id, {}, subscribe->properties};
    for (auto& subscription : subscribe->subscriptions) {
        const auto refusal = subscription_refusal(subscription, answer.codes.size());
        if (state_ == State::Closed) return;
        // Granting less than was asked for is a server's right (MQTT 3.1.1, 3.9.3).
        subscription.qos = std::min(subscription.qos, kMaxQos);
        if (!refusal && is_below_aws(subscription.filter)) {
            subscribe_locally(subscription, subscribe->properties);
        }
        answer.codes.push_back(refusal.value_or(subscription.qos));
        if (!refusal) actions_.subscribed.push_back(subscription.filter);
        if (refusal || flows::is_provisioning_filter(subscription.filter)) continue;
        answer.from_upstream.push_back(answer.codes.size() - 1);
        upstream.subscriptions.push_back(std::move(subscription));
    }
    if (upstream.subscriptions.empty()) {
        return send_device(
            mqtt::encode_suback({subscribe->packet_id, answer.codes}, connect_.level));
    }
    if (is_alone_) {
        return close_alone("SUBSCRIBE to " + in_quotes(upstream.subscriptions.front().filter));
    }
    send_upstream(mqtt::encode_subscribe(upstream, connect_.level));
    const bool is_mixed = upstream.subscriptions.size() < answer.codes.size();
    if (is_mixed) pending_subacks_.emplace(subscribe->packet_id, std::move(answer));
}

/// The code of a filter that is not subscribed; a policy's denial ends a session of 3.1.1.
std::optional<std::uint8_t> Session::subscription_refusal(const mqtt::Subscription& subscription,
                                                          std::size_t place) {
    const std::string& filter = subscription.filter;
    if (!allows(policy::Action::Subscribe, filter)) {
        if (!is_v5()) close(CloseCause::Denied, "iot:Subscribe on " + in_quotes(filter));
        return reason::kNotAuthorized;
    }
    if (is_over_filter_limits(filter)) {
        ++actions_.limits_met.topics;
        actions_.note = "SUBSCRIBE to a filter over the limits, " + in_quotes(filter);
        return is_v5() ? reason::kTopicFilterInvalid : kSubscribeFailure;
    }
    if (place >= limits_.max_filters_a_packet || !add_subscription(filter)) {
        ++actions_.limits_met.subscriptions;
        actions_.note = "SUBSCRIBE over the limit of subscriptions, " + in_quotes(filter);
        return is_v5() ? reason::kQuotaExceeded : kSubscribeFailure;
    }
    return std::nullopt;
}

/// Below $aws/ names of things and groups stand in a filter, more and longer ones than in a topic
/// of the device's own.
bool Session::is_over_filter_limits(std::string_view filter) const {
    if (is_below_aws(filter)) return filter.size() > 2 * limits_.max_topic_bytes;
    const std::string_view shared = without_share(filter);
    return filter.size() - shared.size() > limits_.max_topic_bytes || is_over_topic_limits(shared);
}

/// false if there are as many as may be already.
bool Session::add_subscription(std::string_view filter) {
    const auto hash = std::hash<std::string_view>()(filter);
    if (std::find(subscriptions_.begin(), subscriptions_.end(), hash) != subscriptions_.end()) {
        return true;
    }
    if (subscriptions_.size() >= limits_.max_subscriptions) return false;
    subscriptions_.push_back(hash);
    return true;
}

void Session::subscribe_locally(const mqtt::Subscription& subscription, ByteView properties) {
    local_identifier_ =
        to_bytes(mqtt::whole_property(properties, mqtt::property::kSubscriptionIdentifier));
    for (auto& known : local_subscriptions_) {
        if (known.filter != subscription.filter) continue;
        known.qos = subscription.qos;
        return;
    }
    local_subscriptions_.push_back(subscription);
}

void Session::unsubscribe_packet(const mqtt::Packet& packet) {
    auto unsubscribe = mqtt::parse_unsubscribe(packet, connect_.level);
    if (!unsubscribe) return close(CloseCause::Malformed, unsubscribe.error().message);
    if (pending_unsubacks_.size() >= kMaxPendingSubacks) {
        return close(CloseCause::Malformed, "too many UNSUBSCRIBE at once");
    }
    PendingCodes answer;
    mqtt::Unsubscribe upstream{unsubscribe->packet_id, {}, unsubscribe->properties};
    for (auto& filter : unsubscribe->filters) {
        actions_.unsubscribed.push_back(filter);
        std::erase(subscriptions_, std::hash<std::string_view>()(filter));
        const auto removed =
            std::erase_if(local_subscriptions_,
                          [&](const mqtt::Subscription& known) { return known.filter == filter; });
        answer.codes.push_back(removed > 0 ? std::uint8_t{0} : std::uint8_t{kSubscriptionUnknown});
        if (flows::is_provisioning_filter(filter)) {
            is_resumed_ = false;
        } else {
            answer.from_upstream.push_back(answer.codes.size() - 1);
            upstream.filters.push_back(std::move(filter));
        }
    }
    if (upstream.filters.empty()) {
        const mqtt::Suback whole{unsubscribe->packet_id, answer.codes};
        return send_device(is_v5() ? mqtt::encode_unsuback_v5(whole)
                                   : mqtt::encode_unsuback(unsubscribe->packet_id));
    }
    if (is_alone_) return close_alone("UNSUBSCRIBE of " + in_quotes(upstream.filters.front()));
    send_upstream(mqtt::encode_unsubscribe(upstream, connect_.level));
    // With 3.1.1 UNSUBACK is the same for any number of filters.
    const bool is_mixed = upstream.filters.size() < answer.codes.size();
    if (is_v5() && is_mixed) {
        pending_unsubacks_.insert_or_assign(unsubscribe->packet_id, std::move(answer));
    }
}

}  // namespace hatchery::gateway
