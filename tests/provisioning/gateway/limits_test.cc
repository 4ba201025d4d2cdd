// The gateway's limits under attack: each is met, counted, and leaves connected devices alone.
#include "tests/provisioning/gateway/world.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

namespace hatchery::gateway {
namespace {

using mqtt::PacketType;

Bytes message(std::string_view topic, std::string_view payload, std::uint16_t id = 0) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.qos = id > 0 ? 1 : 0;
    packet.packet_id = id;
    packet.payload = bytes_of(payload);
    return mqtt::encode_publish(packet);
}

/// Waits until `counter` has reached `least`, a minute at most.
void await(const std::atomic<std::uint64_t>& counter, std::uint64_t least) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (counter < least && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_GE(counter.load(), least);
}

/// A publish with QoS 1 and its acknowledgement.
void expect_acknowledged(Device& device, const std::string& topic, std::uint16_t id) {
    device.send(message(topic, "x", id));
    const auto answer = device.receive();
    ASSERT_TRUE(answer) << "the connection has ended";
    EXPECT_EQ(answer->bytes, mqtt::encode_puback(id));
}

/// A TCP connection that says nothing.
class Mute {
  public:
    explicit Mute(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    ~Mute() { ::close(socket_); }
    Mute(const Mute&) = delete;
    Mute& operator=(const Mute&) = delete;

  private:
    int socket_;
};

TEST(Limits, EndADeviceThatDoesNotReadAndNoOther) {
    World world([](Options& options) {
        options.max_buffered_bytes = 64 * 1024;
        options.stall_timeout = std::chrono::seconds(1);
    });
    Device slow(world.port(), world.make_device("slow"), TlsChoices{"", {}, 0, 4096});
    Device quick(world.port(), world.make_device("quick"));
    ASSERT_EQ(slow.connect("slow"), 0);
    ASSERT_EQ(quick.connect("quick"), 0);
    slow.send(mqtt::encode_subscribe({1, {{"telemetry/slow", 0}}}));
    ASSERT_TRUE(slow.receive());
    std::ofstream(world.folder() / "large") << std::string(64 * 1024, 'x');
    const Ran flood =
        run("mosquitto_pub --unix " + world.socket() + " -t telemetry/slow --repeat 400 -f " +
            (world.folder() / "large").string());
    ASSERT_EQ(flood.exit_code, 0) << flood.output;
    expect_acknowledged(quick, "telemetry/quick", 1);
    await(world.counters().slow_readers, 1);
    while (slow.receive()) {  // what was on its way
    }
    expect_acknowledged(quick, "telemetry/quick", 2);
    EXPECT_EQ(world.counters().slow_readers, 1U);
}

TEST(Limits, KeepHalfOpenConnectionsFromStarvingOthers) {
    World world([](Options& options) {
        options.max_unauthenticated = 50;
        options.connect_timeout = std::chrono::seconds(1);
    });
    Device connected(world.port(), world.make_device("connected"));
    ASSERT_EQ(connected.connect("connected"), 0);
    std::vector<std::unique_ptr<Mute>> mute;
    for (int i = 0; i < 300; ++i)
        mute.push_back(std::make_unique<Mute>(world.port()));
    for (std::uint16_t id = 1; id <= 100; ++id)
        expect_acknowledged(connected, "telemetry/connected", id);
    Device late(world.port(), world.make_device("late"));  // its turn comes
    EXPECT_EQ(late.connect("late"), 0);
    EXPECT_GT(world.counters().accept_pauses, 0U);
    EXPECT_GT(world.counters().unauthenticated_timeouts, 0U);
}

TEST(Limits, KeepFloodsOfHandshakesAndStrangersFromStarvingConnectedDevices) {
    World world;
    Device connected(world.port(), world.make_device("connected"));
    ASSERT_EQ(connected.connect("connected"), 0);
    const Identity stranger = world.make_v1_device("stranger", 2048, false);
    std::atomic<bool> is_over = false;
    std::atomic<int> handshakes = 0;
    std::atomic<int> let_in = 0;
    std::vector<std::thread> flood;
    for (int i = 0; i < 4; ++i) {
        flood.emplace_back([&, is_silent = i % 2 == 0] {
            while (!is_over) {
                Device device(world.port(), stranger);
                ++handshakes;
                if (!is_silent && device.connect("stranger") == 0) ++let_in;
            }
        });
    }
    std::uint16_t id = 0;
    while (handshakes < 200 || id < 500)
        expect_acknowledged(connected, "telemetry/connected", ++id);
    is_over = true;
    for (auto& thread : flood)
        thread.join();
    EXPECT_EQ(let_in, 0);
    EXPECT_EQ(world.status_of(stranger), std::nullopt);
}

TEST(Limits, AreCountedPerConnectionToo) {
    World world([](Options& options) {
        options.max_packet_bytes = 4096;
        options.max_subscriptions = 2;
        options.max_topic_bytes = 32;
        options.max_topic_levels = 3;
        options.max_inflight = 4;
    });
    const Identity identity = world.make_device("sensor-1");
    Device device(world.port(), identity);
    ASSERT_EQ(device.connect("sensor-1"), 0);
    device.send(mqtt::encode_subscribe(
        {1, {{"telemetry/a", 0}, {"telemetry/b", 0}, {"telemetry/c", 0}, {"telemetry/a/b/c", 0}}}));
    const auto suback = device.receive();
    ASSERT_TRUE(suback);
    EXPECT_EQ(suback->bytes, mqtt::encode_suback({1, {0, 0, 0x80, 0x80}}));
    EXPECT_EQ(world.counters().subscriptions_over_limits, 1U);
    EXPECT_EQ(world.counters().topics_over_limits, 1U);
    Bytes burst;
    for (std::uint16_t id = 1; id <= 40; ++id) {
        const Bytes one = message("telemetry/sensor-1", "x", id);
        burst.insert(burst.end(), one.begin(), one.end());
    }
    device.send(burst);  // at once, and acknowledged all the same
    for (std::uint16_t id = 1; id <= 40; ++id) {
        const auto answer = device.receive();
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->bytes, mqtt::encode_puback(id));
    }
    EXPECT_GT(world.counters().inflight_pauses, 0U);
    device.send(message("telemetry/sensor-1/" + std::string(32, 'x'), "x"));
    EXPECT_TRUE(device.is_closed_by_server());
    EXPECT_EQ(world.counters().topics_over_limits, 2U);
    Device large(world.port(), identity);
    ASSERT_EQ(large.connect("sensor-1"), 0);
    large.send(message("telemetry/sensor-1", std::string(8192, 'x')));
    EXPECT_TRUE(large.is_closed_by_server());
    EXPECT_EQ(world.counters().packets_too_large, 1U);
}

}  // namespace
}  // namespace hatchery::gateway
