// A session whose device and broker are the test.
#pragma once

#include "provisioning/gateway/session.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace hatchery::gateway {

using mqtt::PacketType;
using policy::Action;
using std::chrono::seconds;

inline constexpr std::string_view kCreate = "$aws/certificates/create/json";
inline constexpr std::string_view kAccepted = "$aws/certificates/create/json/accepted";

template <std::size_t N>
std::string_view raw(const char (&text)[N]) {
    return {text, N - 1};
}

inline Bytes operator+(Bytes left, const Bytes& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

inline Bytes publish(std::string_view topic,
                     std::uint8_t qos,
                     std::uint16_t id,
                     bool retain = false) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.qos = qos;
    packet.packet_id = id;
    packet.retain = retain;
    packet.payload = bytes_of("data");
    return mqtt::encode_publish(packet);
}

/// A session and what its device may do; time stands still unless it is moved.
class SessionTest : public ::testing::Test {
  protected:
    Actions device(const Bytes& bytes) { return session.from_device(bytes, now); }
    Actions device(std::string_view bytes) { return session.from_device(bytes_of(bytes), now); }
    Actions upstream(const Bytes& bytes) { return session.from_upstream(bytes); }

    mqtt::Connect connect_packet() const {
        mqtt::Connect connect;
        connect.client_id = "dev";
        connect.keep_alive = 60;
        return connect;
    }
    Actions admit() {
        return session.admitted([this](Action action, std::string_view name) {
            asked.push_back(std::string(to_string(action)) + " " + std::string(name));
            return !denied.contains(asked.back());
        });
    }
    /// Up to the device's CONNACK.
    void open() { open(connect_packet()); }
    void open(const mqtt::Connect& connect) {
        ASSERT_TRUE(device(mqtt::encode_connect(connect)).admit);
        ASSERT_TRUE(admit().open_upstream);
        ASSERT_EQ(upstream(mqtt::encode_connack({})).to_device, mqtt::encode_connack({}));
        asked.clear();
    }
    void expect_closed(const Actions& actions, CloseCause cause, std::string_view detail) {
        ASSERT_TRUE(actions.close);
        EXPECT_EQ(to_string(actions.close->cause), to_string(cause));
        EXPECT_EQ(actions.close->detail, detail);
        EXPECT_TRUE(session.is_closed());
    }

    std::chrono::steady_clock::time_point now{std::chrono::hours(1)};
    std::set<std::string> denied;
    std::vector<std::string> asked;
    Session session{Session::Limits{}, now};
};

}  // namespace hatchery::gateway
