#include "provisioning/registry/jobs.h"

#include "provisioning/registry/job_rows.h"
#include "provisioning/registry/tags.h"

#include <algorithm>

namespace hatchery::registry {

namespace {

constexpr std::array<std::string_view, 5> kJobStatuses{
    "IN_PROGRESS", "CANCELED", "COMPLETED", "DELETION_IN_PROGRESS", "SCHEDULED"};
constexpr std::array<std::string_view, 9> kExecutionStatuses{"QUEUED",
                                                             "IN_PROGRESS",
                                                             "SUCCEEDED",
                                                             "FAILED",
                                                             "TIMED_OUT",
                                                             "REJECTED",
                                                             "REMOVED",
                                                             "CANCELED",
                                                             "WAITING"};
constexpr std::size_t kMaxJobId = 64;  // JobId, iot 2015-05-28

constexpr std::string_view kJobs =
    "SELECT key, id, status, is_continuous, is_rotation, document, settings, targets, created, "
    "updated, completed, reason_code, comment, is_force_canceled, chores, starts, ends, "
    "rollout_minute, rollout_used FROM jobs ";

Job make_job(const store::Statement& row) {
    Job job;
    job.key = row.integer(0);
    job.id = row.text(1);
    job.status = static_cast<JobStatus>(row.integer(2));
    job.is_continuous = row.integer(3) != 0;
    job.is_rotation = row.integer(4) != 0;
    job.document = row.text(5);
    job.settings = row.text(6);
    job.targets = list_of(row.text(7));
    job.created = time_of(row, 8);
    job.updated = time_of(row, 9);
    job.completed = job_time(row, 10);
    job.reason_code = row.optional_text(11);
    job.comment = row.optional_text(12);
    job.is_force_canceled = row.integer(13) != 0;
    job.chores = static_cast<int>(row.integer(14));
    job.starts = job_time(row, 15);
    job.ends = job_time(row, 16);
    job.rollout_minute = time_of(row, 17);
    job.rollout_used = row.integer(18);
    return job;
}

template <class E, std::size_t N>
Result<E> parse_status(const std::array<std::string_view, N>& names,
                       std::size_t count,
                       std::string_view text) {
    const auto* const found = std::find(names.begin(), names.begin() + count, text);
    if (found != names.begin() + count) return static_cast<E>(found - names.begin());
    std::string all;
    for (std::size_t i = 0; i < count; ++i)
        all.append(i == 0 ? "" : ", ").append(names[i]);
    return fail(Code::InvalidRequest,
                "expected one of " + all + ", found '" + std::string(text) + "'",
                "status");
}

}  // namespace

std::string_view to_string(JobStatus status) {
    return kJobStatuses[static_cast<std::size_t>(status)];
}

Result<JobStatus> parse_job_status(std::string_view text) {
    return parse_status<JobStatus>(kJobStatuses, kJobStatuses.size(), text);
}

std::string_view to_string(ExecutionStatus status) {
    return kExecutionStatuses[static_cast<std::size_t>(status)];
}

Result<ExecutionStatus> parse_execution_status(std::string_view text) {
    return parse_status<ExecutionStatus>(kExecutionStatuses, kExecutionStatuses.size() - 1, text);
}

Result<> check_job_id(std::string_view id) {
    const bool is_good =
        !id.empty() && id.size() <= kMaxJobId && std::all_of(id.begin(), id.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '_' || c == '-';
        });
    if (is_good) return {};
    return fail(Code::InvalidRequest,
                "expected 1 to 64 characters of [a-zA-Z0-9_-], found '" +
                    std::string(id.substr(0, 2 * kMaxJobId)) + "'",
                "jobId");
}

Result<std::int64_t> add_job(store::Tx& tx, const Account& account, const Job& job) {
    if (auto good = check_job_id(job.id); !good) return std::move(good).error();
    auto there = has_row(tx.query("SELECT 1 FROM jobs WHERE id = ?", job.id));
    if (!there) return std::move(there).error();
    if (*there) {
        Error error = fail(Code::AlreadyExists, "job " + job.id + " exists already");
        error.resource = account.arn("job", job.id);
        return error;
    }
    auto made = tx.run(
        "INSERT INTO jobs(id, status, is_continuous, is_rotation, document, "
        "settings, targets, created, updated, chores, starts, ends) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        job.id,
        static_cast<int>(job.status),
        job.is_continuous,
        job.is_rotation,
        job.document,
        job.settings,
        list_text(job.targets).value_or("[]"),
        seconds(job.created),
        seconds(job.created),
        job.chores,
        job_seconds(job.starts),
        job_seconds(job.ends));
    if (!made) return std::move(made).error();
    return tx.last_insert_rowid();
}

Result<Job> find_job(store::Reader& reader, std::string_view id) {
    static const std::string kSql = std::string(kJobs) + "WHERE id = ?";
    auto row = reader.query(kSql, id);
    if (auto there = expect_row(row, "job", id); !there) return std::move(there).error();
    return make_job(row);
}

Result<Job> find_job(store::Reader& reader, std::int64_t key) {
    static const std::string kSql = std::string(kJobs) + "WHERE key = ?";
    auto row = reader.query(kSql, key);
    if (auto there = expect_row(row, "job", std::to_string(key)); !there)
        return std::move(there).error();
    return make_job(row);
}

Result<Page<Job>> list_jobs(store::Reader& reader,
                            const PageRequest& request,
                            const JobFilter& filter) {
    static const std::string kSql =
        std::string(kJobs) +
        "WHERE key < ?1 AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR is_continuous = ?3) "
        "AND (?4 IS NULL OR EXISTS (SELECT 1 FROM job_groups g WHERE g.job = jobs.key "
        "     AND g.thing_group = ?4 AND g.is_target)) ORDER BY key DESC LIMIT ?5";
    auto before = key_position(request, false);
    if (!before) return std::move(before).error();
    std::optional<std::int64_t> group;
    if (filter.thing_group) {
        auto found = key_of(reader, kThingGroup, *filter.thing_group);
        if (!found) return std::move(found).error();
        group = *found;
    }
    std::optional<std::int64_t> status, is_continuous;
    if (filter.status) status = static_cast<std::int64_t>(*filter.status);
    if (filter.is_continuous) is_continuous = *filter.is_continuous ? 1 : 0;
    return read_page(
        reader.query(kSql, *before, status, is_continuous, group, page_limit(request) + 1),
        request,
        Position::Key,
        make_job);
}

Result<> save_job(store::Tx& tx, const Job& job) {
    return tx.run(
        "UPDATE jobs SET status = ?, settings = ?, targets = ?, updated = ?, completed = ?, "
        "reason_code = ?, comment = ?, is_force_canceled = ?, chores = ?, "
        "rollout_minute = ?, rollout_used = ? WHERE key = ?",
        static_cast<int>(job.status),
        job.settings,
        list_text(job.targets).value_or("[]"),
        seconds(job.updated),
        job_seconds(job.completed),
        job.reason_code,
        job.comment,
        job.is_force_canceled,
        job.chores,
        seconds(job.rollout_minute),
        job.rollout_used,
        job.key);
}

Result<std::vector<Job>> jobs_of_status(store::Reader& reader, JobStatus status) {
    static const std::string kSql = std::string(kJobs) + "WHERE status = ? ORDER BY key";
    return read_all(reader.query(kSql, static_cast<int>(status)), make_job);
}

Result<std::vector<std::int64_t>> jobs_with_chores(store::Reader& reader) {
    return read_all(reader.query("SELECT key FROM jobs WHERE chores <> 0 ORDER BY key"),
                    [](const store::Statement& row) { return row.integer(0); });
}

Result<> add_job_group(store::Tx& tx, std::int64_t job, std::string_view group) {
    auto key = key_of(tx, kThingGroup, group);
    if (!key) return std::move(key).error();
    auto below = tx.run(
        "WITH RECURSIVE below(key) AS (SELECT ?2 UNION "
        "  SELECT g.key FROM thing_groups g JOIN below ON g.parent = below.key) "
        "INSERT INTO job_groups(job, thing_group, is_target) "
        "SELECT ?1, key, key = ?2 FROM below WHERE true "
        "ON CONFLICT DO UPDATE SET is_target = max(is_target, excluded.is_target)",
        job,
        *key);
    return below;
}

Result<> delete_job(store::Tx& tx, const Job& job) {
    if (auto gone = forget_tags(tx, "job", job.id); !gone) return gone;
    return tx.run("DELETE FROM jobs WHERE key = ?", job.key);
}

Result<std::string> group_name_of_id(store::Reader& reader, std::string_view id) {
    std::string digits(id);
    std::erase(digits, '-');
    auto row = reader.query("SELECT name FROM thing_groups WHERE uuid = ?",
                            from_hex(digits).value_or(Bytes()));
    if (auto there = expect_row(row, kThingGroup.word, id); !there) return std::move(there).error();
    return std::string(row.text(0));
}

Result<std::vector<ExpiringThing>> expiring_things(store::Reader& reader,
                                                   Time end,
                                                   std::int64_t after,
                                                   int limit) {
    auto rows = reader.query(
        "SELECT c.key, t.name FROM certificates c JOIN thing_principals p ON p.certificate = c.key "
        "JOIN things t ON t.key = p.thing WHERE c.key > ? AND c.status = 0 AND c.not_after < ? "
        "ORDER BY c.key LIMIT ?",
        after,
        seconds(end),
        limit);
    return read_all(std::move(rows), [](const store::Statement& row) {
        return ExpiringThing{row.integer(0), std::string(row.text(1))};
    });
}

}  // namespace hatchery::registry
