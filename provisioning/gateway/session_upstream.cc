// The broker's side of a session.
#include "provisioning/gateway/mqtt_properties.h"
#include "provisioning/gateway/session_codes.h"

#include <algorithm>
#include <utility>

namespace hatchery::gateway {
namespace {

/// The broker's CONNACK properties, made true for this connection: no aliases, no QoS 2, our packet
/// size and keep-alive.
Bytes offered(ByteView brokers, std::size_t max_packet_bytes, std::uint16_t keep_alive) {
    namespace property = mqtt::property;
    const auto size = mqtt::integer_property(brokers, property::kMaximumPacketSize);
    const bool has_keep_alive =
        mqtt::integer_property(brokers, property::kServerKeepAlive).has_value();
    Bytes ours = mqtt::without_properties(
        brokers,
        {property::kTopicAliasMaximum, property::kMaximumQos, property::kMaximumPacketSize});
    mqtt::append_property(ours, property::kMaximumQos, kMaxQos);
    const auto most =
        static_cast<std::uint32_t>(std::min<std::size_t>(max_packet_bytes, 0xFFFF'FFFFU));
    mqtt::append_property(ours, property::kMaximumPacketSize, std::min(most, size.value_or(most)));
    if (keep_alive > 0 && !has_keep_alive) {
        mqtt::append_property(ours, property::kServerKeepAlive, keep_alive);
    }
    return ours;
}

}  // namespace

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

Actions Session::admitted_alone(Authorizer authorize) {
    if (state_ != State::Admitting) return {};
    authorize_ = std::move(authorize);
    is_alone_ = true;
    begin({});
    return take();
}

Actions Session::upstream_closed(std::string_view detail) {
    return end(CloseCause::UpstreamLost, std::string(detail));
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
            return upstream_codes(packet, pending_subacks_);
        case PacketType::Unsuback:
            if (is_v5()) return upstream_codes(packet, pending_unsubacks_);
            return send_device(packet.bytes);
        case PacketType::Pingresp:
            return upstream_pingresp(packet);
        case PacketType::Puback:
            return upstream_puback(packet);
        case PacketType::Disconnect:
            return upstream_disconnect(packet);
        default:
            return close_upstream_malformed("unexpected " + std::string(to_string(packet.type)));
    }
}

void Session::upstream_connack(const mqtt::Packet& packet) {
    auto connack = mqtt::parse_connack(packet, connect_.level);
    if (!connack) return close_upstream_malformed(connack.error().message);
    if (connack->return_code != 0) {
        send_device(packet.bytes);
        state_ = State::AwaitingConnect;  // the device has its CONNACK: nothing more to say
        return close(CloseCause::UpstreamRefused,
                     "CONNACK with return code " + std::to_string(connack->return_code));
    }
    begin(std::move(*connack));
}

/// The device is in: it gets its answer, and what it has sent already is looked at.
void Session::begin(mqtt::Connack connack) {
    if (is_v5()) {
        const bool is_imposed = connect_.keep_alive == 0;
        connack.properties = offered(
            connack.properties,
            limits_.max_packet_bytes,
            is_imposed ? static_cast<std::uint16_t>(keep_alive_.count()) : std::uint16_t{0});
    }
    send_device(mqtt::encode_connack(connack, connect_.level));
    state_ = State::Open;
    actions_.is_open = true;
    is_resumed_ = connack.session_present;
    last_heard_ = now_;  // it could not be heard while we connected
    process_device();
}

void Session::upstream_publish(const mqtt::Packet& packet) {
    const auto publish = mqtt::parse_publish(packet, connect_.level);
    if (!publish) return close_upstream_malformed(publish.error().message);
    if (publish->qos > kMaxQos) {
        // We never subscribe with QoS 2, so this session was made past us.
        return close_upstream_malformed("delivery with QoS 2");
    }
    if (publish->topic.empty()) return close_upstream_malformed("delivery with a topic alias");
    if (!allows(policy::Action::Receive, publish->topic)) {
        // Silently not delivered; the broker must not keep it for us for ever.
        if (publish->qos > 0) send_upstream(mqtt::encode_puback(publish->packet_id));
        return;
    }
    if (publish->packet_id >= kFirstOwnId) upstream_ids_.insert(publish->packet_id);
    send_device(packet.bytes);
}

void Session::upstream_puback(const mqtt::Packet& packet) {
    if (inflight_ > 0) --inflight_;
    send_device(packet.bytes);
}

/// SUBACK, and UNSUBACK of MQTT 5: as it is, or with our own codes put in.
void Session::upstream_codes(const mqtt::Packet& packet, PendingById& pending) {
    auto brokers = mqtt::parse_suback(packet, connect_.level);
    if (!brokers) return close_upstream_malformed(brokers.error().message);
    const auto found = pending.find(brokers->packet_id);
    if (found == pending.end()) return send_device(packet.bytes);
    PendingCodes whole = std::move(found->second);
    pending.erase(found);
    if (brokers->return_codes.size() != whole.from_upstream.size()) {
        return close_upstream_malformed(std::string(to_string(packet.type)) +
                                        " for another number of filters");
    }
    for (std::size_t i = 0; i < whole.from_upstream.size(); ++i) {
        whole.codes[whole.from_upstream[i]] = brokers->return_codes[i];
    }
    brokers->return_codes = std::move(whole.codes);
    send_device(packet.type == PacketType::Suback ? mqtt::encode_suback(*brokers, connect_.level)
                                                  : mqtt::encode_unsuback_v5(*brokers));
}

/// Only a broker of MQTT 5 says why it ends a connection; its device is told the same.
void Session::upstream_disconnect(const mqtt::Packet& packet) {
    const auto code = mqtt::parse_disconnect(packet, connect_.level);
    if (!is_v5() || !code) return close_upstream_malformed("unexpected DISCONNECT");
    send_device(packet.bytes);
    state_ = State::AwaitingConnect;  // nothing more to say
    const auto cause =
        *code == reason::kSessionTakenOver ? CloseCause::TakenOver : CloseCause::UpstreamLost;
    close(cause, "the broker sent DISCONNECT with reason code " + std::to_string(*code));
}

void Session::upstream_pingresp(const mqtt::Packet& packet) {
    if (own_pings_ > 0) {
        --own_pings_;
        return;
    }
    send_device(packet.bytes);
}

void Session::close_upstream_malformed(std::string_view detail) {
    close(CloseCause::UpstreamLost, "the broker broke the protocol: " + std::string(detail));
}

}  // namespace hatchery::gateway
