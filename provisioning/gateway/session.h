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
    Malformed,        ///< bytes that MQTT forbids
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
    TakenOver,  ///< another connection has the client identifier now (MQTT 5; 3.1.1 only closes)
    Limit,      ///< over a limit of this connection: topic, subscriptions
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
    Bytes correlation{};  ///< MQTT 5: the property that the answer gives back
};

/// How often an input met a limit.
struct LimitsMet {
    std::uint32_t topics = 0, subscriptions = 0, inflight = 0;
};

/// A PUBLISH of the device's that was let through, for topic rules.
struct Published {
    std::string topic;
    Bytes payload;
    bool is_acknowledged = false;  ///< QoS 1
};

/// What follows from an input; to be done in the order of the members.
struct Actions {
    bool admit = false;          ///< decide about Session::connect, then call admitted or close
    bool open_upstream = false;  ///< connect to the broker; `to_upstream` starts with CONNECT
    std::vector<Published> published;  ///< in `to_upstream`; only with Session::report_publishes
    Bytes to_upstream;
    Bytes to_device;
    bool is_open = false;                   ///< the broker has just let the device in
    std::vector<std::string> subscribed;    ///< filters, by policy and limits
    std::vector<std::string> unsubscribed;  ///< likewise
    LimitsMet limits_met;
    std::vector<ProvisioningRequest> requests;
    bool is_secret = false;      ///< `to_device` holds a private key: wipe it once it is sent
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
        // AWS IoT's own limits a connection, "AWS IoT Core endpoints and quotas".
        std::size_t max_subscriptions = 50;
        std::size_t max_filters_a_packet = 8;
        std::size_t max_client_id_bytes = 128;
        std::size_t max_topic_bytes = 256;
        std::size_t max_topic_levels = 8;
        std::size_t max_inflight = 100;  ///< QoS 1 publishes that the broker has not acknowledged
    };

    Session(Limits limits, Instant now)
        : limits_(limits),
          device_reader_(limits.max_packet_bytes),
          upstream_reader_(limits.max_upstream_packet_bytes),
          last_heard_(now),
          last_upstream_(now),
          now_(now) {}

    /// From now on Actions::published tells what the device publishes, or no more.
    void report_publishes(bool is_wanted) { reports_publishes_ = is_wanted; }
    Actions from_device(ByteView bytes, Instant now);
    Actions from_upstream(ByteView bytes);
    /// The device may go on; packets that came with its CONNECT are looked at now.
    /// @pre Actions::admit was given
    Actions admitted(Authorizer authorize);
    /// Likewise, but the broker cannot be reached: the device may provision, and is told of the
    /// loss as soon as it wants anything else.
    /// @pre Actions::admit was given
    Actions admitted_alone(Authorizer authorize);
    /// The outcome of an Actions::requests entry.
    /// @param correlation  of that entry
    Actions answered(const flows::TopicReply& reply, ByteView correlation = {});
    Actions device_closed();
    Actions upstream_closed(std::string_view detail);
    /// Enforces keep-alive on the device's side and keeps the broker's side alive. To be called
    /// about once a second or more.
    Actions tick(Instant now);
    /// The device could not be heard because nobody read: its keep-alive time starts again.
    void hold_keep_alive(Instant now);
    /// Ends the session for a reason from outside. With MQTT 5 the device is told.
    Actions end(CloseCause cause, std::string detail);

    /// false while bytes from the device would only pile up: its CONNECT is being decided.
    /// Or the broker is behind with its acknowledgements.
    bool reads_device() const {
        return state_ == State::AwaitingConnect ||
               (state_ == State::Open && inflight_ < limits_.max_inflight);
    }
    bool has_connect() const { return state_ != State::AwaitingConnect; }
    bool awaits_upstream() const { return state_ == State::Connecting; }
    bool is_closed() const { return state_ == State::Closed; }
    /// The device's CONNECT; all empty before it came.
    const mqtt::Connect& connect() const { return connect_; }
    /// Will the broker keep the session when this connection ends (iot:ConnectAttributes)?
    bool is_persistent() const;

  private:
    enum class State { AwaitingConnect, Admitting, Connecting, Open, Closed };
    /// An answer of the broker's that gets the codes of what we answered ourselves put in.
    struct PendingCodes {
        Bytes codes;                             // in the order of the device's packet
        std::vector<std::size_t> from_upstream;  // places that the broker's packet fills
    };
    using PendingById = std::map<std::uint16_t, PendingCodes>;

    void process_device();
    void device_packet(const mqtt::Packet& packet);
    void connect_packet(const mqtt::Packet& packet);
    bool is_connect_supported();
    std::optional<std::string> will_refusal() const;
    void publish_packet(const mqtt::Packet& packet);
    void deny_publish(const mqtt::Publish& publish, CloseCause cause, std::string detail);
    void provisioning_request(const mqtt::Publish& publish);
    void subscribe_packet(const mqtt::Packet& packet);
    std::optional<std::uint8_t> subscription_refusal(const mqtt::Subscription& subscription,
                                                     std::size_t place);
    void unsubscribe_packet(const mqtt::Packet& packet);
    void puback_packet(const mqtt::Packet& packet);
    void disconnect_packet(const mqtt::Packet& packet);
    void upstream_packet(const mqtt::Packet& packet);
    void upstream_connack(const mqtt::Packet& packet);
    void begin(mqtt::Connack connack);
    void upstream_publish(const mqtt::Packet& packet);
    void upstream_puback(const mqtt::Packet& packet);
    void upstream_codes(const mqtt::Packet& packet, PendingById& pending);
    void upstream_disconnect(const mqtt::Packet& packet);
    void upstream_pingresp(const mqtt::Packet& packet);

    bool allows(policy::Action action, std::string_view name);
    bool is_v5() const { return connect_.level == mqtt::kLevel5; }
    void subscribe_locally(const mqtt::Subscription& subscription, ByteView properties);
    bool add_subscription(std::string_view filter);
    std::optional<std::uint8_t> local_qos(std::string_view topic) const;
    bool is_over_topic_limits(std::string_view name) const;
    bool is_over_filter_limits(std::string_view filter) const;
    std::uint16_t take_packet_id();
    std::chrono::seconds upstream_keep_alive() const;
    void close(CloseCause cause, std::string detail);
    void close(CloseCause cause, std::string detail, std::uint8_t reason_code);
    void close_upstream_malformed(std::string_view detail);
    void close_alone(std::string_view wish);
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
    Bytes local_identifier_;  // MQTT 5: the subscription identifier of the last of them, if any
    std::vector<std::size_t> subscriptions_;  // hashes of all filters that count
    PendingById pending_subacks_;
    PendingById pending_unsubacks_;
    /// Packet ids of deliveries to the device that it has not acknowledged yet, high range only:
    /// ours and the broker's.
    std::set<std::uint16_t> own_ids_;
    std::set<std::uint16_t> upstream_ids_;
    std::size_t most_own_ids_ = 256;  // MQTT 5: our share of the device's receive maximum
    std::size_t own_pings_ = 0;       // PINGREQs of ours that the broker has not answered
    std::size_t inflight_ = 0;        // QoS 1 publishes of the device without PUBACK
    bool reports_publishes_ = false;
    bool is_alone_ = false;    // without a broker
    bool is_resumed_ = false;  // the broker had this session; our part of it is forgotten
    std::chrono::seconds keep_alive_{0};
    Instant last_heard_;
    Instant last_upstream_;
    Instant now_;
};

}  // namespace hatchery::gateway
