// A session's beginning and end; session_packets.cc is what a device sends in between,
// session_upstream.cc the broker's side.
#include "provisioning/gateway/session.h"

#include "provisioning/gateway/mqtt_properties.h"
#include "provisioning/gateway/session_codes.h"

#include <algorithm>
#include <array>
#include <utility>

namespace hatchery::gateway {
namespace {

constexpr std::uint8_t kUnacceptableProtocolLevel = 0x01;  // MQTT 3.1.1, 3.2.2.3
constexpr std::uint8_t kIdentifierRejected = 0x02;         // MQTT 3.1.1, 3.2.2.3
constexpr std::uint16_t kDefaultKeepAlive = 1200;          // AWS's, for a device that asks for none
// The device's keep-alive time is counted here. The broker, which would count it too, gets one that
// a busy moment of ours does not exceed: else it ends a connection before we can say why.
constexpr std::chrono::seconds kLeastUpstreamKeepAlive{60};
constexpr std::uint16_t kMostReservedReceives = 8;
constexpr std::uint32_t kNoReceiveMaximum = 65'535;
constexpr std::array<std::uint8_t, 2> kPingresp = {0xD0, 0};

CloseCause cause_of(const Error& error) {
    return error.code == Code::LimitExceeded ? CloseCause::TooLarge : CloseCause::Malformed;
}

constexpr std::array<std::string_view, 17> kCauseNames = {"disconnected",
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
                                                          "stopping",
                                                          "taken-over",
                                                          "limit"};

}  // namespace

std::string_view to_string(CloseCause cause) {
    return kCauseNames[static_cast<std::size_t>(cause)];
}

std::string in_quotes(std::string_view name) {
    return "'" + std::string(name) + "'";
}

Actions Session::from_device(ByteView bytes, Instant now) {
    now_ = now;
    last_heard_ = now;
    if (state_ == State::Closed) return {};
    device_reader_.append(bytes);
    process_device();
    return take();
}

Actions Session::admitted(Authorizer authorize) {
    if (state_ != State::Admitting) return {};
    authorize_ = std::move(authorize);
    state_ = State::Connecting;
    actions_.open_upstream = true;
    mqtt::Connect upstream = connect_;
    upstream.keep_alive = static_cast<std::uint16_t>(upstream_keep_alive().count());
    if (is_v5()) {
        // The broker must not use aliases with us, who look at every topic; and some deliveries of
        // the device's receive maximum are kept for our own answers.
        namespace property = mqtt::property;
        const auto maximum = mqtt::integer_property(connect_.properties, property::kReceiveMaximum)
                                 .value_or(kNoReceiveMaximum);
        upstream.properties = mqtt::without_properties(
            connect_.properties, {property::kTopicAliasMaximum, property::kReceiveMaximum});
        if (maximum != kNoReceiveMaximum) {
            const auto ours = std::min<std::uint32_t>(kMostReservedReceives, maximum / 2);
            most_own_ids_ = ours;
            mqtt::append_property(upstream.properties,
                                  property::kReceiveMaximum,
                                  static_cast<std::uint16_t>(maximum - ours));
        }
    }
    send_upstream(mqtt::encode_connect(upstream));
    return take();
}

Actions Session::answered(const flows::TopicReply& reply, ByteView correlation) {
    if (state_ != State::Open) return {};
    const auto qos = local_qos(reply.topic);
    // Answers of the jobs API are for the client that asked, whether it has subscribed or not.
    const bool is_direct = reply.topic.starts_with("$aws/things/");
    if (!qos && !is_direct) {
        actions_.note = "reply on " + in_quotes(reply.topic) + " dropped: no subscription";
        return take();
    }
    if (!is_direct && !allows(policy::Action::Receive, reply.topic)) {
        actions_.note =
            "reply on " + in_quotes(reply.topic) + " dropped: iot:Receive is not allowed";
        return take();
    }
    mqtt::Publish publish;
    publish.topic = reply.topic;
    publish.payload = bytes_of(reply.payload);
    publish.packet_id = qos.value_or(0) > 0 ? take_packet_id() : std::uint16_t{0};
    publish.qos = publish.packet_id > 0 ? kMaxQos : std::uint8_t{0};
    Bytes properties = to_bytes(correlation);
    properties.insert(properties.end(), local_identifier_.begin(), local_identifier_.end());
    if (is_v5()) publish.properties = properties;
    // It may hold a private key: exactly one copy goes on.
    actions_.to_device = mqtt::encode_publish(publish, connect_.level);
    actions_.is_secret = true;
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
    } else if (!is_alone_ && now - last_upstream_ >= upstream_keep_alive()) {
        // What we answer ourselves never reaches the broker, which counts its own silence.
        send_upstream(mqtt::encode_pingreq());
        ++own_pings_;
    }
    return take();
}

std::chrono::seconds Session::upstream_keep_alive() const {
    return std::max(keep_alive_, kLeastUpstreamKeepAlive);
}

void Session::hold_keep_alive(Instant now) {
    now_ = now;
    last_heard_ = now;
}

bool Session::is_persistent() const {
    if (!is_v5()) return !connect_.clean_session;
    const auto expiry =
        mqtt::integer_property(connect_.properties, mqtt::property::kSessionExpiryInterval);
    return !connect_.clean_session || expiry.value_or(0) > 0;
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
            return is_alone_ ? send_device(kPingresp) : send_upstream(packet.bytes);
        default:
            // a second CONNECT, the packets of QoS 2, and what only a server sends
            return close(CloseCause::Malformed,
                         "unexpected " + std::string(to_string(packet.type)),
                         reason::kProtocolError);
    }
}

void Session::connect_packet(const mqtt::Packet& packet) {
    auto connect = mqtt::parse_connect(packet);
    if (!connect) return close(CloseCause::Malformed, connect.error().message);
    connect_ = std::move(*connect);
    if (!is_connect_supported()) return;
    state_ = State::Admitting;
    if (auto refusal = will_refusal()) {
        return close(CloseCause::Denied, "will on " + std::move(*refusal));
    }
    keep_alive_ =
        std::chrono::seconds(connect_.keep_alive > 0 ? connect_.keep_alive : kDefaultKeepAlive);
    actions_.admit = true;
}

/// Closes the session if not.
bool Session::is_connect_supported() {
    const bool is_known = connect_.level == mqtt::kLevel311 || connect_.level == mqtt::kLevel5;
    if (connect_.protocol_name != "MQTT" || !is_known) {
        send_device(mqtt::encode_connack({false, kUnacceptableProtocolLevel}));
        close(CloseCause::Unsupported,
              "protocol " + connect_.protocol_name + " level " + std::to_string(connect_.level));
        return false;
    }
    state_ = State::Admitting;  // from here on a device of MQTT 5 gets a CONNACK
    if (!mqtt::whole_property(connect_.properties, mqtt::property::kAuthenticationMethod).empty()) {
        close(CloseCause::Unsupported,
              "extended authentication, expected the client certificate alone",
              reason::kBadAuthenticationMethod);
        return false;
    }
    if (connect_.client_id.empty() || connect_.client_id.size() > limits_.max_client_id_bytes) {
        if (!is_v5()) send_device(mqtt::encode_connack({false, kIdentifierRejected}));
        close(CloseCause::Unsupported,
              "client identifier of " + std::to_string(connect_.client_id.size()) +
                  " bytes, expected 1 to " + std::to_string(limits_.max_client_id_bytes),
              reason::kClientIdentifierNotValid);
        return false;
    }
    if (connect_.will && connect_.will->qos > kMaxQos) {
        close(CloseCause::Unsupported, "will with QoS 2", reason::kQosNotSupported);
        return false;
    }
    return true;
}

std::optional<std::string> Session::will_refusal() const {
    if (!connect_.will) return std::nullopt;
    const std::string& topic = connect_.will->topic;
    if (topic.starts_with('$')) return "reserved topic " + in_quotes(topic);
    if (is_over_topic_limits(topic)) return "a topic over the limits, " + in_quotes(topic);
    return std::nullopt;
}

void Session::puback_packet(const mqtt::Packet& packet) {
    const auto packet_id = mqtt::parse_packet_id(packet, connect_.level);
    if (!packet_id) return close(CloseCause::Malformed, packet_id.error().message);
    // Should the broker have come to an id that we still use, ours was delivered first, and devices
    // acknowledge in the order of delivery (MQTT 3.1.1, 4.6).
    if (own_ids_.erase(*packet_id) > 0) return;
    upstream_ids_.erase(*packet_id);
    send_upstream(packet.bytes);
}

void Session::disconnect_packet(const mqtt::Packet& packet) {
    const auto valid = mqtt::parse_disconnect(packet, connect_.level);
    if (!valid) return close(CloseCause::Malformed, valid.error().message);
    if (*valid != reason::kDisconnectWithWill) connect_.will.reset();
    send_upstream(packet.bytes);
    close(CloseCause::Disconnected, "");
}

bool Session::allows(policy::Action action, std::string_view name) {
    return authorize_(action, name);
}

/// AWS IoT, "Message broker and protocol quotas": bytes and slashes of a topic or filter.
bool Session::is_over_topic_limits(std::string_view name) const {
    const auto levels = static_cast<std::size_t>(std::count(name.begin(), name.end(), '/')) + 1;
    return name.size() > limits_.max_topic_bytes || levels > limits_.max_topic_levels;
}

std::optional<std::uint8_t> Session::local_qos(std::string_view topic) const {
    std::optional<std::uint8_t> qos;
    for (const auto& subscription : local_subscriptions_) {
        if (mqtt::topic_matches(subscription.filter, topic)) {
            qos = std::max(qos.value_or(0), subscription.qos);
        }
    }
    // A device whose session went on need not subscribe again, and the broker never knew of these
    // filters: who asks in such a session is taken for a subscriber of the answer.
    if (!qos && is_resumed_) return kMaxQos;
    return qos;
}

/// 0 if all are in use.
std::uint16_t Session::take_packet_id() {
    if (own_ids_.size() >= most_own_ids_) return 0;
    for (unsigned id = kLastOwnId; id >= kFirstOwnId; --id) {
        const auto packet_id = static_cast<std::uint16_t>(id);
        if (own_ids_.contains(packet_id) || upstream_ids_.contains(packet_id)) continue;
        own_ids_.insert(packet_id);
        return packet_id;
    }
    return 0;
}

void Session::close(CloseCause cause, std::string detail) {
    close(cause, std::move(detail), reason_of(cause));
}

void Session::close(CloseCause cause, std::string detail, std::uint8_t reason_code) {
    // With 3.1.1 AWS IoT says nothing, and so do we.
    const bool says_why = is_v5() && cause != CloseCause::Disconnected &&
                          cause != CloseCause::DeviceLost && cause != CloseCause::TakenOver;
    if (says_why && state_ == State::Open) {
        send_device(mqtt::encode_disconnect(reason_code));
    } else if (says_why && (state_ == State::Admitting || state_ == State::Connecting)) {
        // CONNACK has codes that DISCONNECT lacks, and the other way round.
        const bool is_ours =
            reason_code == reason::kServerBusy || reason_code == reason::kServerShuttingDown;
        const std::uint8_t code = is_ours ? reason::kServerUnavailable : reason_code;
        send_device(mqtt::encode_connack({false, code}, mqtt::kLevel5));
    }
    state_ = State::Closed;
    actions_.close = Close{cause, std::move(detail)};
}

void Session::send_device(ByteView bytes) {
    actions_.to_device.insert(actions_.to_device.end(), bytes.begin(), bytes.end());
}

void Session::close_alone(std::string_view wish) {
    close(CloseCause::UpstreamLost, std::string(wish) + " while the broker cannot be reached");
}

void Session::send_upstream(ByteView bytes) {
    if (is_alone_) return;  // DISCONNECT, or PUBACK of what nobody sent
    last_upstream_ = now_;
    actions_.to_upstream.insert(actions_.to_upstream.end(), bytes.begin(), bytes.end());
}

Actions Session::take() {
    return std::exchange(actions_, Actions{});
}

}  // namespace hatchery::gateway
