// One device's MQTT session between its TLS connection and its upstream connection, I/O-free. In:
// bytes of either side, outcomes of work done elsewhere, the time. Out: Actions. It decides what
// passes (IoT policies packet by packet, AWS's rules for reserved topics) and answers the
// provisioning API's topics itself; sessions, QoS, retained messages and wills are the broker's. It
// may never touch a socket, a clock or the store.
#pragma once

#include "provisioning/flows/reserved_topics.h"
#include "provisioning/gateway/mqtt.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::gateway {

/// Why a connection ends.
enum class CloseCause {
    Disconnected,     ///< the device sent DISCONNECT
    DeviceLost,       ///< the device's connection ended without DISCONNECT
    Malformed,        ///< bytes that MQTT 3.1.1 forbids
    TooLarge,         ///< a packet over the size limit
    Unsupported,      ///< protocol level, QoS 2, client identifier
    Refused,          ///< the device was not admitted
    Denied,           ///< a policy does not allow the packet, or the identity was withdrawn
    KeepAlive,        ///< silent for one and a half keep-alive times
    Timeout,          ///< TLS handshake and CONNECT took too long, or a peer does not read
    Provisioned,      ///< first_connect = "close"
    Handshake,        ///< TLS failed
    Internal,         ///< our fault
    UpstreamRefused,  ///< the broker's CONNACK says no
    UpstreamLost,     ///< the broker closed the connection or cannot be reached
    Stopping,         ///< the gateway is being stopped
};
std::string_view to_string(CloseCause cause);  ///< "disconnected", "keep-alive" …

struct Close {
    CloseCause cause = CloseCause::Disconnected;
    std::string detail;  ///< for the log; may hold what the device sent
};

/// A PUBLISH to a topic of the provisioning API, to be answered by Session::answered.
struct ProvisioningRequest {
    std::string topic;
    Bytes payload;
};

/// What follows from an input; to be done in the order of the members.
struct Actions {
    bool admit = false;          ///< decide about Session::connect, then call admitted or close
    bool open_upstream = false;  ///< connect to the broker; `to_upstream` starts with CONNECT
    Bytes to_upstream;
    Bytes to_device;
    std::vector<ProvisioningRequest> requests;
    std::string note;            ///< worth a log line, or empty
    std::optional<Close> close;  ///< after the bytes above are written; nothing follows
};

class Session {
  public:
    /// May this device do `action` on `name` (topic or filter text)?
    using Authorizer = std::function<bool(policy::Action action, std::string_view name)>;
    using Instant = std::chrono::steady_clock::time_point;

    struct Limits {
        std::size_t max_packet_bytes = std::size_t{256} * 1024;  ///< from the device
        /// From the broker; more generous, since closing on a queued message would repeat for ever.
        std::size_t max_upstream_packet_bytes = std::size_t{16} * 1024 * 1024;
        std::size_t max_local_subscriptions = 50;  ///< AWS's subscriptions a connection
        std::size_t max_client_id_bytes = 128;     ///< AWS's limit
    };

    Session(Limits limits, Instant now)
        : limits_(limits),
          device_reader_(limits.max_packet_bytes),
          upstream_reader_(limits.max_upstream_packet_bytes),
          last_heard_(now),
          last_upstream_(now),
          now_(now) {}

    Actions from_device(ByteView bytes, Instant now);
    Actions from_upstream(ByteView bytes);
    /// The device may go on; packets that came with its CONNECT are looked at now.
    /// @pre Actions::admit was given
    Actions admitted(Authorizer authorize);
    /// The outcome of an Actions::requests entry.
    Actions answered(const flows::TopicReply& reply);
    Actions device_closed();
    Actions upstream_closed(std::string_view detail);
    /// Enforces keep-alive on the device's side and keeps the broker's side alive. To be called
    /// about once a second or more.
    Actions tick(Instant now);
    /// The device could not be heard because nobody read: its keep-alive time starts again.
    void hold_keep_alive(Instant now);
    /// Ends the session for a reason from outside.
    Actions end(CloseCause cause, std::string detail);

    /// false while bytes from the device would only pile up: its CONNECT is being decided.
    bool reads_device() const { return state_ == State::AwaitingConnect || state_ == State::Open; }
    bool has_connect() const { return state_ != State::AwaitingConnect; }
    bool awaits_upstream() const { return state_ == State::Connecting; }
    bool is_closed() const { return state_ == State::Closed; }
    /// The device's CONNECT; all empty before it came.
    const mqtt::Connect& connect() const { return connect_; }

  private:
    enum class State { AwaitingConnect, Admitting, Connecting, Open, Closed };
    struct PendingSuback {
        Bytes return_codes;                      // in the order of the device's SUBSCRIBE
        std::vector<std::size_t> from_upstream;  // places that the broker's SUBACK fills
    };

    void process_device();
    void device_packet(const mqtt::Packet& packet);
    void connect_packet(const mqtt::Packet& packet);
    void publish_packet(const mqtt::Packet& packet);
    void provisioning_request(const mqtt::Publish& publish);
    void subscribe_packet(const mqtt::Packet& packet);
    void unsubscribe_packet(const mqtt::Packet& packet);
    void puback_packet(const mqtt::Packet& packet);
    void disconnect_packet(const mqtt::Packet& packet);
    void upstream_packet(const mqtt::Packet& packet);
    void upstream_connack(const mqtt::Packet& packet);
    void upstream_publish(const mqtt::Packet& packet);
    void upstream_suback(const mqtt::Packet& packet);
    void upstream_pingresp(const mqtt::Packet& packet);

    bool allows(policy::Action action, std::string_view name);
    std::uint8_t subscribe_locally(const mqtt::Subscription& subscription);
    std::optional<std::uint8_t> local_qos(std::string_view topic) const;
    std::uint16_t take_packet_id();
    void close(CloseCause cause, std::string detail);
    void close_upstream_malformed(std::string_view detail);
    void send_device(ByteView bytes);
    void send_upstream(ByteView bytes);
    Actions take();

    Limits limits_;
    State state_ = State::AwaitingConnect;
    mqtt::PacketReader device_reader_;
    mqtt::PacketReader upstream_reader_;
    mqtt::Connect connect_;
    Authorizer authorize_;
    Actions actions_;
    /// Filters below $aws, in the order they came: they decide which replies reach the device.
    std::vector<mqtt::Subscription> local_subscriptions_;
    std::map<std::uint16_t, PendingSuback> pending_subacks_;
    /// Packet ids of deliveries to the device that it has not acknowledged yet, high range only:
    /// ours and the broker's.
    std::set<std::uint16_t> own_ids_;
    std::set<std::uint16_t> upstream_ids_;
    std::size_t own_pings_ = 0;  // PINGREQs of ours that the broker has not answered
    std::chrono::seconds keep_alive_{0};
    Instant last_heard_;
    Instant last_upstream_;
    Instant now_;
};

}  // namespace hatchery::gateway
