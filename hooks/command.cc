#include "hooks/command.h"

#include "hooks/worker.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace hatchery::hooks {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxWorkers = 64;
/// A worker that fails at once would otherwise be started as fast as devices ask.
constexpr std::chrono::milliseconds kFirstBackOff{100};
constexpr std::chrono::milliseconds kMaxBackOff{1000};

/// A place for one worker, which may be running or have to be started.
struct Slot {
    std::unique_ptr<Worker> worker;
    int failures = 0;  ///< in a row
    Deadline not_before{};
};

/// The free slots. Each asker holds a slot of its own; the mutex guards only the list.
class Pool {
  public:
    explicit Pool(int workers) : free_(static_cast<std::size_t>(workers)) {}
    ~Pool() {
        for (auto& slot : free_) {
            if (slot.worker) slot.worker->close_input();
        }
    }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    /// A slot with a worker, or one whose worker may be started now.
    Result<Slot> take(Deadline deadline) {
        std::unique_lock lock(mutex_);
        while (true) {
            const auto now = Clock::now();
            if (auto it = best(now); it != free_.end()) {
                Slot slot = std::move(*it);
                free_.erase(it);
                return slot;
            }
            if (now >= deadline) {
                return fail(Code::Unavailable,
                            free_.empty() ? "no worker was free in time"
                                          : "the workers keep failing, waiting to start another");
            }
            auto wake = deadline;
            for (const auto& slot : free_)
                wake = std::min(wake, slot.not_before);
            freed_.wait_until(lock, wake);
        }
    }

    void give_back(Slot slot) {
        {
            const std::lock_guard lock(mutex_);
            free_.push_back(std::move(slot));
        }
        freed_.notify_one();
    }

  private:
    std::vector<Slot>::iterator best(Deadline now) {
        const auto running = std::find_if(
            free_.begin(), free_.end(), [](const Slot& slot) { return slot.worker != nullptr; });
        if (running != free_.end()) return running;
        return std::find_if(
            free_.begin(), free_.end(), [&](const Slot& slot) { return slot.not_before <= now; });
    }

    std::mutex mutex_;
    std::condition_variable freed_;
    std::vector<Slot> free_;
};

class Command : public Hook {
  public:
    explicit Command(const HookConfig& config)
        : name_(config.name), argv_(config.command), pool_(config.workers) {}

    Result<HookDecision> decide(const HookEvent& event,
                                std::chrono::milliseconds timeout) override {
        const auto start = Clock::now();
        const auto deadline = start + timeout;
        // Who has waited too long gives up before it asks: a healthy worker that gets no time would
        // be ended for nothing, and a queue would end them all.
        auto slot = pool_.take(start + timeout * 9 / 10);
        if (!slot) return std::move(slot).error();
        auto decision = ask(*slot, event, deadline);
        pool_.give_back(*std::move(slot));
        return decision;
    }

  private:
    /// Leaves in `slot` a worker that is in step, or none.
    Result<HookDecision> ask(Slot& slot, const HookEvent& event, Deadline deadline) {
        if (!slot.worker) {
            auto started = Worker::start(name_, argv_);
            if (!started) {
                back_off(slot);
                return std::move(started).error();
            }
            slot.worker = *std::move(started);
        }
        auto answer = slot.worker->ask(to_json(event), deadline);
        if (!answer) {
            slot.worker.reset();
            // A worker that hung has used up its time already; others must not wait longer for it.
            if (Clock::now() < deadline) back_off(slot);
            return std::move(answer).error();
        }
        auto decision = parse_decision(*answer);
        const bool is_no_object = !decision && decision.error().where.empty();
        if (is_no_object) {
            slot.worker.reset();
            back_off(slot);
            return decision;
        }
        slot.failures = 0;
        return decision;
    }

    /// The first failure costs nothing: one crash of a long-lived worker is made good at once.
    static void back_off(Slot& slot) {
        if (slot.failures > 0) {
            const auto wait = kFirstBackOff * (1 << std::min(slot.failures - 1, 4));
            slot.not_before = Clock::now() + std::min<Clock::duration>(wait, kMaxBackOff);
        }
        ++slot.failures;
    }

    std::string name_;
    std::vector<std::string> argv_;
    Pool pool_;
};

}  // namespace

Result<std::unique_ptr<Hook>> make_command(const HookConfig& config) {
    if (config.command.empty() || config.command[0].empty()) {
        return fail(Code::InvalidRequest, "expected a program and its arguments", "command");
    }
    const std::string& program = config.command[0];
    const bool is_path = program.find('/') != std::string::npos;
    if (is_path && access(program.c_str(), X_OK) != 0) {
        return fail(
            Code::InvalidRequest, "expected an executable program, found " + program, "command");
    }
    if (config.workers < 1 || config.workers > kMaxWorkers) {
        return fail(Code::InvalidRequest,
                    "expected 1 to 64 workers, found " + std::to_string(config.workers),
                    "workers");
    }
    return std::unique_ptr<Hook>(std::make_unique<Command>(config));
}

}  // namespace hatchery::hooks
