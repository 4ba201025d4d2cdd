#include "provisioning/jobs/jobs.h"
#include "provisioning/jobs/state.h"

#include <nlohmann/json.hpp>

namespace hatchery::jobs {

namespace {

using nlohmann::json;
using registry::Job;
using registry::JobExecution;
using registry::JobStatus;

constexpr int kChunk = 2000;  // rows in one commit: some milliseconds
constexpr std::size_t kMaxDocument = 32768;
constexpr int kMaxDocumentDepth = 64;
constexpr std::size_t kMaxBeingDeleted = 10;  // DeleteJob, iot 2015-05-28
constexpr std::string_view kPlaceholder = "${aws:iot:s3-presigned-url:";

ExecutionStatus first_status(const Settings& settings) {
    return settings.rollout ? ExecutionStatus::Waiting : ExecutionStatus::Queued;
}

/// The place of a placeholder in a document, and of the URL in it.
struct Placeholder {
    std::size_t begin, end;
    std::string_view url;
};
std::optional<Placeholder> next_placeholder(std::string_view document, std::size_t from) {
    const std::size_t begin = document.find(kPlaceholder, from);
    if (begin == std::string_view::npos) return std::nullopt;
    const std::size_t end = document.find('}', begin);
    if (end == std::string_view::npos) return std::nullopt;
    const std::size_t url = begin + kPlaceholder.size();
    return Placeholder{begin, end + 1, document.substr(url, end - url)};
}

/// Now, not when the first device asks: it would have no document.
Result<> check_files(const Context& context, std::string_view document) {
    if (!context.check_file) return {};
    for (auto place = next_placeholder(document, 0); place;
         place = next_placeholder(document, place->end)) {
        auto there = context.check_file(place->url);
        if (there) continue;
        if (there.error().code == Code::Unavailable) return there;
        return fail(Code::InvalidRequest,
                    "expected a kept file (hatchery file put) in place of " +
                        std::string(place->url) + ": " + there.error().message,
                    "document");
    }
    return {};
}

Result<> check_document(std::string_view document) {
    if (document.size() > kMaxDocument) {
        return fail(Code::InvalidRequest,
                    "expected at most 32768 characters, found " + std::to_string(document.size()),
                    "document");
    }
    // Values are written by recursion.
    bool is_too_deep = false;
    const json parsed = json::parse(
        document,
        [&](int depth, json::parse_event_t, const json&) {
            is_too_deep = is_too_deep || depth > kMaxDocumentDepth;
            return !is_too_deep;
        },
        false);
    if (is_too_deep) {
        return fail(Code::InvalidRequest,
                    "expected at most " + std::to_string(kMaxDocumentDepth) + " levels",
                    "document");
    }
    if (!parsed.is_discarded()) return {};
    return fail(Code::InvalidRequest, "expected a job document that is JSON", "document");
}

/// Gives targets their rows: things their execution at once, groups by chore.
Result<> add_targets(store::Tx& tx,
                     const registry::Account& account,
                     std::int64_t job,
                     const std::vector<std::string>& targets,
                     ExecutionStatus first,
                     Time now) {
    for (const auto& arn : targets) {
        const auto group = registry::name_from_arn(account, "thinggroup", arn);
        const auto thing = registry::name_from_arn(account, "thing", arn);
        if (group.empty() && thing.empty()) {
            return fail(
                Code::InvalidRequest,
                "expected the ARN of a thing or thing group of this account, found '" + arn + "'",
                "targets");
        }
        auto added = group.empty() ? registry::add_job_thing(tx, job, thing, first, now)
                                   : registry::add_job_group(tx, job, group);
        if (!added) return added;
    }
    return {};
}

Result<> do_all_chores(const Context& context, std::int64_t job, Time now) {
    for (;;) {
        auto more = do_chore(context, job, now);
        if (!more) return std::move(more).error();
        if (!*more) return {};
    }
}

Result<> expect_busy(const Job& job) {
    if (job.status == JobStatus::InProgress || job.status == JobStatus::Scheduled) return {};
    return fail(Code::InvalidRequest,
                "job " + job.id + " is " + std::string(registry::to_string(job.status)));
}

Result<> cancel_in(store::Tx& tx, Job& job, const Cancellation& cancellation, Time now) {
    job.status = JobStatus::Canceled;
    job.reason_code = cancellation.reason_code;
    job.comment = cancellation.comment;
    job.is_force_canceled = cancellation.force;
    job.updated = job.completed.emplace(now);
    job.chores = cancellation.force ? registry::kCancelStarted : registry::kCancelQueued;
    return registry::save_job(tx, job);
}

/// One piece of the first chore that is left; the job loses the chore when it is done.
Result<> do_piece(store::Tx& tx, Job& job, Time now) {
    const auto finish = [&](int chore) {
        job.chores &= ~chore;
        return registry::save_job(tx, job);
    };
    if ((job.chores & registry::kDelete) != 0) {
        auto gone = registry::delete_executions(tx, job.key, kChunk);
        if (!gone) return std::move(gone).error();
        if (*gone > 0) return {};
        job.chores = 0;
        return registry::delete_job(tx, job);
    }
    for (const auto chore :
         {registry::kCancelStarted, registry::kCancelQueued, registry::kCancelWaiting}) {
        if ((job.chores & chore) == 0) continue;
        auto canceled = registry::cancel_executions(tx, job.key, chore, kChunk, now);
        if (!canceled) return std::move(canceled).error();
        if (*canceled > 0) return {};
        job.chores &= ~(registry::kPopulate | chore);
        if (auto saved = registry::save_job(tx, job); !saved) return saved;
        return complete_if_done(tx, job.key, now);
    }
    if ((job.chores & registry::kPopulate) == 0) return {};
    auto more = registry::populate_job(
        tx, job.key, first_status(stored_settings(job.settings)), kChunk, now);
    if (!more) return std::move(more).error();
    if (*more) return {};
    if (auto done = finish(registry::kPopulate); !done) return done;
    return complete_if_done(tx, job.key, now);
}

}  // namespace

Result<> create_job(const Context& context, const NewJob& wanted, Time now) {
    if (auto good = check_document(wanted.document); !good) return good;
    const json members = json::parse(wanted.settings, nullptr, false);
    auto settings = parse_settings(members);
    if (!settings) return std::move(settings).error();
    if (settings->presigns) {
        if (auto good = check_files(context, wanted.document); !good) return good;
    }
    Job job;
    job.id = wanted.id;
    job.document = wanted.document;
    job.settings = wanted.settings;
    job.targets = wanted.targets;
    job.is_continuous = wanted.is_continuous;
    job.is_rotation = wanted.is_rotation;
    job.created = now;
    job.chores = registry::kPopulate;
    job.starts = settings->starts;
    job.ends = settings->ends;
    const bool is_scheduled = settings->starts && *settings->starts > now;
    if (is_scheduled) {
        job.status = JobStatus::Scheduled;
        job.chores = 0;
    }
    auto key = context.store.write([&](store::Tx& tx) -> Result<std::int64_t> {
        auto made = registry::add_job(tx, context.account, job);
        if (!made) return made;
        // What is scheduled is rolled out by its start, not before.
        const auto first = is_scheduled ? ExecutionStatus::Waiting : first_status(*settings);
        auto added = add_targets(tx, context.account, *made, job.targets, first, now);
        if (!added) return std::move(added).error();
        auto tagged = registry::add_tags(tx, {"job", job.id}, wanted.tags);
        if (!tagged) return std::move(tagged).error();
        return made;
    });
    if (!key) return std::move(key).error();
    return do_all_chores(context, *key, now);
}

Result<> associate_targets(const Context& context,
                           std::string_view job_id,
                           const std::vector<std::string>& targets,
                           std::optional<std::string> comment,
                           Time now) {
    auto key = context.store.write([&](store::Tx& tx) -> Result<std::int64_t> {
        auto job = registry::find_job(tx, job_id);
        if (!job) return std::move(job).error();
        if (auto busy = expect_busy(*job); !busy) return std::move(busy).error();
        if (!job->is_continuous) {
            return fail(Code::InvalidRequest,
                        "job " + job->id + " is a SNAPSHOT, whose targets do not change");
        }
        const auto first = job->status == JobStatus::Scheduled
                               ? ExecutionStatus::Waiting
                               : first_status(stored_settings(job->settings));
        auto added = add_targets(tx, context.account, job->key, targets, first, now);
        if (!added) return std::move(added).error();
        for (const auto& arn : targets) {
            const bool is_there =
                std::find(job->targets.begin(), job->targets.end(), arn) != job->targets.end();
            if (!is_there) job->targets.push_back(arn);
        }
        if (comment) job->comment = std::move(comment);
        if (job->status == JobStatus::InProgress) job->chores |= registry::kPopulate;
        job->updated = now;
        if (auto saved = registry::save_job(tx, *job); !saved) return std::move(saved).error();
        return job->key;
    });
    if (!key) return std::move(key).error();
    return do_all_chores(context, *key, now);
}

Result<> update_job(const Context& context,
                    std::string_view job_id,
                    std::string_view members,
                    Time now) {
    const json change = json::parse(members, nullptr, false);
    if (auto good = parse_settings(change); !good) return std::move(good).error();
    return context.store.write([&](store::Tx& tx) -> Result<> {
        auto job = registry::find_job(tx, job_id);
        if (!job) return std::move(job).error();
        if (auto busy = expect_busy(*job); !busy) return busy;
        json settings = json::parse(job->settings, nullptr, false);
        settings.update(change);
        job->settings = settings.dump();
        job->updated = now;
        return registry::save_job(tx, *job);
    });
}

Result<> cancel_job(const Context& context,
                    std::string_view job_id,
                    const Cancellation& cancellation,
                    Time now) {
    auto key = context.store.write([&](store::Tx& tx) -> Result<std::int64_t> {
        auto job = registry::find_job(tx, job_id);
        if (!job) return std::move(job).error();
        // Once more is no error: with force, what the first time left in progress ends.
        if (job->status != JobStatus::Canceled) {
            if (auto busy = expect_busy(*job); !busy) return std::move(busy).error();
        }
        auto canceled = cancel_in(tx, *job, cancellation, now);
        if (!canceled) return std::move(canceled).error();
        return job->key;
    });
    if (!key) return std::move(key).error();
    return do_all_chores(context, *key, now);
}

Result<> delete_job(const Context& context, std::string_view job_id, bool force, Time now) {
    auto key = context.store.write([&](store::Tx& tx) -> Result<std::int64_t> {
        auto job = registry::find_job(tx, job_id);
        if (!job) return std::move(job).error();
        if (job->status == JobStatus::DeletionInProgress) return job->key;
        const bool is_over =
            job->status == JobStatus::Completed || job->status == JobStatus::Canceled;
        if (!is_over && !force) {
            return fail(Code::Conflict,
                        "job " + job->id + " is " + std::string(registry::to_string(job->status)) +
                            ": only COMPLETED and CANCELED ones are deleted without force");
        }
        auto others = registry::jobs_of_status(tx, JobStatus::DeletionInProgress);
        if (!others) return std::move(others).error();
        if (others->size() >= kMaxBeingDeleted) {
            return fail(Code::LimitExceeded, "ten jobs are being deleted already");
        }
        job->status = JobStatus::DeletionInProgress;
        job->chores = registry::kDelete;
        job->updated = now;
        if (auto saved = registry::save_job(tx, *job); !saved) return std::move(saved).error();
        return job->key;
    });
    if (!key) return std::move(key).error();
    return do_all_chores(context, *key, now);
}

Result<> cancel_execution(const Context& context,
                          std::string_view thing,
                          std::string_view job_id,
                          const ExecutionCancellation& cancellation,
                          Time now) {
    return context.store.write([&](store::Tx& tx) -> Result<> {
        auto execution = registry::find_execution(tx, thing, job_id, std::nullopt);
        if (!execution) return std::move(execution).error();
        const auto& expected = cancellation.expected_version;
        if (expected && *expected != execution->version) {
            return fail(Code::VersionConflict,
                        "expected version " + std::to_string(*expected) + ", found " +
                            std::to_string(execution->version),
                        "expectedVersion");
        }
        const bool may = execution->status == ExecutionStatus::Queued ||
                         (execution->status == ExecutionStatus::InProgress && cancellation.force);
        if (!may) {
            return fail(Code::Conflict,
                        "the execution is " + std::string(registry::to_string(execution->status)) +
                            (registry::is_terminal(execution->status)
                                 ? ""
                                 : ", which is only canceled with force"));
        }
        auto job = registry::find_job(tx, execution->job);
        if (!job) return std::move(job).error();
        execution->is_force_canceled = cancellation.force;
        if (cancellation.details) execution->details = cancellation.details;
        return end_execution(tx, *job, std::move(*execution), ExecutionStatus::Canceled, now);
    });
}

Result<> delete_execution(const Context& context,
                          std::string_view thing,
                          std::string_view job_id,
                          std::int64_t number,
                          bool force,
                          Time now) {
    return context.store.write([&](store::Tx& tx) -> Result<> {
        auto execution = registry::find_execution(tx, thing, job_id, number);
        if (!execution) return std::move(execution).error();
        if (!registry::is_terminal(execution->status) && !force) {
            return fail(Code::Conflict,
                        "the execution is " + std::string(registry::to_string(execution->status)) +
                            ": only terminal ones are deleted without force");
        }
        auto gone = registry::delete_execution(tx, execution->key);
        if (!gone) return gone;
        return complete_if_done(tx, execution->job, now);
    });
}

Result<> end_execution(
    store::Tx& tx, const Job& job, JobExecution execution, ExecutionStatus status, Time now) {
    execution.status = status;
    ++execution.version;
    execution.updated = now;
    execution.progress_due.reset();
    execution.step_due.reset();
    if (auto saved = registry::save_execution(tx, execution); !saved) return saved;
    const bool goes_on = job.status == JobStatus::InProgress;
    if (goes_on && is_retried(stored_settings(job.settings), status, execution.attempts)) {
        return registry::retry_execution(tx, execution, now);
    }
    return complete_if_done(tx, job.key, now);
}

Result<> complete_if_done(store::Tx& tx, std::int64_t key, Time now) {
    auto job = registry::find_job(tx, key);
    if (!job) return std::move(job).error();
    if (job->is_continuous || job->status != JobStatus::InProgress || job->chores != 0) return {};
    auto open = registry::has_open_executions(tx, key);
    if (!open) return std::move(open).error();
    if (*open) return {};
    job->status = JobStatus::Completed;
    job->updated = job->completed.emplace(now);
    return registry::save_job(tx, *job);
}

Result<bool> do_chore(const Context& context, std::int64_t key, Time now) {
    return context.store.write([&](store::Tx& tx) -> Result<bool> {
        auto job = registry::find_job(tx, key);
        if (!job && job.error().code == Code::NotFound) return false;  // deleted
        if (!job) return std::move(job).error();
        if (auto done = do_piece(tx, *job, now); !done) return std::move(done).error();
        return job->chores != 0;
    });
}

Result<std::string> with_links(const Context& context, const Job& job) {
    std::string document = job.document;
    if (!context.make_link || document.find(kPlaceholder) == std::string::npos) return document;
    const Settings settings = stored_settings(job.settings);
    if (!settings.presigns) return document;
    for (auto place = next_placeholder(document, 0); place;) {
        auto link = context.make_link(place->url, settings.link_lifetime);
        if (!link) return std::move(link).error();
        document.replace(place->begin, place->end - place->begin, *link);
        place = next_placeholder(document, place->begin + link->size());
    }
    return document;
}

}  // namespace hatchery::jobs
