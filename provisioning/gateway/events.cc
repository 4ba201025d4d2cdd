#include "provisioning/gateway/events.h"

#include "ca/digest.h"
#include "provisioning/gateway/io.h"
#include "provisioning/gateway/log.h"
#include "provisioning/gateway/mqtt.h"

#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/write.hpp>
#include <spdlog/logger.h>

#include <array>
#include <deque>

namespace hatchery::gateway {
namespace {

constexpr std::size_t kMaxWaiting = 1000;
constexpr std::size_t kMaxPacket = 64 * 1024;
constexpr std::chrono::milliseconds kConnectTimeout{10'000};
constexpr std::chrono::milliseconds kAnswerTimeout{10'000};
constexpr std::chrono::milliseconds kFirstBackoff{100};
constexpr std::chrono::milliseconds kLastBackoff{5'000};

/// The state lives with the coroutine: whoever of publisher and coroutine ends last frees it.
class Sender : public std::enable_shared_from_this<Sender> {
  public:
    Sender(asio::io_context& io, UpstreamAddress upstream)
        : io_(io),
          upstream_(std::move(upstream)),
          changed_(io.get_executor()),
          client_id_("hatchery-" + to_hex(ca::random_bytes(8))) {}

    void start() {
        asio::co_spawn(
            io_, [self = shared_from_this()] { return self->run(); }, asio::detached);
    }
    void publish(std::vector<flows::Event> events) {
        asio::post(io_, [self = shared_from_this(), events = std::move(events)]() mutable {
            self->enqueue(std::move(events));
        });
    }
    void stop() {
        asio::post(io_, [self = shared_from_this()] {
            self->is_stopping_ = true;
            self->changed_.notify();
        });
    }

  private:
    void enqueue(std::vector<flows::Event> events) {
        for (auto& event : events) {
            if (waiting_.size() >= kMaxWaiting) {
                log().error(
                    "event_dropped topic={} waiting={}", log_value(event.topic), kMaxWaiting);
                continue;
            }
            waiting_.push_back(std::move(event));
        }
        changed_.notify();
    }

    asio::awaitable<void> run() {
        auto backoff = kFirstBackoff;
        for (;;) {
            while (waiting_.empty() && !is_stopping_)
                co_await changed_.wait();
            if (waiting_.empty()) break;
            Result<> sent = co_await send_first();
            if (sent) {
                waiting_.pop_front();
                backoff = kFirstBackoff;
                continue;
            }
            socket_.reset();
            if (is_stopping_) break;
            log().warn("event_delayed topic={} reason={}",
                       log_value(waiting_.front().topic),
                       log_value(sent.error().message));
            asio::steady_timer pause(io_, backoff);
            co_await pause.async_wait(asio::use_awaitable);
            backoff = std::min(backoff * 2, kLastBackoff);
        }
        for (const auto& event : waiting_)
            log().error("event_lost topic={}", log_value(event.topic));
        socket_.reset();
    }

    asio::awaitable<Result<>> send_first() {
        if (!socket_) {
            Result<> connected = co_await connect();
            if (!connected) co_return connected;
        }
        const Deadline deadline(io_.get_executor(), kAnswerTimeout, socket_);
        const flows::Event& event = waiting_.front();
        mqtt::Publish publish;
        publish.topic = event.topic;
        publish.qos = 1;
        publish.packet_id = 1;  // one at a time
        publish.payload = bytes_of(event.payload);
        const Bytes packet = mqtt::encode_publish(publish);
        Result<> written = co_await write(packet);
        if (!written) co_return written;
        co_return co_await expect(mqtt::PacketType::Puback);
    }

    asio::awaitable<Result<>> connect() {
        Result<UpstreamSocket> socket = co_await connect_upstream(upstream_, kConnectTimeout);
        if (!socket) co_return std::move(socket).error();
        socket_ = std::make_shared<UpstreamSocket>(std::move(*socket));
        reader_ = mqtt::PacketReader(kMaxPacket);
        const Deadline deadline(io_.get_executor(), kAnswerTimeout, socket_);
        mqtt::Connect connect;
        connect.client_id = client_id_;
        const Bytes packet = mqtt::encode_connect(connect);
        Result<> written = co_await write(packet);
        if (!written) co_return written;
        co_return co_await expect(mqtt::PacketType::Connack);
    }

    asio::awaitable<Result<>> write(const Bytes& packet) {
        asio::error_code error;
        co_await asio::async_write(
            *socket_, asio::buffer(packet), asio::redirect_error(asio::use_awaitable, error));
        if (error) co_return fail(Code::Unavailable, "upstream broker: " + error.message());
        co_return Result<>{};
    }

    /// Reads until a packet of `type` came; nothing else is ever sent to us.
    asio::awaitable<Result<>> expect(mqtt::PacketType type) {
        std::array<std::uint8_t, 512> chunk{};
        for (;;) {
            auto packet = reader_.next();
            if (!packet) co_return std::move(packet).error();
            if (*packet) {
                const bool is_refusal = type == mqtt::PacketType::Connack &&
                                        ((*packet)->body.size() != 2 || (*packet)->body[1] != 0);
                if ((*packet)->type != type || is_refusal) {
                    co_return fail(
                        Code::Unavailable,
                        "upstream broker: no positive " + std::string(mqtt::to_string(type)));
                }
                co_return Result<>{};
            }
            asio::error_code error;
            const std::size_t count = co_await socket_->async_read_some(
                asio::buffer(chunk), asio::redirect_error(asio::use_awaitable, error));
            if (error) co_return fail(Code::Unavailable, "upstream broker: " + error.message());
            reader_.append(ByteView(chunk).first(count));
        }
    }

    asio::io_context& io_;
    UpstreamAddress upstream_;
    Signal changed_;
    std::string client_id_;
    std::deque<flows::Event> waiting_;
    std::shared_ptr<UpstreamSocket> socket_;
    mqtt::PacketReader reader_{kMaxPacket};
    bool is_stopping_ = false;
};

class Publisher : public EventPublisher {
  public:
    explicit Publisher(std::shared_ptr<Sender> sender) : sender_(std::move(sender)) {}
    void publish(std::vector<flows::Event> events) override {
        if (!events.empty()) sender_->publish(std::move(events));
    }
    void stop() override { sender_->stop(); }

  private:
    std::shared_ptr<Sender> sender_;
};

}  // namespace

std::unique_ptr<EventPublisher> EventPublisher::make(asio::io_context& io,
                                                     UpstreamAddress upstream) {
    auto sender = std::make_shared<Sender>(io, std::move(upstream));
    sender->start();
    return std::make_unique<Publisher>(std::move(sender));
}

}  // namespace hatchery::gateway
