#include "provisioning/jobs/schedule.h"

#include "provisioning/jobs/device.h"
#include "provisioning/jobs/state.h"
#include "provisioning/registry/outgoing.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::jobs {

namespace {

using nlohmann::json;
using registry::Job;
using registry::JobExecution;
using registry::JobStatus;

constexpr int kPiece = 500;          // executions, things or notices in one commit
constexpr int kMostOutgoing = 2000;  // messages, before notices wait
constexpr std::chrono::seconds kMinute{60};

/// What a look at the store finds due.
struct Due {
    std::vector<std::int64_t> chores;
    std::vector<JobExecution> overdue;
    bool has_memberships = false;
    std::vector<Job> busy, scheduled;
};

Result<Due> find_due(store::Reader& reader, Time now) {
    Due due;
    auto chores = registry::jobs_with_chores(reader);
    if (!chores) return std::move(chores).error();
    due.chores = std::move(*chores);
    auto overdue = registry::overdue_executions(reader, now, kPiece);
    if (!overdue) return std::move(overdue).error();
    due.overdue = std::move(*overdue);
    auto memberships = registry::has_membership_changes(reader);
    if (!memberships) return std::move(memberships).error();
    due.has_memberships = *memberships;
    auto busy = registry::jobs_of_status(reader, JobStatus::InProgress);
    if (!busy) return std::move(busy).error();
    due.busy = std::move(*busy);
    auto scheduled = registry::jobs_of_status(reader, JobStatus::Scheduled);
    if (!scheduled) return std::move(scheduled).error();
    due.scheduled = std::move(*scheduled);
    return due;
}

Result<> time_out(store::Tx& tx, const JobExecution& seen, Time now) {
    auto execution = registry::find_execution(tx, seen.thing_name, seen.job_id, seen.number);
    if (!execution)
        return execution.error().code == Code::NotFound ? Result<>{} : execution.error();
    const auto is_over = [&](const std::optional<Time>& due) { return due && *due <= now; };
    const bool still = execution->status == ExecutionStatus::InProgress &&
                       (is_over(execution->progress_due) || is_over(execution->step_due));
    if (!still) return {};
    auto job = registry::find_job(tx, execution->job);
    if (!job) return std::move(job).error();
    return end_execution(tx, *job, std::move(*execution), ExecutionStatus::TimedOut, now);
}

Result<> begin_scheduled(const Context& context, const Job& seen, Time now) {
    return context.store.write([&](store::Tx& tx) -> Result<> {
        auto job = registry::find_job(tx, seen.key);
        if (!job) return std::move(job).error();
        if (job->status != JobStatus::Scheduled) return {};
        job->status = JobStatus::InProgress;
        job->chores |= registry::kPopulate;
        job->updated = now;
        return registry::save_job(tx, *job);
    });
}

Result<> cancel_at_end(const Context& context, const Job& job, EndBehavior behavior, Time now) {
    Cancellation cancellation;
    cancellation.reason_code = "END_TIME_REACHED";
    cancellation.force = behavior == EndBehavior::ForceCancel;
    return cancel_job(context, job.id, cancellation, now);
}

/// What is not rolled out is not any more.
Result<> stop_rollout(const Context& context, const Job& seen) {
    return context.store.write([&](store::Tx& tx) -> Result<> {
        auto job = registry::find_job(tx, seen.key);
        if (!job) return std::move(job).error();
        job->chores |= registry::kCancelWaiting;
        return registry::save_job(tx, *job);
    });
}

/// Executions that a job without rates has Waiting (it was scheduled) go at once, others by minute.
Result<> roll_out_in(store::Tx& tx,
                     std::int64_t key,
                     const Settings& settings,
                     const registry::ExecutionCounts& counts,
                     Time now) {
    if (!settings.rollout) {
        auto moved = registry::roll_out(tx, key, kPiece, now);
        if (!moved) return std::move(moved).error();
        return {};
    }
    auto job = registry::find_job(tx, key);
    if (!job) return std::move(job).error();
    if (now - job->rollout_minute >= kMinute) {
        job->rollout_minute = now;
        job->rollout_used = 0;
    }
    std::int64_t notified = 0;
    for (const auto count : counts)
        notified += count;
    notified -= counts[static_cast<std::size_t>(ExecutionStatus::Waiting)];
    const auto rate = rollout_rate(
        *settings.rollout, notified, counts[static_cast<std::size_t>(ExecutionStatus::Succeeded)]);
    if (rate <= job->rollout_used) return {};
    auto moved = registry::roll_out(tx, key, rate - job->rollout_used, now);
    if (!moved) return std::move(moved).error();
    if (*moved == 0) return {};
    job->rollout_used += *moved;
    return registry::save_job(tx, *job);
}

/// Is one of a job's rates or thresholds worth a count?
bool needs_counts(const Job& job, const Settings& settings) {
    return settings.rollout || !settings.aborts.empty() || settings.starts || job.is_rotation;
}

Result<> abort_job(const Context& context, const Job& job, const AbortRule& rule, Time now) {
    Cancellation cancellation;
    cancellation.reason_code = "ABORT_CRITERIA_MET";
    constexpr std::string_view kWords[] = {"failed", "rejected", "timed out", "failed in any way"};
    cancellation.comment = std::to_string(rule.percent).substr(0, 5) + " % or more of at least " +
                           std::to_string(rule.least_executed) + " executions " +
                           std::string(kWords[static_cast<std::size_t>(rule.kind)]);
    auto canceled = cancel_job(context, job.id, cancellation, now);
    // Somebody else ended it in the meantime.
    if (!canceled && canceled.error().code == Code::InvalidRequest) return {};
    return canceled;
}

/// @return whether more of this job is due at once
Result<bool> advance_job(const Context& context, const Job& job, Time now) {
    const Settings settings = stored_settings(job.settings);
    const bool has_ended = job.ends && *job.ends <= now;
    if (has_ended && settings.end_behavior != EndBehavior::StopRollout) {
        auto ended = cancel_at_end(context, job, settings.end_behavior, now);
        if (!ended) return std::move(ended).error();
        return false;
    }
    if (needs_counts(job, settings)) {
        auto counts = context.store.read(
            [&](store::Reader& reader) { return registry::count_executions(reader, job.key); });
        if (!counts) return std::move(counts).error();
        if (const AbortRule* rule = abort_rule_met(settings, *counts)) {
            auto aborted = abort_job(context, job, *rule, now);
            if (!aborted) return std::move(aborted).error();
            return false;
        }
        const auto waiting = (*counts)[static_cast<std::size_t>(ExecutionStatus::Waiting)];
        if (waiting > 0 && has_ended) {
            auto stopped = stop_rollout(context, job);
            if (!stopped) return std::move(stopped).error();
            return true;
        }
        if (waiting > 0) {
            auto rolled = context.store.write(
                [&](store::Tx& tx) { return roll_out_in(tx, job.key, settings, *counts, now); });
            if (!rolled) return std::move(rolled).error();
            return !settings.rollout && waiting > kPiece;
        }
    }
    auto open = context.store.read(
        [&](store::Reader& reader) { return registry::has_open_executions(reader, job.key); });
    if (!open) return std::move(open).error();
    if (*open || job.is_continuous || job.chores != 0) return false;
    auto done =
        context.store.write([&](store::Tx& tx) { return complete_if_done(tx, job.key, now); });
    if (!done) return std::move(done).error();
    return false;
}

/// What a thing has to do, as the store was when it was looked at.
struct Notice {
    registry::JobNotice notice;
    std::vector<JobExecution> pending;
    std::optional<Job> job;  ///< of the next one, if it is to be told

    std::int64_t next() const { return pending.empty() ? 0 : pending.front().key; }
    bool is_same(const Notice& other) const {
        const auto same = [](const JobExecution& a, const JobExecution& b) {
            return a.key == b.key && a.status == b.status && a.version == b.version;
        };
        return notice.thing == other.notice.thing && notice.told_next == other.notice.told_next &&
               notice.is_list_changed == other.notice.is_list_changed &&
               std::ranges::equal(pending, other.pending, same);
    }
};

Result<std::vector<Notice>> read_notices(store::Reader& reader, int limit) {
    auto notices = registry::job_notices(reader, limit);
    if (!notices) return std::move(notices).error();
    std::vector<Notice> all;
    for (auto& notice : *notices) {
        Notice one{std::move(notice), {}, {}};
        if (!one.notice.thing_name.empty()) {
            auto pending = registry::pending_executions(reader, one.notice.thing_name);
            if (!pending) return std::move(pending).error();
            one.pending = std::move(*pending);
        }
        if (one.next() != 0 && one.next() != one.notice.told_next) {
            auto job = registry::find_job(reader, one.pending.front().job);
            if (!job) return std::move(job).error();
            one.job = std::move(*job);
        }
        all.push_back(std::move(one));
    }
    return all;
}

struct Message {
    std::string topic, payload;
};

std::string list_payload(const Notice& notice, Time now) {
    json lists = json::object();
    for (const auto& execution : notice.pending)
        lists[std::string(registry::to_string(execution.status))].push_back(
            summary_json(execution));
    return json{{"jobs", std::move(lists)}, {"timestamp", now.time_since_epoch().count()}}.dump();
}

std::string next_payload(const Context& context, const Notice& notice, Time now) {
    json payload = {{"timestamp", now.time_since_epoch().count()}};
    if (!notice.pending.empty() && notice.job) {
        DeviceExecution next{notice.pending.front(), {}};
        auto document = with_links(context, *notice.job);
        // A link that cannot be made is told to the device that asks for the document.
        next.document = document ? std::move(*document) : notice.job->document;
        payload["execution"] = execution_json(next, DocumentForm::Value, now);
    }
    return payload.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<Message> messages_of(const Context& context, const Notice& notice, Time now) {
    std::vector<Message> messages;
    if (notice.notice.thing_name.empty()) return messages;
    const std::string base = "$aws/things/" + notice.notice.thing_name + "/jobs/";
    if (notice.notice.is_list_changed) {
        messages.push_back({base + "notify", list_payload(notice, now)});
    }
    if (notice.next() != notice.notice.told_next) {
        messages.push_back({base + "notify-next", next_payload(context, notice, now)});
    }
    return messages;
}

Result<> leave_in(store::Tx& tx, const Notice& notice, const std::vector<Message>& messages) {
    for (const auto& message : messages) {
        auto left = registry::leave_message(tx, message.topic, message.payload);
        if (!left) return left;
    }
    return registry::forget_notice(tx, notice.notice, notice.next());
}

}  // namespace

Result<bool> advance(const Context& context, Time now) {
    auto due = context.store.read([now](store::Reader& reader) { return find_due(reader, now); });
    if (!due) return std::move(due).error();
    bool more = due->overdue.size() == kPiece;
    for (const auto key : due->chores) {
        auto left = do_chore(context, key, now);
        if (!left) return left;
        more = more || *left;
    }
    if (!due->overdue.empty()) {
        auto timed_out = context.store.write([&](store::Tx& tx) -> Result<> {
            for (const auto& execution : due->overdue) {
                if (auto done = time_out(tx, execution, now); !done) return done;
            }
            return {};
        });
        if (!timed_out) return std::move(timed_out).error();
    }
    if (due->has_memberships) {
        auto followed = context.store.write(
            [&](store::Tx& tx) { return registry::follow_memberships(tx, kPiece, now); });
        if (!followed) return std::move(followed).error();
        more = more || *followed == kPiece;
    }
    for (const auto& job : due->scheduled) {
        if (!job.starts || *job.starts > now) continue;
        if (auto begun = begin_scheduled(context, job, now); !begun)
            return std::move(begun).error();
        more = true;
    }
    for (const auto& job : due->busy) {
        auto left = advance_job(context, job, now);
        if (!left) return left;
        more = more || *left;
    }
    return more;
}

Result<bool> leave_notices(const Context& context, int limit, Time now) {
    auto seen = context.store.read([&](store::Reader& reader) -> Result<std::vector<Notice>> {
        auto is_long = registry::has_outgoing_beyond(reader, kMostOutgoing);
        if (!is_long) return std::move(is_long).error();
        if (*is_long) return std::vector<Notice>{};
        return read_notices(reader, limit);
    });
    if (!seen) return std::move(seen).error();
    if (seen->empty()) return false;
    std::vector<std::vector<Message>> messages;  // links are made here, outside of the write
    for (const auto& notice : *seen)
        messages.push_back(messages_of(context, notice, now));
    auto left = context.store.write([&](store::Tx& tx) -> Result<> {
        auto current = read_notices(tx, limit);
        if (!current) return std::move(current).error();
        for (const auto& notice : *current) {
            // What has changed since it was read is told as it is then, in the next round.
            const auto same = std::ranges::find_if(
                *seen, [&](const Notice& other) { return notice.is_same(other); });
            if (same == seen->end()) continue;
            const auto place = static_cast<std::size_t>(same - seen->begin());
            if (auto done = leave_in(tx, notice, messages[place]); !done) return done;
        }
        return {};
    });
    if (!left) return std::move(left).error();
    return true;
}

}  // namespace hatchery::jobs
