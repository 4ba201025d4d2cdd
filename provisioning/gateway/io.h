// What the coroutines of this box share: waking one another, running blocking work elsewhere,
// reaching the broker. Private, and the only header here that shows Asio: include it from .cc
// files.
#pragma once

#include "ca/base/bytes.h"
#include "provisioning/gateway/flow_threads.h"
#include "provisioning/gateway/upstream.h"
#include "provisioning/store/store.h"

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace hatchery::gateway {

/// Wakes every coroutine that waits for it. One thread; a wake-up without cause is possible, so
/// wait in a loop over the condition.
class Signal {
  public:
    explicit Signal(const asio::any_io_executor& executor)
        : timer_(executor, asio::steady_timer::time_point::max()) {}
    asio::awaitable<void> wait() {
        asio::error_code ignored;
        co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    void notify() { timer_.cancel(); }

  private:
    asio::steady_timer timer_;
};

/// Hands out turns to coroutines of one loop, one for each round of the loop: so many short pieces
/// of work, all ready at once, do not keep other work of the loop waiting. One thread.
class Turns {
  public:
    explicit Turns(asio::any_io_executor executor) : executor_(std::move(executor)) {}
    asio::awaitable<void> wait() {
        if (!is_taken_) {
            take();
            co_return;
        }
        auto enqueue = [this](auto handler) {
            waiting_.emplace_back([shared = std::make_shared<decltype(handler)>(
                                       std::move(handler))] { std::move (*shared)(); });
        };
        co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(enqueue,
                                                                              asio::use_awaitable);
    }

  private:
    /// This round's; the next one's is for who waits by then.
    void take() {
        is_taken_ = true;
        asio::post(executor_, [this] { begin_round(); });
    }
    void begin_round() {
        is_taken_ = false;
        if (waiting_.empty()) return;
        const auto next = std::move(waiting_.front());
        waiting_.pop_front();
        take();
        next();
    }

    asio::any_io_executor executor_;
    std::deque<std::function<void()>> waiting_;
    bool is_taken_ = false;
};

/// Runs `work` on one of `threads` while this coroutine's thread goes on with others; resumes
/// where it was called. `work` must not throw.
template <class F>
asio::awaitable<std::invoke_result_t<F&>> run_on(FlowThreads& threads, F work) {
    std::optional<std::invoke_result_t<F&>> result;
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto start = [&threads, &work, &result, executor](auto handler) {
        threads.post([&work,
                      &result,
                      executor,
                      // the event loop must not run out of work while only a flow is left
                      guard = asio::make_work_guard(executor),
                      handler = std::move(handler)]() mutable {
            result.emplace(work());
            asio::post(executor, std::move(handler));
        });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(start,
                                                                          asio::use_awaitable);
    co_return std::move(*result);
}

/// Writes to the store while this coroutine's thread goes on with others; resumes where it was
/// called. The loop must live until the store has answered.
template <class F>
asio::awaitable<Result<>> write_to(store::Store& store, F work, store::Store::Patience patience) {
    Result<> answer;
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto start = [&store, &work, &answer, patience, executor](auto handler) {
        auto resume = std::make_shared<decltype(handler)>(std::move(handler));
        store.write_async(
            std::move(work),
            [&answer, executor, guard = asio::make_work_guard(executor), resume](Result<> done) {
                answer = std::move(done);
                asio::post(executor, std::move(*resume));
            },
            patience);
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(start,
                                                                          asio::use_awaitable);
    co_return answer;
}

using UpstreamSocket = asio::generic::stream_protocol::socket;

/// Closes the socket when the time is over, unless it is told that all is well. Shares the socket,
/// since the timer's handler may be queued already when it is cancelled.
class Deadline {
  public:
    Deadline(const asio::any_io_executor& executor,
             std::chrono::milliseconds timeout,
             std::shared_ptr<UpstreamSocket> socket)
        : timer_(executor, timeout), met_(std::make_shared<bool>(false)) {
        timer_.async_wait([socket = std::move(socket), met = met_](asio::error_code) {
            asio::error_code ignored;
            if (!*met) socket->close(ignored);
        });
    }
    ~Deadline() { *met_ = true; }
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

  private:
    asio::steady_timer timer_;
    std::shared_ptr<bool> met_;
};

/// A connection to the broker, non-blocking, TCP_NODELAY. A full accept queue is waited out.
/// @errors Unavailable  not there, or not within `timeout`
asio::awaitable<Result<UpstreamSocket>> connect_upstream(UpstreamAddress address,
                                                         std::chrono::milliseconds timeout);

}  // namespace hatchery::gateway
