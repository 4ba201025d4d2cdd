#include "provisioning/gateway/courier.h"

#include "provisioning/flows/messages.h"
#include "provisioning/gateway/io.h"
#include "provisioning/gateway/log.h"
#include "provisioning/registry/outgoing.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <spdlog/logger.h>

namespace hatchery::gateway {
namespace {

constexpr std::chrono::milliseconds kLook{200};
constexpr std::chrono::seconds kAfterAFailure{1};
constexpr int kMostAtOnce = 256;

using Outgoing = std::vector<registry::OutgoingMessage>;

/// The state lives with the coroutine.
class Round : public std::enable_shared_from_this<Round> {
  public:
    Round(asio::io_context& io,
          FlowThreads& threads,
          flows::Service& service,
          flows::Messages& messages)
        : io_(io),
          threads_(threads),
          service_(service),
          messages_(messages),
          changed_(io.get_executor()) {}

    void start() {
        asio::co_spawn(
            io_, [self = shared_from_this()] { return self->run(); }, asio::detached);
    }
    void stop() {
        asio::post(io_, [self = shared_from_this()] {
            self->is_stopping_ = true;
            if (self->timer_ != nullptr) self->timer_->cancel();
        });
    }

  private:
    asio::awaitable<void> run() {
        while (!is_stopping_) {
            auto waiting = co_await run_on(threads_, [this] { return look(); });
            if (waiting && !waiting->empty()) {
                const auto carried = co_await carry(*waiting);
                if (carried) continue;
                waiting = carried.error();
            }
            if (!waiting) {
                log().warn("outbox_delayed reason={}", log_value(to_string(waiting.error())));
            }
            co_await pause(waiting ? kLook : std::chrono::milliseconds(kAfterAFailure));
        }
    }

    Result<Outgoing> look() {
        return service_.store.read([&](store::Reader& reader) {
            return registry::outgoing_messages(reader, service_.settings.account, kMostAtOnce);
        });
    }

    asio::awaitable<Result<>> carry(const Outgoing& waiting) {
        missing_ = waiting.size();
        failed_ = {};
        for (const auto& message : waiting) {
            messages_.publish({message.topic, message.payload},
                              [self = shared_from_this()](Result<> outcome) {
                                  self->arrived(std::move(outcome));
                              });
        }
        while (missing_ > 0)
            co_await changed_.wait();
        if (!failed_) co_return failed_;
        const std::int64_t last = waiting.back().key;
        co_return co_await run_on(threads_, [this, last] {
            return service_.store.write(
                [&](store::Tx& tx) { return registry::forget_outgoing(tx, last); });
        });
    }

    /// On the publisher's thread, which is ours.
    void arrived(Result<> outcome) {
        --missing_;
        // What the broker does not take now it never will: it is lost, and logged.
        const bool is_lost = !outcome && outcome.error().code == Code::InvalidRequest;
        if (!outcome && !is_lost) failed_ = std::move(outcome);
        if (missing_ == 0) changed_.notify();
    }

    asio::awaitable<void> pause(std::chrono::milliseconds time) {
        if (is_stopping_) co_return;
        asio::steady_timer timer(io_, time);
        timer_ = &timer;
        asio::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        timer_ = nullptr;
    }

    asio::io_context& io_;
    FlowThreads& threads_;
    flows::Service& service_;
    flows::Messages& messages_;
    Signal changed_;
    asio::steady_timer* timer_ = nullptr;  // of the pause, if there is one
    std::size_t missing_ = 0;
    Result<> failed_;
    bool is_stopping_ = false;
};

class RunningCourier : public Courier {
  public:
    explicit RunningCourier(std::shared_ptr<Round> round) : round_(std::move(round)) {}
    void stop() override { round_->stop(); }

  private:
    std::shared_ptr<Round> round_;
};

}  // namespace

std::unique_ptr<Courier> Courier::make(asio::io_context& io,
                                       FlowThreads& threads,
                                       flows::Service& service,
                                       flows::Messages& messages) {
    auto round = std::make_shared<Round>(io, threads, service, messages);
    round->start();
    return std::make_unique<RunningCourier>(std::move(round));
}

}  // namespace hatchery::gateway
