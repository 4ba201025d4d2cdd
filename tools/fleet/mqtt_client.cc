#include "tools/fleet/mqtt_client.h"

namespace hatchery::fleet {

namespace {

constexpr std::uint16_t kKeepAliveSeconds = 300;

Error refused(std::string message) {
    return fail(Code::Forbidden, std::move(message));
}

/// 3.2.2.3.
std::string connack_text(std::uint8_t code) {
    switch (code) {
        case 1:
            return "CONNACK 1, unacceptable protocol version";
        case 2:
            return "CONNACK 2, identifier rejected";
        case 3:
            return "CONNACK 3, server unavailable";
        case 4:
            return "CONNACK 4, bad user name or password";
        case 5:
            return "CONNACK 5, not authorized";
        default:
            return "CONNACK " + std::to_string(code);
    }
}

}  // namespace

Result<MqttClient> MqttClient::connect(const TlsContext& context,
                                       const Identity& identity,
                                       const Server& server,
                                       const std::string& client_id,
                                       Deadline deadline) {
    auto connection =
        TlsConnection::open(context, identity, server.host, server.mqtt_port, deadline);
    if (!connection) return std::move(connection).error();
    MqttClient client(*std::move(connection));
    auto sent = client.connection_.write(encode_connect(client_id, kKeepAliveSeconds), deadline);
    auto packet = sent ? client.next_packet(deadline) : Result<Packet>(std::move(sent).error());
    if (!packet) {
        if (packet.error().code != Code::Forbidden) return std::move(packet).error();
        return refused("closed without CONNACK");
    }
    if (packet->type != PacketType::Connack || packet->body.size() != 2) {
        return fail(Code::Unavailable, "the server did not begin with CONNACK");
    }
    if (packet->body[1] != 0) return refused(connack_text(packet->body[1]));
    return client;
}

Result<> MqttClient::subscribe(const std::vector<std::string>& filters, Deadline deadline) {
    const auto id = ++packet_id_;
    if (auto sent = connection_.write(encode_subscribe(id, filters), deadline); !sent) return sent;
    auto answer = wait_for(PacketType::Suback, id, deadline);
    if (!answer) return std::move(answer).error();
    if (answer->body.size() != 2 + filters.size()) {
        return fail(Code::Unavailable, "SUBACK holds another number of filters");
    }
    for (std::size_t i = 0; i < filters.size(); ++i) {
        if (answer->body[2 + i] > 1) return refused("SUBACK refused " + filters[i]);
    }
    return {};
}

Result<> MqttClient::publish(const std::string& topic,
                             std::string_view payload,
                             Deadline deadline) {
    const auto id = ++packet_id_;
    auto sent = connection_.write(encode_publish(id, topic, payload), deadline);
    if (!sent) return sent;
    auto answer = wait_for(PacketType::Puback, id, deadline);
    if (!answer) return std::move(answer).error();
    return {};
}

Result<Message> MqttClient::receive(Deadline deadline) {
    while (messages_.empty()) {
        auto packet = next_packet(deadline);
        if (!packet) return std::move(packet).error();
        if (packet->type != PacketType::Publish) continue;
        if (auto kept = keep_message(*packet, deadline); !kept) return std::move(kept).error();
    }
    Message message = std::move(messages_.front());
    messages_.pop_front();
    return message;
}

void MqttClient::disconnect(Deadline deadline) {
    // The connection ends either way; what the server makes of it is not this device's business.
    static_cast<void>(connection_.write(encode_disconnect(), deadline));
}

Result<Packet> MqttClient::next_packet(Deadline deadline) {
    while (true) {
        auto packet = reader_.next();
        if (!packet) return fail(Code::Unavailable, packet.error().message);
        if (*packet) return *std::move(*packet);
        auto bytes = connection_.read(deadline);
        if (!bytes) return std::move(bytes).error();
        reader_.feed(*bytes);
    }
}

Result<Packet> MqttClient::next_answer(Deadline deadline) {
    while (true) {
        auto packet = next_packet(deadline);
        if (!packet || packet->type != PacketType::Publish) return packet;
        if (auto kept = keep_message(*packet, deadline); !kept) return std::move(kept).error();
    }
}

Result<> MqttClient::keep_message(const Packet& packet, Deadline deadline) {
    auto message = parse_publish(packet);
    if (!message) return fail(Code::Unavailable, message.error().message);
    const auto id = message->packet_id;
    const bool needs_answer = message->qos == 1;
    messages_.push_back(*std::move(message));
    return needs_answer ? connection_.write(encode_puback(id), deadline) : Result<>();
}

Result<Packet> MqttClient::wait_for(PacketType type, std::uint16_t packet_id, Deadline deadline) {
    while (true) {
        auto packet = next_answer(deadline);
        if (!packet) return packet;
        auto id = parse_packet_id(*packet);
        if (packet->type == type && id && *id == packet_id) return packet;
    }
}

}  // namespace hatchery::fleet
