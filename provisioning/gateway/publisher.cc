#include "provisioning/gateway/publisher.h"

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

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>

namespace hatchery::gateway {
namespace {

constexpr std::size_t kMaxWaiting = 65'536;
constexpr std::size_t kMaxWaitingBytes = std::size_t{64} * 1024 * 1024;  // devices choose some
constexpr std::size_t kMaxOnTheWay = 128;  // QoS 1 messages without acknowledgement
constexpr std::size_t kMaxBatchBytes = std::size_t{256} * 1024;
constexpr int kMostTries = 5;  // of a message over which the broker ends the connection
constexpr std::uint64_t kDroppedALine = 1000;  // of the log
constexpr std::size_t kMaxPacket = 64 * 1024;
constexpr std::chrono::milliseconds kConnectTimeout{10'000};
constexpr std::chrono::milliseconds kAnswerTimeout{10'000};
constexpr std::chrono::milliseconds kFirstBackoff{100};
constexpr std::chrono::milliseconds kLastBackoff{5'000};
// What nobody waits for goes with whatever else is said in this time: in a storm of connects one
// write and one acknowledgement to read for many events.
constexpr std::chrono::milliseconds kGather{10};

/// The state lives with the coroutine: whoever of publisher and coroutine ends last frees it.
class Sender : public std::enable_shared_from_this<Sender> {
  public:
    Sender(asio::io_context& io, UpstreamAddress upstream)
        : io_(io),
          upstream_(std::move(upstream)),
          changed_(io.get_executor()),
          gather_(io),
          client_id_("hatchery-" + to_hex(ca::random_bytes(8))) {}

    void start() {
        asio::co_spawn(
            io_, [self = shared_from_this()] { return self->run(); }, asio::detached);
    }
    void publish(flows::Event event, flows::Messages::Done done) {
        const bool is_awaited = static_cast<bool>(done);
        {
            const std::lock_guard lock(mutex_);
            said_.push_back({std::move(event), std::move(done)});
            // otherwise somebody has posted what will take this message too
            if (said_.size() > 1 && !is_awaited) return;
        }
        asio::post(io_, [self = shared_from_this(), is_awaited] {
            if (is_awaited) return self->take_said();
            self->gather_.expires_after(kGather);
            self->gather_.async_wait([self](asio::error_code) { self->take_said(); });
        });
    }
    void stop() {
        asio::post(io_, [self = shared_from_this()] {
            self->take_said();
            self->is_stopping_ = true;
            self->changed_.notify();
        });
    }

  private:
    struct Message {
        flows::Event event;
        flows::Messages::Done done;
        std::uint16_t packet_id = 0;
        int tries = 0;

        std::size_t bytes() const { return event.topic.size() + event.payload.size(); }
        void end(Result<> outcome) const {
            if (done) done(std::move(outcome));
        }
    };

    void take_said() {
        std::vector<Message> said;
        {
            const std::lock_guard lock(mutex_);
            said.swap(said_);
        }
        for (auto& message : said)
            enqueue(std::move(message));
    }

    void enqueue(Message message) {
        const bool is_full = waiting_.size() >= kMaxWaiting || waiting_bytes_ >= kMaxWaitingBytes;
        if (is_full || has_ended_) {
            message.end(fail(Code::Unavailable, "too many messages wait for the broker"));
            if (++dropped_ % kDroppedALine == 1) {
                log().error("event_dropped topic={} waiting={} so_far={}",
                            log_value(message.event.topic),
                            waiting_.size(),
                            dropped_);
            }
            return;
        }
        if (is_backing_off_ && message.done) {
            return message.end(fail(Code::Unavailable, "the broker cannot be reached"));
        }
        waiting_bytes_ += message.bytes();
        waiting_.push_back(std::move(message));
        changed_.notify();
    }

    asio::awaitable<void> run() {
        auto backoff = kFirstBackoff;
        for (;;) {
            while (waiting_.empty() && on_the_way_.empty() && !is_stopping_)
                co_await changed_.wait();
            if (waiting_.empty() && on_the_way_.empty()) break;
            Result<> sent = co_await send_and_hear();
            if (sent) {
                backoff = kFirstBackoff;
                continue;
            }
            socket_.reset();
            take_back();
            if (is_stopping_) break;
            log().warn("event_delayed waiting={} reason={}",
                       waiting_.size(),
                       log_value(sent.error().message));
            answer_those_who_wait(sent.error());
            is_backing_off_ = true;
            asio::steady_timer pause(io_, backoff);
            co_await pause.async_wait(asio::use_awaitable);
            is_backing_off_ = false;
            backoff = std::min(backoff * 2, kLastBackoff);
        }
        has_ended_ = true;
        for (const auto& message : waiting_) {
            log().error("event_lost topic={}", log_value(message.event.topic));
            message.end(fail(Code::Unavailable, "the service stops"));
        }
        waiting_.clear();
        socket_.reset();
    }

    /// What the last connection took without an acknowledgement comes first on the next.
    void take_back() {
        // The broker takes them in order: if it ends the connection over one, it is mostly this.
        const bool is_poison = !on_the_way_.empty() && ++on_the_way_.front().tries >= kMostTries;
        if (is_poison) {
            const Message message = std::move(on_the_way_.front());
            on_the_way_.pop_front();
            log().error("event_refused topic={}", log_value(message.event.topic));
            message.end(fail(Code::InvalidRequest, "the broker does not take the message"));
        }
        while (!on_the_way_.empty()) {
            wait_again(std::move(on_the_way_.back()));
            on_the_way_.pop_back();
        }
    }

    void wait_again(Message message) {
        waiting_bytes_ += message.bytes();
        waiting_.push_front(std::move(message));
    }

    /// Threads of other fronts wait for these: they are told now, and try again if they like.
    void answer_those_who_wait(const Error& why) {
        std::erase_if(waiting_, [&](const Message& message) {
            if (!message.done) return false;
            message.end(why);
            waiting_bytes_ -= message.bytes();
            return true;
        });
    }

    /// One write of what may be sent, then, if an acknowledgement is due, one read.
    asio::awaitable<Result<>> send_and_hear() {
        if (!socket_) {
            Result<> connected = co_await connect();
            if (!connected) co_return connected;
        }
        const Deadline deadline(io_.get_executor(), kAnswerTimeout, socket_);
        std::vector<Message> written;  // QoS 0: done once they are
        const Bytes batch = next_batch(written);
        Result<> done = co_await write(batch);
        if (!done) {
            for (auto message = written.rbegin(); message != written.rend(); ++message)
                wait_again(std::move(*message));
            co_return done;
        }
        for (const auto& message : written)
            message.end({});
        if (on_the_way_.empty()) co_return Result<>{};
        co_return co_await hear();
    }

    Bytes next_batch(std::vector<Message>& written) {
        Bytes batch;
        while (!waiting_.empty() && on_the_way_.size() < kMaxOnTheWay &&
               batch.size() < kMaxBatchBytes) {
            Message message = std::move(waiting_.front());
            waiting_.pop_front();
            waiting_bytes_ -= message.bytes();
            const bool is_acknowledged = message.event.qos > 0;
            message.packet_id = is_acknowledged ? take_packet_id() : std::uint16_t{0};
            mqtt::Publish publish;
            publish.topic = message.event.topic;
            publish.qos = is_acknowledged ? 1 : 0;
            publish.packet_id = message.packet_id;
            publish.retain = message.event.retain;
            publish.payload = bytes_of(message.event.payload);
            const Bytes packet = mqtt::encode_publish(publish);
            batch.insert(batch.end(), packet.begin(), packet.end());
            (is_acknowledged ? on_the_way_.emplace_back() : written.emplace_back()) =
                std::move(message);
        }
        return batch;
    }

    std::uint16_t take_packet_id() {
        do {
            ++last_packet_id_;
        } while (last_packet_id_ == 0 || find_on_the_way(last_packet_id_) != on_the_way_.end());
        return last_packet_id_;
    }

    std::deque<Message>::iterator find_on_the_way(std::uint16_t packet_id) {
        return std::find_if(on_the_way_.begin(), on_the_way_.end(), [&](const Message& message) {
            return message.packet_id == packet_id;
        });
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
        while (written) {
            auto answer = reader_.next();
            if (!answer) co_return std::move(answer).error();
            if (*answer) {
                const mqtt::Packet& connack = **answer;
                const bool is_positive = connack.type == mqtt::PacketType::Connack &&
                                         connack.body.size() == 2 && connack.body[1] == 0;
                if (is_positive) break;
                co_return fail(Code::Unavailable, "upstream broker: no positive CONNACK");
            }
            written = co_await read_some();
        }
        co_return written;
    }

    asio::awaitable<Result<>> write(const Bytes& packet) {
        if (packet.empty()) co_return Result<>{};
        asio::error_code error;
        co_await asio::async_write(
            *socket_, asio::buffer(packet), asio::redirect_error(asio::use_awaitable, error));
        if (error) co_return fail(Code::Unavailable, "upstream broker: " + error.message());
        co_return Result<>{};
    }

    asio::awaitable<Result<>> read_some() {
        asio::error_code error;
        const std::size_t count = co_await socket_->async_read_some(
            asio::buffer(chunk_), asio::redirect_error(asio::use_awaitable, error));
        if (error) co_return fail(Code::Unavailable, "upstream broker: " + error.message());
        reader_.append(ByteView(chunk_).first(count));
        co_return Result<>{};
    }

    /// In whatever order: MQTT 3.1.1, 4.6, wants that of the messages, and RabbitMQ has its own.
    asio::awaitable<Result<>> hear() {
        Result<> heard = co_await read_some();
        if (!heard) co_return heard;
        for (;;) {
            auto packet = reader_.next();
            if (!packet) co_return std::move(packet).error();
            if (!*packet) co_return Result<>{};
            const auto packet_id = (*packet)->type == mqtt::PacketType::Puback
                                       ? mqtt::parse_packet_id(**packet, mqtt::kLevel311)
                                       : Result<std::uint16_t>(std::uint16_t{0});
            const auto acknowledged = find_on_the_way(packet_id.value_or(0));
            if (acknowledged == on_the_way_.end()) {
                co_return fail(Code::Unavailable, "upstream broker: no PUBACK of what was sent");
            }
            acknowledged->end({});
            on_the_way_.erase(acknowledged);
        }
    }

    asio::io_context& io_;
    UpstreamAddress upstream_;
    Signal changed_;
    asio::steady_timer gather_;
    std::mutex mutex_;           // guards said_
    std::vector<Message> said_;  // by other threads, and not taken yet
    std::string client_id_;
    std::deque<Message> waiting_;
    std::size_t waiting_bytes_ = 0;  // of the messages in waiting_
    std::deque<Message> on_the_way_;
    std::uint16_t last_packet_id_ = 0;
    std::shared_ptr<UpstreamSocket> socket_;
    mqtt::PacketReader reader_{kMaxPacket};
    std::array<std::uint8_t, 4096> chunk_{};
    std::uint64_t dropped_ = 0;
    bool is_backing_off_ = false;
    bool is_stopping_ = false;
    bool has_ended_ = false;
};

class BrokerPublisher : public Publisher {
  public:
    explicit BrokerPublisher(std::shared_ptr<Sender> sender) : sender_(std::move(sender)) {}
    void publish(flows::Event event, Done done) override {
        sender_->publish(std::move(event), std::move(done));
    }
    void stop() override { sender_->stop(); }

  private:
    std::shared_ptr<Sender> sender_;
};

}  // namespace

std::unique_ptr<Publisher> Publisher::make(asio::io_context& io, UpstreamAddress upstream) {
    auto sender = std::make_shared<Sender>(io, std::move(upstream));
    sender->start();
    return std::make_unique<BrokerPublisher>(std::move(sender));
}

}  // namespace hatchery::gateway
