#include "hooks/command.h"

#include "ca/digest.h"
#include "hooks/answer.h"
#include "hooks/line.h"
#include "provisioning/log/log.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

namespace hatchery::hooks {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxWorkers = 64;
constexpr int kMaxQueue = 10'000;  // each that waits keeps a thread
constexpr int kNormalWorkers = 2;
/// A worker that fails at once would otherwise be started as fast as devices ask.
constexpr std::chrono::milliseconds kFirstBackOff{100};
constexpr std::chrono::milliseconds kMaxBackOff{1000};
/// Answers to other requests that a request steps over before its worker is ended.
constexpr int kMaxForeignAnswers = 16;

/// A place for one worker, which may be running or have to be started.
struct Slot {
    std::unique_ptr<Worker> worker;
    int failures = 0;  ///< in a row
    Deadline not_before{};
};

/// The free slots, given out in the order of asking. Each asker holds a slot of its own; the mutex
/// guards only the line and the list.
class Pool {
  public:
    Pool(int workers, int queue) : line_(queue), free_(static_cast<std::size_t>(workers)) {}
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
        std::optional<Slot> slot;
        const auto take_best = [&] { return (slot = best(Clock::now())).has_value(); };
        const auto retry_at = [&] {
            auto soonest = deadline;
            for (const auto& one : free_)
                soonest = std::min(soonest, one.not_before);
            return soonest;
        };
        auto outcome = line_.wait(lock, deadline, take_best, retry_at);
        if (!outcome) return std::move(outcome).error();
        if (*outcome == Line::Outcome::Taken) return *std::move(slot);
        const bool is_failing = *outcome == Line::Outcome::TooLate && !free_.empty();
        return fail(Code::Unavailable,
                    is_failing ? "the workers keep failing, waiting to start another"
                               : "no worker was free in time");
    }

    void give_back(Slot slot) {
        const std::lock_guard lock(mutex_);
        free_.push_back(std::move(slot));
        line_.wake_first();
    }

  private:
    std::optional<Slot> best(Deadline now) {
        auto found = std::find_if(
            free_.begin(), free_.end(), [](const Slot& slot) { return slot.worker != nullptr; });
        if (found == free_.end()) {
            found = std::find_if(free_.begin(), free_.end(), [&](const Slot& slot) {
                return slot.not_before <= now;
            });
        }
        if (found == free_.end()) return std::nullopt;
        Slot slot = std::move(*found);
        free_.erase(found);
        return slot;
    }

    std::mutex mutex_;
    Line line_;
    std::vector<Slot> free_;
};

class WorkerPool : public Hook {
  public:
    explicit WorkerPool(WorkerPoolConfig config)
        : config_(std::move(config)), pool_(config_.workers, config_.queue) {}

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
        // A worker that died or spoke since its last request did so to nobody's harm.
        if (slot.worker && !slot.worker->is_idle()) slot.worker.reset();
        if (!slot.worker) {
            auto started = Worker::start(config_.name, config_.program);
            if (!started) {
                back_off(slot);
                return std::move(started).error();
            }
            slot.worker = *std::move(started);
        }
        bool is_in_step = true;
        auto decision = exchange(*slot.worker, event, deadline, is_in_step);
        if (is_in_step) {
            slot.failures = 0;
            return decision;
        }
        slot.worker.reset();
        // A worker that hung has used up its time already; others must not wait longer for it.
        if (!decision && Clock::now() < deadline) back_off(slot);
        return decision;
    }

    /// One request and its answer, found by the request's id.
    /// @param is_in_step  set to false if the worker must not be asked again
    Result<HookDecision> exchange(Worker& worker,
                                  const HookEvent& event,
                                  Deadline deadline,
                                  bool& is_in_step) const {
        const std::string id = ca::random_uuid();
        is_in_step = false;
        if (auto sent = worker.send(line_of(event, id, deadline), deadline); !sent) {
            return std::move(sent).error();
        }
        for (int foreign = 0; foreign <= kMaxForeignAnswers; ++foreign) {
            auto line = worker.receive(deadline);
            if (!line) return std::move(line).error();
            auto answer = parse_worker_answer(*line);
            if (!answer) return std::move(answer).error();
            if (answer->request_id == id) {
                is_in_step = foreign == 0 && !worker.has_more();
                if (contradicts(worker.take_lines(), id)) {
                    return fail(Code::InvalidRequest, "expected one line, found more behind it");
                }
                return std::move(answer->decision);
            }
            if (!answer->request_id) {
                return fail(Code::InvalidRequest,
                            "expected the answer to repeat the request's requestId",
                            "/requestId");
            }
            logger("hooks")->warn("worker_answered_another_request hook={} pid={} request={}",
                                  config_.name,
                                  worker.pid(),
                                  log_value(*answer->request_id));
        }
        return fail(Code::InvalidRequest, "the worker keeps answering other requests");
    }

    /// Is there a second answer to the request, or one that does not say to which? Late answers to
    /// others, of a process that it forked perhaps, are none.
    static bool contradicts(const std::vector<std::string>& lines, const std::string& id) {
        return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
            const auto answer = parse_worker_answer(line);
            return !answer || !answer->request_id || *answer->request_id == id;
        });
    }

    std::string line_of(const HookEvent& event, const std::string& id, Deadline deadline) const {
        if (!config_.is_lambda) return event_line(event, id);
        const auto left = std::chrono::floor<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        return lambda_line(event, id, std::max(left, std::chrono::milliseconds(0)));
    }

    /// The first failure costs nothing: one crash of a long-lived worker is made good at once.
    static void back_off(Slot& slot) {
        if (slot.failures > 0) {
            const auto wait = kFirstBackOff * (1 << std::min(slot.failures - 1, 4));
            slot.not_before = Clock::now() + std::min<Clock::duration>(wait, kMaxBackOff);
        }
        ++slot.failures;
    }

    WorkerPoolConfig config_;
    Pool pool_;
};

}  // namespace

std::unique_ptr<Hook> make_worker_pool(WorkerPoolConfig config) {
    return std::make_unique<WorkerPool>(std::move(config));
}

Result<> check_workers(const HookConfig& config) {
    if (config.workers < 0 || config.workers > kMaxWorkers) {
        return fail(Code::InvalidRequest,
                    "expected 1 to 64 workers, found " + std::to_string(config.workers),
                    "workers");
    }
    if (config.queue < 0 || config.queue > kMaxQueue) {
        return fail(Code::InvalidRequest,
                    "expected a queue of 0 to 10000, found " + std::to_string(config.queue),
                    "queue");
    }
    return {};
}

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
    if (auto checked = check_workers(config); !checked) return std::move(checked).error();
    return make_worker_pool({config.name,
                             {config.command, config.environment, AnswersOn::Stdout},
                             false,
                             workers_of(config, kNormalWorkers),
                             config.queue});
}

}  // namespace hatchery::hooks
