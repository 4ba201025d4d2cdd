#include "provisioning/gateway/session.h"

#include <algorithm>
#include <array>
#include <utility>

namespace hatchery::gateway {
namespace {

using mqtt::PacketType;

// Ours are taken from the top of the range, where brokers that count upwards come last.
constexpr std::uint16_t kFirstOwnId = 0xFF00;
constexpr std::uint16_t kLastOwnId = 0xFFFF;
constexpr std::uint8_t kSubscribeFailure = 0x80;             // MQTT 3.1.1, 3.9.3
constexpr std::uint8_t kUnacceptableProtocolLevel = 0x01;    // MQTT 3.1.1, 3.2.2.3
constexpr std::uint8_t kIdentifierRejected = 0x02;           // MQTT 3.1.1, 3.2.2.3
constexpr std::uint8_t kUnsupportedProtocolVersion5 = 0x84;  // MQTT 5, 3.2.2.2
constexpr std::uint8_t kMaxQos = 1;                          // AWS IoT has no QoS 2
constexpr std::size_t kMaxPendingSubacks = 64;
constexpr std::uint16_t kDefaultKeepAlive = 1200;  // AWS's, for a device that asks for none

CloseCause cause_of(const Error& error) {
    return error.code == Code::LimitExceeded ? CloseCause::TooLarge : CloseCause::Malformed;
}

bool is_below_aws(std::string_view filter) {
    return filter.starts_with("$aws/");
}

std::string in_quotes(std::string_view name) {
    return "'" + std::string(name) + "'";
}

constexpr std::array<std::string_view, 15> kCauseNames = {"disconnected",
                                                          "device-lost",
                                                          "malformed",
                                                          "too-large",
                                                          "unsupported",
                                                          "refused",
                                                          "denied",
                                                          "keep-alive",
                                                          "timeout",
                                                          "provisioned",
                                                          "handshake",
                                                          "internal",
                                                          "upstream-refused",
                                                          "upstream-lost",
                                                          "stopping"};

}  // namespace

std::string_view to_string(CloseCause cause) {
    return kCauseNames[static_cast<std::size_t>(cause)];
}

Actions Session::from_device(ByteView bytes, Instant now) {
    now_ = now;
    last_heard_ = now;
    if (state_ == State::Closed) return {};
    device_reader_.append(bytes);
    process_device();
    return take();
}

Actions Session::from_upstream(ByteView bytes) {
    if (state_ != State::Connecting && state_ != State::Open) return {};
    upstream_reader_.append(bytes);
    while (state_ == State::Connecting || state_ == State::Open) {
        auto packet = upstream_reader_.next();
        if (!packet) {
            close_upstream_malformed(packet.error().message);
            break;
        }
        if (!*packet) break;
        upstream_packet(**packet);
    }
    return take();
}

Actions Session::admitted(Authorizer authorize) {
    if (state_ != State::Admitting) return {};
    authorize_ = std::move(authorize);
    state_ = State::Connecting;
    actions_.open_upstream = true;
    mqtt::Connect upstream = connect_;
    upstream.keep_alive = static_cast<std::uint16_t>(keep_alive_.count());
    send_upstream(mqtt::encode_connect(upstream));
    return take();
}

Actions Session::answered(const flows::TopicReply& reply) {
    if (state_ != State::Open) return {};
    const auto qos = local_qos(reply.topic);
    if (!qos) {
        actions_.note = "reply on " + in_quotes(reply.topic) + " dropped: no subscription";
        return take();
    }
    if (!allows(policy::Action::Receive, reply.topic)) {
        actions_.note =
            "reply on " + in_quotes(reply.topic) + " dropped: iot:Receive is not allowed";
        return take();
    }
    mqtt::Publish publish;
    publish.topic = reply.topic;
    publish.payload = bytes_of(reply.payload);
    publish.packet_id = *qos > 0 ? take_packet_id() : std::uint16_t{0};
    publish.qos = publish.packet_id > 0 ? kMaxQos : std::uint8_t{0};
    send_device(mqtt::encode_publish(publish));
    return take();
}

Actions Session::device_closed() {
    if (device_reader_.buffered() > 0) {
        return end(CloseCause::Malformed,
                   "the connection ended inside a packet, " +
                       std::to_string(device_reader_.buffered()) + " bytes of it had come");
    }
    return end(CloseCause::DeviceLost,
               has_connect() ? "the connection ended without DISCONNECT"
                             : "the connection ended before CONNECT");
}

Actions Session::upstream_closed(std::string_view detail) {
    return end(CloseCause::UpstreamLost, std::string(detail));
}

Actions Session::end(CloseCause cause, std::string detail) {
    if (state_ == State::Closed) return {};
    close(cause, std::move(detail));
    return take();
}

Actions Session::tick(Instant now) {
    now_ = now;
    if (state_ != State::Open) return {};
    // MQTT 3.1.1, 3.1.2.10: one and a half times the keep-alive time
    if (now - last_heard_ > std::chrono::milliseconds(keep_alive_) * 3 / 2) {
        close(CloseCause::KeepAlive,
              "silent for more than 1.5 times " + std::to_string(keep_alive_.count()) + " s");
    } else if (now - last_upstream_ >= keep_alive_) {
        // What we answer ourselves never reaches the broker, which counts its own silence.
        send_upstream(mqtt::encode_pingreq());
        ++own_pings_;
    }
    return take();
}

void Session::hold_keep_alive(Instant now) {
    now_ = now;
    last_heard_ = now;
}

void Session::process_device() {
    while (state_ == State::AwaitingConnect || state_ == State::Open) {
        auto packet = device_reader_.next();
        if (!packet) {
            close(cause_of(packet.error()), packet.error().message);
            return;
        }
        if (!*packet) return;
        device_packet(**packet);
    }
}

void Session::device_packet(const mqtt::Packet& packet) {
    if (state_ == State::AwaitingConnect) {
        if (packet.type == PacketType::Connect) return connect_packet(packet);
        return close(
            CloseCause::Malformed,
            "the first packet is " + std::string(to_string(packet.type)) + ", not CONNECT");
    }
    switch (packet.type) {
        case PacketType::Publish:
            return publish_packet(packet);
        case PacketType::Subscribe:
            return subscribe_packet(packet);
        case PacketType::Unsubscribe:
            return unsubscribe_packet(packet);
        case PacketType::Puback:
            return puback_packet(packet);
        case PacketType::Disconnect:
            return disconnect_packet(packet);
        case PacketType::Pingreq:
            if (auto valid = mqtt::parse_empty(packet); !valid) {
                return close(CloseCause::Malformed, valid.error().message);
            }
            return send_upstream(packet.bytes);
        default:
            // a second CONNECT, the packets of QoS 2, and what only a server sends
            return close(CloseCause::Malformed,
                         "unexpected " + std::string(to_string(packet.type)));
    }
}

void Session::connect_packet(const mqtt::Packet& packet) {
    auto connect = mqtt::parse_connect(packet);
    if (!connect) return close(CloseCause::Malformed, connect.error().message);
    connect_ = std::move(*connect);
    if (connect_.protocol_name != "MQTT" || connect_.level != mqtt::kLevel311) {
        const bool is_v5 = connect_.protocol_name == "MQTT" && connect_.level == mqtt::kLevel5;
        send_device(is_v5 ? mqtt::encode_connack_v5(kUnsupportedProtocolVersion5)
                          : mqtt::encode_connack({false, kUnacceptableProtocolLevel}));
        return close(
            CloseCause::Unsupported,
            "protocol " + connect_.protocol_name + " level " + std::to_string(connect_.level));
    }
    if (connect_.client_id.empty() || connect_.client_id.size() > limits_.max_client_id_bytes) {
        send_device(mqtt::encode_connack({false, kIdentifierRejected}));
        return close(CloseCause::Unsupported,
                     "client identifier of " + std::to_string(connect_.client_id.size()) +
                         " bytes, expected 1 to " + std::to_string(limits_.max_client_id_bytes));
    }
    if (connect_.will && connect_.will->qos > kMaxQos) {
        return close(CloseCause::Unsupported, "will with QoS 2");
    }
    if (connect_.will && connect_.will->topic.starts_with('$')) {
        return close(CloseCause::Denied,
                     "will on reserved topic " + in_quotes(connect_.will->topic));
    }
    keep_alive_ =
        std::chrono::seconds(connect_.keep_alive > 0 ? connect_.keep_alive : kDefaultKeepAlive);
    state_ = State::Admitting;
    actions_.admit = true;
}

void Session::publish_packet(const mqtt::Packet& packet) {
    const auto publish = mqtt::parse_publish(packet);
    if (!publish) return close(CloseCause::Malformed, publish.error().message);
    if (publish->qos > kMaxQos) {
        return close(CloseCause::Unsupported, "PUBLISH with QoS 2 on " + in_quotes(publish->topic));
    }
    const bool is_request = flows::is_provisioning_request(publish->topic);
    if (publish->topic.starts_with('$') && !is_request) {
        return close(CloseCause::Denied, "PUBLISH to reserved topic " + in_quotes(publish->topic));
    }
    if (!allows(policy::Action::Publish, publish->topic)) {
        return close(CloseCause::Denied, "iot:Publish on " + in_quotes(publish->topic));
    }
    if (is_request) return provisioning_request(*publish);
    if (publish->retain && !allows(policy::Action::RetainPublish, publish->topic)) {
        return close(CloseCause::Denied, "iot:RetainPublish on " + in_quotes(publish->topic));
    }
    send_upstream(packet.bytes);
}

void Session::provisioning_request(const mqtt::Publish& publish) {
    if (publish.qos > 0) send_device(mqtt::encode_puback(publish.packet_id));
    actions_.requests.push_back({std::string(publish.topic), to_bytes(publish.payload)});
}

void Session::subscribe_packet(const mqtt::Packet& packet) {
    auto subscribe = mqtt::parse_subscribe(packet);
    if (!subscribe) return close(CloseCause::Malformed, subscribe.error().message);
    if (pending_subacks_.contains(subscribe->packet_id) ||
        pending_subacks_.size() >= kMaxPendingSubacks) {
        return close(CloseCause::Malformed,
                     "SUBSCRIBE with packet identifier " + std::to_string(subscribe->packet_id) +
                         " before the last one was acknowledged");
    }
    for (const auto& subscription : subscribe->subscriptions) {
        if (!allows(policy::Action::Subscribe, subscription.filter)) {
            return close(CloseCause::Denied, "iot:Subscribe on " + in_quotes(subscription.filter));
        }
    }
    PendingSuback suback;
    mqtt::Subscribe upstream{subscribe->packet_id, {}};
    for (auto& subscription : subscribe->subscriptions) {
        // Granting less than was asked for is a server's right (MQTT 3.1.1, 3.9.3).
        subscription.qos = std::min(subscription.qos, kMaxQos);
        std::uint8_t code = subscription.qos;
        if (is_below_aws(subscription.filter)) code = subscribe_locally(subscription);
        if (!flows::is_provisioning_filter(subscription.filter)) {
            suback.from_upstream.push_back(suback.return_codes.size());
            upstream.subscriptions.push_back(std::move(subscription));
        }
        suback.return_codes.push_back(code);
    }
    if (upstream.subscriptions.empty()) {
        return send_device(mqtt::encode_suback({subscribe->packet_id, suback.return_codes}));
    }
    send_upstream(mqtt::encode_subscribe(upstream));
    const bool is_mixed = upstream.subscriptions.size() < suback.return_codes.size();
    if (is_mixed) pending_subacks_.emplace(subscribe->packet_id, std::move(suback));
}

std::uint8_t Session::subscribe_locally(const mqtt::Subscription& subscription) {
    for (auto& known : local_subscriptions_) {
        if (known.filter != subscription.filter) continue;
        known.qos = subscription.qos;
        return subscription.qos;
    }
    if (local_subscriptions_.size() >= limits_.max_local_subscriptions) return kSubscribeFailure;
    local_subscriptions_.push_back(subscription);
    return subscription.qos;
}

void Session::unsubscribe_packet(const mqtt::Packet& packet) {
    auto unsubscribe = mqtt::parse_unsubscribe(packet);
    if (!unsubscribe) return close(CloseCause::Malformed, unsubscribe.error().message);
    mqtt::Unsubscribe upstream{unsubscribe->packet_id, {}};
    for (auto& filter : unsubscribe->filters) {
        std::erase_if(local_subscriptions_,
                      [&](const mqtt::Subscription& known) { return known.filter == filter; });
        if (!flows::is_provisioning_filter(filter)) upstream.filters.push_back(std::move(filter));
    }
    if (upstream.filters.empty()) {
        return send_device(mqtt::encode_unsuback(unsubscribe->packet_id));
    }
    send_upstream(mqtt::encode_unsubscribe(upstream));  // UNSUBACK is the same for any number
}

void Session::puback_packet(const mqtt::Packet& packet) {
    const auto packet_id = mqtt::parse_packet_id(packet);
    if (!packet_id) return close(CloseCause::Malformed, packet_id.error().message);
    // Should the broker have come to an id that we still use, ours was delivered first, and devices
    // acknowledge in the order of delivery (MQTT 3.1.1, 4.6).
    if (own_ids_.erase(*packet_id) > 0) return;
    upstream_ids_.erase(*packet_id);
    send_upstream(packet.bytes);
}

void Session::disconnect_packet(const mqtt::Packet& packet) {
    if (auto valid = mqtt::parse_empty(packet); !valid) {
        return close(CloseCause::Malformed, valid.error().message);
    }
    send_upstream(packet.bytes);
    close(CloseCause::Disconnected, "");
}

void Session::upstream_packet(const mqtt::Packet& packet) {
    if (state_ == State::Connecting) {
        if (packet.type == PacketType::Connack) return upstream_connack(packet);
        return close_upstream_malformed(std::string(to_string(packet.type)) + " before CONNACK");
    }
    switch (packet.type) {
        case PacketType::Publish:
            return upstream_publish(packet);
        case PacketType::Suback:
            return upstream_suback(packet);
        case PacketType::Pingresp:
            return upstream_pingresp(packet);
        case PacketType::Puback:
        case PacketType::Unsuback:
            return send_device(packet.bytes);
        default:
            return close_upstream_malformed("unexpected " + std::string(to_string(packet.type)));
    }
}

void Session::upstream_connack(const mqtt::Packet& packet) {
    const auto connack = mqtt::parse_connack(packet);
    if (!connack) return close_upstream_malformed(connack.error().message);
    send_device(packet.bytes);
    if (connack->return_code != 0) {
        return close(CloseCause::UpstreamRefused,
                     "CONNACK with return code " + std::to_string(connack->return_code));
    }
    state_ = State::Open;
    last_heard_ = now_;  // it could not be heard while we connected
    process_device();
}

void Session::upstream_publish(const mqtt::Packet& packet) {
    const auto publish = mqtt::parse_publish(packet);
    if (!publish) return close_upstream_malformed(publish.error().message);
    if (publish->qos > kMaxQos) {
        // We never subscribe with QoS 2, so this session was made past us.
        return close_upstream_malformed("delivery with QoS 2");
    }
    if (!allows(policy::Action::Receive, publish->topic)) {
        // Silently not delivered; the broker must not keep it for us for ever.
        if (publish->qos > 0) send_upstream(mqtt::encode_puback(publish->packet_id));
        return;
    }
    if (publish->packet_id >= kFirstOwnId) upstream_ids_.insert(publish->packet_id);
    send_device(packet.bytes);
}

void Session::upstream_suback(const mqtt::Packet& packet) {
    const auto suback = mqtt::parse_suback(packet);
    if (!suback) return close_upstream_malformed(suback.error().message);
    const auto pending = pending_subacks_.find(suback->packet_id);
    if (pending == pending_subacks_.end()) return send_device(packet.bytes);
    PendingSuback whole = std::move(pending->second);
    pending_subacks_.erase(pending);
    if (suback->return_codes.size() != whole.from_upstream.size()) {
        return close_upstream_malformed("SUBACK for another number of filters");
    }
    for (std::size_t i = 0; i < whole.from_upstream.size(); ++i) {
        whole.return_codes[whole.from_upstream[i]] = suback->return_codes[i];
    }
    send_device(mqtt::encode_suback({suback->packet_id, std::move(whole.return_codes)}));
}

void Session::upstream_pingresp(const mqtt::Packet& packet) {
    if (own_pings_ > 0) {
        --own_pings_;
        return;
    }
    send_device(packet.bytes);
}

bool Session::allows(policy::Action action, std::string_view name) {
    return authorize_(action, name);
}

std::optional<std::uint8_t> Session::local_qos(std::string_view topic) const {
    std::optional<std::uint8_t> qos;
    for (const auto& subscription : local_subscriptions_) {
        if (mqtt::topic_matches(subscription.filter, topic)) {
            qos = std::max(qos.value_or(0), subscription.qos);
        }
    }
    return qos;
}

/// 0 if all are in use.
std::uint16_t Session::take_packet_id() {
    for (unsigned id = kLastOwnId; id >= kFirstOwnId; --id) {
        const auto packet_id = static_cast<std::uint16_t>(id);
        if (own_ids_.contains(packet_id) || upstream_ids_.contains(packet_id)) continue;
        own_ids_.insert(packet_id);
        return packet_id;
    }
    return 0;
}

void Session::close(CloseCause cause, std::string detail) {
    state_ = State::Closed;
    actions_.close = Close{cause, std::move(detail)};
}

void Session::close_upstream_malformed(std::string_view detail) {
    close(CloseCause::UpstreamLost, "the broker broke the protocol: " + std::string(detail));
}

void Session::send_device(ByteView bytes) {
    actions_.to_device.insert(actions_.to_device.end(), bytes.begin(), bytes.end());
}

void Session::send_upstream(ByteView bytes) {
    last_upstream_ = now_;
    actions_.to_upstream.insert(actions_.to_upstream.end(), bytes.begin(), bytes.end());
}

Actions Session::take() {
    return std::exchange(actions_, Actions{});
}

}  // namespace hatchery::gateway
