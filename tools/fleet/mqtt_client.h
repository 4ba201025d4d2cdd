// A device's MQTT 3.1.1 connection over mutual TLS. One thread at a time.
#pragma once

#include "tools/fleet/mqtt_packet.h"
#include "tools/fleet/tls_connection.h"

#include <deque>

namespace hatchery::fleet {

class MqttClient {
  public:
    /// TLS, CONNECT, CONNACK.
    /// @errors Forbidden  the server closed without CONNACK, or CONNACK holds a refusal
    /// @errors Unavailable  no connection, or no answer until `deadline`
    static Result<MqttClient> connect(const TlsContext& context,
                                      const Identity& identity,
                                      const Server& server,
                                      const std::string& client_id,
                                      Deadline deadline);

    /// Waits for SUBACK. @errors Forbidden  a filter was refused, or the connection closed
    Result<> subscribe(const std::vector<std::string>& filters, Deadline deadline);
    /// QoS 1, waits for PUBACK. @errors Forbidden  the connection closed
    Result<> publish(const std::string& topic, std::string_view payload, Deadline deadline);
    /// The next message, one that came while another call waited first.
    Result<Message> receive(Deadline deadline);
    /// Says DISCONNECT; the object's end closes the connection.
    void disconnect(Deadline deadline);

  private:
    explicit MqttClient(TlsConnection connection) : connection_(std::move(connection)) {}
    Result<Packet> next_packet(Deadline deadline);
    /// The next packet that is no message; messages are acknowledged and kept.
    Result<Packet> next_answer(Deadline deadline);
    Result<> keep_message(const Packet& packet, Deadline deadline);
    Result<Packet> wait_for(PacketType type, std::uint16_t packet_id, Deadline deadline);

    TlsConnection connection_;
    PacketReader reader_;
    std::deque<Message> messages_;
    std::uint16_t packet_id_ = 0;
};

}  // namespace hatchery::fleet
