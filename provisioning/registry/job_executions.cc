#include "provisioning/registry/job_rows.h"
#include "provisioning/registry/jobs.h"

namespace hatchery::registry {

namespace {

constexpr std::string_view kExecutions =
    "SELECT e.key, t.name, e.job, e.thing, j.id, e.number, e.status, e.version, e.details, "
    "e.queued, e.started, e.updated, e.progress_due, e.step_due, e.attempts, e.is_direct, "
    "e.is_superseded, e.is_force_canceled "
    "FROM job_executions e JOIN jobs j ON j.key = e.job JOIN things t ON t.key = e.thing ";
constexpr int kWaiting = static_cast<int>(ExecutionStatus::Waiting);

JobExecution make_execution(const store::Statement& row) {
    JobExecution execution;
    execution.key = row.integer(0);
    execution.thing_name = row.text(1);
    execution.job = row.integer(2);
    execution.thing = row.integer(3);
    execution.job_id = row.text(4);
    execution.number = row.integer(5);
    execution.status = static_cast<ExecutionStatus>(row.integer(6));
    execution.version = row.integer(7);
    execution.details = row.optional_text(8);
    execution.queued = time_of(row, 9);
    execution.started = job_time(row, 10);
    execution.updated = time_of(row, 11);
    execution.progress_due = job_time(row, 12);
    execution.step_due = job_time(row, 13);
    execution.attempts = row.integer(14);
    execution.is_direct = row.integer(15) != 0;
    execution.is_superseded = row.integer(16) != 0;
    execution.is_force_canceled = row.integer(17) != 0;
    return execution;
}

/// One execution for each thing of `from` that has none, or only REMOVED ones; `from` gives
/// (job, thing, is_direct, status). INDEXED BY: SQLite would look through the whole job for each
/// thing, by job_executions_by_job, as it takes (job, is_superseded) to be as telling.
std::string insert_executions(std::string_view from) {
    return "INSERT INTO job_executions(job, thing, number, status, version, queued, updated, "
           "is_direct) "
           "SELECT n.job, n.thing, 1 + coalesce((SELECT max(number) FROM job_executions o "
           "  WHERE o.thing = n.thing AND o.job = n.job), 0), n.status, 1, ?1, ?1, n.is_direct "
           "FROM (" +
           std::string(from) +
           ") n WHERE NOT EXISTS (SELECT 1 FROM job_executions o "
           "  INDEXED BY job_executions_by_thing WHERE o.thing = n.thing AND o.job = n.job "
           "  AND o.is_superseded = 0 AND o.status <> 6)";
}

struct GroupPosition {
    std::int64_t group = 0, after = 0;
};
Result<std::optional<GroupPosition>> next_group(store::Reader& reader, std::int64_t job) {
    auto row = reader.query(
        "SELECT thing_group, after FROM job_groups WHERE job = ? AND is_done = 0 LIMIT 1", job);
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return std::optional<GroupPosition>();
    return std::optional(GroupPosition{row.integer(0), row.integer(1)});
}

}  // namespace

Result<> add_job_thing(
    store::Tx& tx, std::int64_t job, std::string_view thing, ExecutionStatus status, Time now) {
    static const std::string kSql =
        insert_executions("SELECT ?2 AS job, ?3 AS thing, 1 AS is_direct, ?4 AS status");
    auto key = key_of(tx, kThing, thing);
    if (!key) return std::move(key).error();
    return tx.run(kSql, seconds(now), job, *key, static_cast<int>(status));
}

Result<bool> populate_job(
    store::Tx& tx, std::int64_t job, ExecutionStatus status, int limit, Time now) {
    static const std::string kSql = insert_executions(
        "SELECT ?2 AS job, thing, 0 AS is_direct, ?4 AS status FROM thing_group_members "
        "WHERE thing_group = ?3 AND thing > ?5 AND thing <= ?6");
    auto group = next_group(tx, job);
    if (!group) return std::move(group).error();
    if (!*group) return false;
    auto last = read_count(tx.query(
        "SELECT max(thing) FROM (SELECT thing FROM thing_group_members WHERE thing_group = ? "
        "AND thing > ? ORDER BY thing LIMIT ?)",
        (*group)->group,
        (*group)->after,
        limit));
    if (!last) return std::move(last).error();
    if (*last > 0) {
        auto made = tx.run(kSql,
                           seconds(now),
                           job,
                           (*group)->group,
                           static_cast<int>(status),
                           (*group)->after,
                           *last);
        if (!made) return std::move(made).error();
    }
    auto moved =
        tx.run("UPDATE job_groups SET after = ?, is_done = ? WHERE job = ? AND thing_group = ?",
               *last,
               *last == 0,
               job,
               (*group)->group);
    if (!moved) return std::move(moved).error();
    return true;
}

Result<std::int64_t> roll_out(store::Tx& tx, std::int64_t job, std::int64_t limit, Time now) {
    auto moved = tx.run(
        "UPDATE job_executions SET status = 0, queued = ?1, updated = ?1 "
        "WHERE key IN (SELECT key FROM job_executions WHERE job = ?2 "
        "AND is_superseded = 0 AND status = ?3 ORDER BY key LIMIT ?4)",
        seconds(now),
        job,
        kWaiting,
        limit);
    if (!moved) return std::move(moved).error();
    return tx.changes();
}

Result<std::int64_t> cancel_executions(
    store::Tx& tx, std::int64_t job, Chore which, int limit, Time now) {
    auto moved = tx.run(
        "UPDATE job_executions SET status = 7, version = version + 1, updated = ?1, "
        "due = NULL, progress_due = NULL, step_due = NULL, is_force_canceled = ?5 "
        "WHERE key IN (SELECT key FROM job_executions WHERE job = ?2 AND is_superseded = 0 "
        "AND status IN (8, iif(?4, 0, 8), iif(?5, 1, 8)) LIMIT ?3)",
        seconds(now),
        job,
        limit,
        which != kCancelWaiting,
        which == kCancelStarted);
    if (!moved) return std::move(moved).error();
    return tx.changes();
}

Result<std::int64_t> delete_executions(store::Tx& tx, std::int64_t job, int limit) {
    auto gone = tx.run(
        "DELETE FROM job_executions WHERE key IN "
        "(SELECT key FROM job_executions WHERE job = ? LIMIT ?)",
        job,
        limit);
    if (!gone) return std::move(gone).error();
    return tx.changes();
}

Result<ExecutionCounts> count_executions(store::Reader& reader, std::int64_t job) {
    ExecutionCounts counts{};
    auto rows = reader.query("SELECT status, executions FROM job_counts WHERE job = ?", job);
    while (true) {
        auto row = rows.step();
        if (!row) return std::move(row).error();
        if (!*row) return counts;
        const auto status = static_cast<std::size_t>(rows.integer(0));
        if (status < counts.size()) counts[status] = rows.integer(1);
    }
}

Result<bool> has_open_executions(store::Reader& reader, std::int64_t job) {
    return has_row(
        reader.query("SELECT 1 FROM job_executions WHERE job = ? AND is_superseded = 0 "
                     "AND status IN (0, 1, 8) LIMIT 1",
                     job));
}

Result<JobExecution> find_execution(store::Reader& reader,
                                    std::string_view thing,
                                    std::string_view job_id,
                                    std::optional<std::int64_t> number) {
    static const std::string kSql = std::string(kExecutions) +
                                    "WHERE t.name = ?1 AND j.id = ?2 AND e.status <> 8 "
                                    "AND (?3 IS NULL OR e.number = ?3) "
                                    "ORDER BY e.number DESC LIMIT 1";
    auto row = reader.query(kSql, thing, job_id, number);
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (*there) return make_execution(row);
    return fail(Code::NotFound,
                "thing " + std::string(thing) + " has no execution " +
                    (number ? std::to_string(*number) + " " : std::string()) + "of job " +
                    std::string(job_id));
}

Result<std::vector<JobExecution>> pending_executions(store::Reader& reader,
                                                     std::string_view thing) {
    static const std::string kSql =
        std::string(kExecutions) +
        "WHERE e.thing = ? AND (e.status = 1 OR (e.status = 0 AND j.status = 0)) "
        "ORDER BY e.status DESC, e.queued, e.key";
    auto key = key_of(reader, kThing, thing);
    if (!key) return std::move(key).error();
    return read_all(reader.query(kSql, *key), make_execution);
}

Result<Page<JobExecution>> executions_of_job(store::Reader& reader,
                                             std::int64_t job,
                                             std::optional<ExecutionStatus> status,
                                             const PageRequest& request) {
    static const std::string kSql = std::string(kExecutions) +
                                    "WHERE e.job = ?1 AND e.key > ?2 AND e.status <> 8 "
                                    "AND (?3 IS NULL OR e.status = ?3) ORDER BY e.key LIMIT ?4";
    auto after = key_position(request);
    if (!after) return std::move(after).error();
    std::optional<std::int64_t> wanted;
    if (status) wanted = static_cast<std::int64_t>(*status);
    return read_page(reader.query(kSql, job, *after, wanted, page_limit(request) + 1),
                     request,
                     Position::Key,
                     make_execution);
}

Result<Page<JobExecution>> executions_of_thing(store::Reader& reader,
                                               std::string_view thing,
                                               std::optional<ExecutionStatus> status,
                                               std::optional<std::string> job_id,
                                               const PageRequest& request) {
    static const std::string kSql =
        std::string(kExecutions) +
        "WHERE e.thing = ?1 AND e.key < ?2 AND e.status <> 8 AND (?3 IS NULL OR e.status = ?3) "
        "AND (?4 IS NULL OR j.id = ?4) ORDER BY e.key DESC LIMIT ?5";
    auto key = key_of(reader, kThing, thing);
    if (!key) return std::move(key).error();
    auto before = key_position(request, false);
    if (!before) return std::move(before).error();
    std::optional<std::int64_t> wanted;
    if (status) wanted = static_cast<std::int64_t>(*status);
    return read_page(reader.query(kSql, *key, *before, wanted, job_id, page_limit(request) + 1),
                     request,
                     Position::Key,
                     make_execution);
}

Result<> save_execution(store::Tx& tx, const JobExecution& execution) {
    std::optional<Time> due = execution.progress_due;
    if (execution.step_due && (!due || *execution.step_due < *due)) due = execution.step_due;
    return tx.run(
        "UPDATE job_executions SET status = ?, version = ?, details = ?, started = ?, "
        "updated = ?, progress_due = ?, step_due = ?, due = ?, is_superseded = ?, "
        "is_force_canceled = ? WHERE key = ?",
        static_cast<int>(execution.status),
        execution.version,
        execution.details,
        job_seconds(execution.started),
        seconds(execution.updated),
        job_seconds(execution.progress_due),
        job_seconds(execution.step_due),
        job_seconds(due),
        execution.is_superseded,
        execution.is_force_canceled,
        execution.key);
}

Result<> retry_execution(store::Tx& tx, const JobExecution& failed, Time now) {
    auto old = tx.run("UPDATE job_executions SET is_superseded = 1 WHERE key = ?", failed.key);
    if (!old) return old;
    return tx.run(
        "INSERT INTO job_executions(job, thing, number, status, version, queued, updated, "
        "attempts, is_direct) VALUES(?, ?, ?, 0, 1, ?, ?, ?, ?)",
        failed.job,
        failed.thing,
        failed.number + 1,
        seconds(now),
        seconds(now),
        failed.attempts + 1,
        failed.is_direct);
}

Result<> delete_execution(store::Tx& tx, std::int64_t key) {
    return tx.run("DELETE FROM job_executions WHERE key = ?", key);
}

Result<std::vector<JobExecution>> overdue_executions(store::Reader& reader, Time now, int limit) {
    static const std::string kSql =
        std::string(kExecutions) + "WHERE e.due <= ? ORDER BY e.due LIMIT ?";
    return read_all(reader.query(kSql, seconds(now), limit), make_execution);
}

Result<std::optional<JobExecution>> open_rotation(store::Reader& reader, std::int64_t thing) {
    static const std::string kSql =
        std::string(kExecutions) +
        "WHERE e.thing = ? AND e.status IN (0, 1) AND j.is_rotation = 1 AND j.status = 0 "
        "ORDER BY e.key DESC LIMIT 1";
    auto row = reader.query(kSql, thing);
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return std::optional<JobExecution>();
    return std::optional(make_execution(row));
}

Result<> note_joined(store::Tx& tx, std::int64_t thing, std::int64_t group) {
    constexpr std::string_view kTable = "jobs";
    constexpr std::string_view kName = "any is continuous";
    Result<bool> any = true;
    if (const bool* known = tx.recall<bool>(kTable, kName)) {
        any = *known;
    } else {
        any =
            has_row(tx.query("SELECT 1 FROM jobs WHERE is_continuous = 1 AND status = 0 LIMIT 1"));
        if (any) tx.remember(kTable, kName, *any);
    }
    if (!any) return std::move(any).error();
    if (!*any) return {};
    return tx.run(
        "INSERT OR IGNORE INTO job_memberships(thing) SELECT ?1 WHERE EXISTS ("
        "SELECT 1 FROM job_groups g JOIN jobs j ON j.key = g.job "
        "WHERE g.thing_group = ?2 AND j.is_continuous = 1 AND j.status = 0)",
        thing,
        group);
}

Result<bool> has_membership_changes(store::Reader& reader) {
    return has_row(reader.query("SELECT 1 FROM job_memberships LIMIT 1"));
}

Result<std::int64_t> follow_memberships(store::Tx& tx, int limit, Time now) {
    constexpr std::string_view kContinuous = "j.is_continuous = 1 AND j.status = 0";
    static const std::string kJoined = insert_executions(
        "SELECT DISTINCT g.job AS job, m.thing AS thing, 0 AS is_direct, "
        "CASE WHEN json_extract(j.settings, '$.jobExecutionsRolloutConfig') IS NULL THEN 0 ELSE 8 "
        "END AS status FROM thing_group_members m "
        "JOIN job_groups g ON g.thing_group = m.thing_group JOIN jobs j ON j.key = g.job "
        "WHERE m.thing = ?2 AND " +
        std::string(kContinuous));
    static const std::string kLeft =
        "UPDATE job_executions SET status = 6, version = version + 1, updated = ?1 "
        "WHERE thing = ?2 AND status IN (0, 8) AND is_direct = 0 AND is_superseded = 0 "
        "AND job IN (SELECT j.key FROM jobs j WHERE " +
        std::string(kContinuous) +
        ") AND NOT EXISTS (SELECT 1 FROM thing_group_members m JOIN job_groups g "
        "  ON g.thing_group = m.thing_group "
        "  WHERE m.thing = ?2 AND g.job = job_executions.job)";
    auto things = read_all(tx.query("SELECT thing FROM job_memberships LIMIT ?", limit),
                           [](const store::Statement& row) { return row.integer(0); });
    if (!things) return std::move(things).error();
    for (const std::int64_t thing : *things) {
        if (auto left = tx.run(kLeft, seconds(now), thing); !left) return std::move(left).error();
        if (auto joined = tx.run(kJoined, seconds(now), thing); !joined)
            return std::move(joined).error();
        auto gone = tx.run("DELETE FROM job_memberships WHERE thing = ?", thing);
        if (!gone) return std::move(gone).error();
    }
    return static_cast<std::int64_t>(things->size());
}

Result<std::vector<JobNotice>> job_notices(store::Reader& reader, int limit) {
    return read_all(
        reader.query("SELECT n.thing, coalesce(t.name, ''), n.is_list_changed, "
                     "coalesce(x.execution, 0) FROM job_notices n "
                     "LEFT JOIN things t ON t.key = n.thing LEFT JOIN job_next x "
                     "ON x.thing = n.thing ORDER BY n.thing LIMIT ?",
                     limit),
        [](const store::Statement& row) {
            return JobNotice{
                row.integer(0), std::string(row.text(1)), row.integer(2) != 0, row.integer(3)};
        });
}

Result<> forget_notice(store::Tx& tx, const JobNotice& notice, std::int64_t next) {
    auto gone = tx.run("DELETE FROM job_notices WHERE thing = ?", notice.thing);
    if (!gone || notice.thing_name.empty() || next == notice.told_next) return gone;
    if (next == 0) return tx.run("DELETE FROM job_next WHERE thing = ?", notice.thing);
    return tx.run(
        "INSERT INTO job_next(thing, execution) VALUES(?1, ?2) "
        "ON CONFLICT DO UPDATE SET execution = ?2",
        notice.thing,
        next);
}

}  // namespace hatchery::registry
