#include "provisioning/store/writer.h"

#include <algorithm>
#include <exception>
#include <iterator>

namespace hatchery::store {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostTaken = 32;      // jobs a look at the queue
constexpr std::size_t kEnoughCompany = 16;  // jobs whose patience is not needed any more

/// Runs the closure; an exception must not cross the writer's thread.
Result<> run_caught(const Store::Work& work, Tx& tx) {
    try {
        return work(tx);
    } catch (const std::exception& problem) {
        return fail(Code::Internal, std::string("a write threw: ") + problem.what());
    } catch (...) {
        return fail(Code::Internal, "a write threw");
    }
}

}  // namespace

Writer::Writer(std::unique_ptr<Connection> connection,
               std::unique_ptr<Connection> for_checkpoints,
               const Store::Options& options,
               std::atomic<std::uint64_t>& generation)
    : connection_(std::move(connection)),
      checkpointer_(std::move(for_checkpoints)),
      options_(options),
      generation_(generation),
      thread_([this] { loop(); }) {}

Writer::~Writer() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void Writer::submit(Work work, Done done, Store::Patience patience) {
    Job job{std::move(work), std::move(done), {}};
    const auto begin_at = patience.count() == 0 ? Clock::time_point{} : Clock::now() + patience;
    {
        std::lock_guard lock(mutex_);
        if (queue_.size() < options_.max_waiting) {
            queue_.push_back(std::move(job));
            const bool is_first = queue_.size() == 1;
            const bool is_sooner = is_first || begin_at < begin_at_;
            if (is_sooner) begin_at_ = begin_at;
            if (is_sooner || queue_.size() == kEnoughCompany) wake_.notify_one();
            return;
        }
    }
    job.outcome = fail(Code::Unavailable, "too many writes are waiting");
    answer(job);
}

Result<> Writer::submit_and_wait(Work work, Store::Patience patience) {
    if (std::this_thread::get_id() == thread_.get_id())
        return fail(Code::Internal, "a write called write: it would wait for itself");
    std::mutex mutex;
    std::condition_variable answered;
    std::optional<Result<>> outcome;
    submit(
        std::move(work),
        [&](Result<> result) {
            std::lock_guard lock(mutex);  // held while notifying: the waiter's stack outlives us
            outcome.emplace(std::move(result));
            answered.notify_one();
        },
        patience);
    std::unique_lock lock(mutex);
    answered.wait(lock, [&] { return outcome.has_value(); });
    return std::move(*outcome);
}

void Writer::loop() {
    while (wait_for_work())
        commit_group();
}

bool Writer::wait_for_work() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return stopping_ || !taken_.empty() || !queue_.empty(); });
    while (!stopping_ && taken_.empty() && queue_.size() < kEnoughCompany &&
           Clock::now() < begin_at_) {
        const auto until = begin_at_;  // which others may change while this waits
        wake_.wait_until(lock, until);
    }
    return !taken_.empty() || !queue_.empty();
}

bool Writer::take(Job& job) {
    if (taken_.empty()) {
        // Some at a time, so that those who submit seldom find the queue locked.
        std::lock_guard lock(mutex_);
        const auto end =
            queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), kMostTaken));
        std::move(queue_.begin(), end, std::back_inserter(taken_));
        queue_.erase(queue_.begin(), end);
    }
    if (taken_.empty()) return false;
    job = std::move(taken_.front());
    taken_.pop_front();
    return true;
}

std::vector<Writer::Job> Writer::take_all() {
    std::vector<Job> jobs;
    for (Job job; take(job);)
        jobs.push_back(std::move(job));
    return jobs;
}

/// One transaction for whatever waits: closures join it until there is none, the group is full, or
/// its time is up. They run without savepoints, which would copy every page that each of them
/// changes: a closure that fails has as a rule changed nothing yet.
void Writer::commit_group() {
    std::vector<Job> group;
    if (!begin(group)) return;
    const auto close_at = Clock::now() + options_.max_group_time;
    bool touched = false;
    Job job;
    while (group.size() < options_.max_group && take(job)) {
        const Left left = run_one(job, touched);
        group.push_back(std::move(job));
        if (left != Left::Whole) {
            connection_->rollback();
            const std::size_t last = group.size() - 1;
            if (left == Left::Lost || last == 0) {
                commit_one_by_one(std::move(group), last);
            } else {
                commit_again(std::move(group));
            }
            return;
        }
        if (Clock::now() >= close_at) break;
    }
    finish(group, touched);
}

/// A closure of this group changed something and failed: all of them again, each under a savepoint
/// of its own, so that any of them can be undone alone.
void Writer::commit_again(std::vector<Job> group) {
    if (!begin(group)) return;
    bool touched = false;
    for (std::size_t i = 0; i < group.size(); ++i) {
        if (run_undoable(group[i], touched)) continue;
        connection_->rollback();
        commit_one_by_one(std::move(group), i);
        return;
    }
    finish(group, touched);
}

/// The closure `lost` took the whole transaction with it (a full disk, an I/O error), and has its
/// error. The others did nothing wrong: each again in a transaction of its own, so that one that
/// always fails cannot take others with it.
void Writer::commit_one_by_one(std::vector<Job> jobs, std::size_t lost) {
    answer(jobs[lost]);
    jobs.erase(jobs.begin() + static_cast<std::ptrdiff_t>(lost));
    std::reverse(jobs.begin(), jobs.end());
    while (!jobs.empty()) {
        if (!begin(jobs)) return;
        std::vector<Job> group;
        group.push_back(std::move(jobs.back()));
        jobs.pop_back();
        bool touched = false;
        if (run_one(group.front(), touched) == Left::Whole) {
            finish(group, touched);
        } else {
            connection_->rollback();
            answer(group.front());
        }
    }
}

/// Begins the transaction. If it cannot, everybody in `group` and in the queue is told why: with
/// another process holding the lock, each would only wait as long again.
bool Writer::begin(std::vector<Job>& group) {
    auto began = broken_ ? Result<>(*broken_) : connection_->begin(Connection::Begin::Immediate);
    if (began) return true;
    for (Job& waiting : take_all())
        group.push_back(std::move(waiting));
    refuse(group, began.error());
    return false;
}

/// Runs one closure; says what it left of the transaction. The job holds its error.
Writer::Left Writer::run_one(Job& job, bool& touched) {
    const auto before = connection_->total_changes();
    Tx tx(*connection_);
    job.outcome = run_caught(job.work, tx);
    if (connection_->damage() != Damage::None) {
        if (job.outcome) {  // it overlooked the error; it is not durable all the same
            job.outcome = fail(Code::Unavailable, "database: the transaction was rolled back");
        }
        if (connection_->damage() == Damage::Disk) broken_ = job.outcome.error();
        return Left::Lost;
    }
    touched = touched || (job.outcome && tx.touches_identities_);
    const bool is_whole = job.outcome || connection_->total_changes() == before;
    return is_whole ? Left::Whole : Left::Spoiled;
}

/// Runs one closure under a savepoint. false: the whole transaction is gone; the job holds its
/// error.
bool Writer::run_undoable(Job& job, bool& touched) {
    if (auto saved = connection_->run("SAVEPOINT one"); !saved) {
        job.outcome = std::move(saved);
        return false;
    }
    const Left left = run_one(job, touched);
    if (left == Left::Lost) return false;
    auto closed =
        left == Left::Whole ? connection_->run("RELEASE one") : connection_->rollback_to("one");
    if (closed) return true;
    job.outcome = std::move(closed);
    return false;
}

/// In the transaction, so that other processes see the number change with what changed.
Result<> Writer::bump_generation() {
    auto row = connection_->prepare(
        "UPDATE store_state SET identity_generation = identity_generation + 1 "
        "RETURNING identity_generation");
    auto found = row.step();
    if (!found) return std::move(found).error();
    if (*found) next_generation_ = static_cast<std::uint64_t>(row.integer(0));
    return row.run();
}

/// Commits, and only then answers.
void Writer::finish(std::vector<Job>& group, bool touched) {
    Result<> committed;
    if (touched) committed = bump_generation();
    if (committed) committed = connection_->commit();
    if (!committed) {
        const bool passes = connection_->failure_passes();
        connection_->rollback();
        // After a failed fsync the kernel may have dropped the pages that it could not write, and
        // a second fsync would succeed over the hole: nothing may be built on that. A full disk is
        // no such case, it failed the write before any fsync, and the next commit overwrites it.
        if (!passes) {
            broken_ =
                fail(Code::Unavailable,
                     "a commit failed, nothing more is written until the store is reopened: " +
                         committed.error().message);
        }
        refuse(group, fail(Code::Unavailable, committed.error().message));
        return;
    }
    if (touched) {
        std::uint64_t seen = generation_.load();
        while (seen < next_generation_ &&
               !generation_.compare_exchange_weak(seen, next_generation_)) {
        }
    }
    for (Job& job : group)
        answer(job);
    keep_log_short();
}

void Writer::refuse(std::vector<Job>& group, const Error& error) {
    for (Job& job : group) {
        job.outcome = error;
        answer(job);
    }
}

/// The log starts anew with the commit after a pass that has moved all of it, and a pass beside
/// commits never has: once the log is long and little of it is left, its end is waited for. Once it
/// is too long, the disk is waited for, and then readers.
void Writer::keep_log_short() {
    const int frames = connection_->log_frames();
    const int many = options_.log_frames;
    if (frames < many) return;
    const bool is_long = frames >= 2 * many;
    const bool is_too_long = frames >= 8 * many;
    if (is_too_long) checkpointer_.wait_until_idle();
    const auto progress = checkpointer_.progress();
    if (progress.is_idle && !progress.failure) {
        const int left = frames - (progress.moved <= frames ? progress.moved : 0);
        const bool is_little = left <= many / 16;
        const bool waits = is_too_long || (is_long && left <= many / 2 && !is_little);
        if (waits || left >= many || (is_long && !is_little)) {
            checkpointer_.start(is_too_long && is_little ? Checkpointer::Readers::WaitFor
                                                         : Checkpointer::Readers::Leave);
        }
        if (waits) checkpointer_.wait_until_idle();
    }
    if (auto failure = checkpointer_.progress().failure) broken_ = std::move(failure);
}

void Writer::answer(Job& job) {
    try {
        job.done(std::move(job.outcome));
    } catch (...) {  // NOLINT(bugprone-empty-catch): its owner's fault, and the writer must live on
    }
    job = {};  // captures go now, not with the group
}

}  // namespace hatchery::store
