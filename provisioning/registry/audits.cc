#include "provisioning/registry/audits.h"

#include "provisioning/registry/rows.h"

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>

namespace hatchery::registry {

namespace {

using AuditJson = nlohmann::ordered_json;

constexpr std::array<std::string_view, 4> kAuditTaskStatuses{
    "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELED"};
constexpr std::array<std::string_view, 6> kAuditCheckStatuses{"IN_PROGRESS",
                                                              "WAITING_FOR_DATA_COLLECTION",
                                                              "CANCELED",
                                                              "COMPLETED_COMPLIANT",
                                                              "COMPLETED_NON_COMPLIANT",
                                                              "FAILED"};

constexpr std::string_view kAuditTasks =
    "SELECT k.key, k.uuid, k.schedule, k.started, k.status FROM audit_tasks k ";

AuditTask make_audit_task(const store::Statement& row) {
    AuditTask task;
    task.key = row.integer(0);
    task.id = uuid_text(row.blob(1));
    task.schedule = row.optional_text(2);
    task.started = time_of(row, 3);
    task.status = static_cast<AuditTaskStatus>(row.integer(4));
    return task;
}

/// The 16 bytes of a task's id; empty for a text that is none.
Bytes task_uuid(std::string_view id) {
    std::string hex(id);
    std::erase(hex, '-');
    if (hex.size() != 32) return {};
    return from_hex(hex).value_or(Bytes());
}

Result<AuditTask> with_checks(store::Reader& reader, AuditTask task) {
    auto checks =
        read_all(reader.query("SELECT name, status, total, non_compliant, suppressed, message "
                              "FROM audit_checks WHERE task = ? ORDER BY name",
                              task.key),
                 [](const store::Statement& row) {
                     return AuditCheckRun{std::string(row.text(0)),
                                          static_cast<AuditCheckStatus>(row.integer(1)),
                                          row.integer(2),
                                          row.integer(3),
                                          row.integer(4),
                                          std::string(row.text(5))};
                 });
    if (!checks) return std::move(checks).error();
    task.checks = std::move(*checks);
    return task;
}

AuditJson resource_json(const AuditResource& resource) {
    return {{"type", resource.type}, {"identifier", resource.identifier}, {"info", resource.info}};
}

AuditResource resource_of(const AuditJson& json) {
    return {json.value("type", ""),
            json.value("identifier", ""),
            json.value("info", std::map<std::string, std::string>())};
}

std::string related_text(const std::vector<AuditResource>& related) {
    auto list = AuditJson::array();
    for (const auto& resource : related)
        list.push_back(resource_json(resource));
    return list.dump(-1, ' ', false, AuditJson::error_handler_t::replace);
}

std::vector<AuditResource> related_of(std::string_view text) {
    std::vector<AuditResource> related;
    const auto list = AuditJson::parse(text, nullptr, false);
    if (!list.is_array()) return related;
    for (const auto& one : list)
        related.push_back(resource_of(one));
    return related;
}

constexpr std::string_view kAuditFindings =
    "SELECT f.key, k.uuid, f.name, k.started, f.found, f.severity, f.resource_type, f.identifier, "
    "f.info, f.related, f.reason, f.reason_code, f.suppressed "
    "FROM audit_findings f JOIN audit_tasks k ON k.key = f.task ";

/// A finding's id names its task and its row, so that no index of ids is needed.
AuditFinding make_audit_finding(const store::Statement& row) {
    AuditFinding finding;
    finding.task_id = uuid_text(row.blob(1));
    finding.id = finding.task_id + "-" + std::to_string(row.integer(0));
    finding.check = row.text(2);
    finding.task_started = time_of(row, 3);
    finding.found = time_of(row, 4);
    finding.severity = row.text(5);
    finding.resource = {std::string(row.text(6)), std::string(row.text(7)), map_of(row.text(8))};
    finding.related = related_of(row.text(9));
    finding.reason = row.text(10);
    finding.reason_code = row.text(11);
    finding.suppressed = row.integer(12) != 0;
    return finding;
}

}  // namespace

std::string_view to_string(AuditTaskStatus status) {
    return kAuditTaskStatuses.at(static_cast<std::size_t>(status));
}

std::string_view to_string(AuditCheckStatus status) {
    return kAuditCheckStatuses.at(static_cast<std::size_t>(status));
}

Result<AuditTask> add_audit_task(store::Tx& tx,
                                 const std::vector<std::string>& checks,
                                 std::optional<std::string> schedule,
                                 Time now,
                                 AuditRunner runner) {
    const Bytes uuid = new_uuid();
    auto made = tx.run(
        "INSERT INTO audit_tasks(uuid, schedule, started, status, runner) VALUES(?, "
        "?, ?, ?, ?)",
        uuid,
        schedule,
        seconds(now),
        static_cast<int>(AuditTaskStatus::InProgress),
        static_cast<int>(runner));
    if (!made) return std::move(made).error();
    AuditTask task;
    task.key = tx.last_insert_rowid();
    task.id = uuid_text(uuid);
    task.schedule = std::move(schedule);
    task.started = now;
    for (const auto& name : checks) {
        AuditCheckRun waiting;
        waiting.name = name;
        if (auto set = set_audit_check(tx, task.key, waiting); !set) return std::move(set).error();
    }
    return with_checks(tx, std::move(task));
}

Result<AuditTask> find_audit_task(store::Reader& reader, std::string_view id) {
    static const std::string kSql = std::string(kAuditTasks) + "WHERE k.uuid = ?";
    auto row = reader.query(kSql, task_uuid(id));
    if (auto there = expect_row(row, "audit task", id); !there) return std::move(there).error();
    return with_checks(reader, make_audit_task(row));
}

Result<Page<AuditTask>> list_audit_tasks(store::Reader& reader,
                                         const PageRequest& request,
                                         Time from,
                                         Time to,
                                         std::optional<bool> scheduled,
                                         std::optional<AuditTaskStatus> status) {
    static const std::string kSql = std::string(kAuditTasks) +
                                    "WHERE k.key > ?1 AND k.started BETWEEN ?2 AND ?3 "
                                    "AND (?4 IS NULL OR (k.schedule IS NOT NULL) = ?4) "
                                    "AND (?5 IS NULL OR k.status = ?5) ORDER BY k.key LIMIT ?6";
    auto after = key_position(request);
    if (!after) return std::move(after).error();
    std::optional<std::int64_t> is_scheduled, wanted;
    if (scheduled) is_scheduled = *scheduled ? 1 : 0;
    if (status) wanted = static_cast<std::int64_t>(*status);
    return read_page(reader.query(kSql,
                                  *after,
                                  seconds(from),
                                  seconds(to),
                                  is_scheduled,
                                  wanted,
                                  page_limit(request) + 1),
                     request,
                     Position::Key,
                     make_audit_task);
}

Result<std::optional<AuditTask>> next_audit_task(store::Reader& reader) {
    static const std::string kSql =
        std::string(kAuditTasks) + "WHERE k.status = 0 AND k.runner = 0 ORDER BY k.key LIMIT 1";
    auto row = reader.query(kSql);
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return std::optional<AuditTask>();
    auto task = with_checks(reader, make_audit_task(row));
    if (!task) return std::move(task).error();
    return std::optional(std::move(*task));
}

Result<> set_audit_task_status(store::Tx& tx, std::int64_t key, AuditTaskStatus status) {
    return tx.run("UPDATE audit_tasks SET status = ? WHERE key = ?", static_cast<int>(status), key);
}

Result<> set_audit_check(store::Tx& tx, std::int64_t task, const AuditCheckRun& run) {
    return tx.run(
        "INSERT OR REPLACE INTO audit_checks(task, name, status, total, non_compliant, "
        "suppressed, message) VALUES(?, ?, ?, ?, ?, ?, ?)",
        task,
        run.name,
        static_cast<int>(run.status),
        run.total,
        run.non_compliant,
        run.suppressed,
        run.message);
}

Result<> forget_audit_findings(store::Tx& tx, std::int64_t task, std::string_view check) {
    return tx.run("DELETE FROM audit_findings WHERE task = ? AND name = ?", task, check);
}

Result<std::int64_t> delete_old_audits(store::Tx& tx, Time end, int at_most) {
    auto gone = tx.run(
        "DELETE FROM audit_findings WHERE key IN (SELECT f.key FROM audit_tasks k "
        "JOIN audit_findings f ON f.task = k.key WHERE k.started < ? LIMIT ?)",
        seconds(end),
        at_most);
    if (!gone) return std::move(gone).error();
    if (const auto count = tx.changes(); count > 0) return count;
    auto tasks = tx.run("DELETE FROM audit_tasks WHERE started < ?", seconds(end));
    if (!tasks) return std::move(tasks).error();
    return 0;
}

Result<> add_audit_finding(store::Tx& tx, std::int64_t task, const AuditFinding& finding) {
    return tx.run(
        "INSERT INTO audit_findings(task, name, found, severity, resource_type, identifier, "
        "info, related, reason, reason_code, suppressed) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        task,
        finding.check,
        seconds(finding.found),
        finding.severity,
        finding.resource.type,
        finding.resource.identifier,
        map_text(finding.resource.info).value_or(""),
        finding.related.empty() ? std::string() : related_text(finding.related),
        finding.reason,
        finding.reason_code,
        finding.suppressed);
}

Result<AuditFinding> find_audit_finding(store::Reader& reader, std::string_view id) {
    static const std::string kSql = std::string(kAuditFindings) + "WHERE f.key = ? AND k.uuid = ?";
    const auto dash = id.rfind('-');
    const std::string_view number = dash == std::string_view::npos ? "" : id.substr(dash + 1);
    std::int64_t key = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), key);
    if (read.ec != std::errc() || read.ptr != number.data() + number.size())
        return missing("audit finding", id);
    auto row = reader.query(kSql, key, task_uuid(id.substr(0, dash)));
    if (auto there = expect_row(row, "audit finding", id); !there) return std::move(there).error();
    return make_audit_finding(row);
}

Result<Page<AuditFinding>> list_audit_findings(store::Reader& reader,
                                               const PageRequest& request,
                                               const AuditFindingFilter& filter) {
    // One of two fixed texts: of a task by its index, or all in the order of their finding.
    std::string sql(kAuditFindings);
    sql +=
        "WHERE f.key > ?1 AND (?2 IS NULL OR f.name = ?2) "
        "AND (?3 IS NULL OR f.identifier = ?3) AND (?4 IS NULL OR f.found >= ?4) "
        "AND (?5 IS NULL OR f.found <= ?5) AND f.suppressed <= ?6 ";
    sql += filter.task_id ? "AND f.task = (SELECT key FROM audit_tasks WHERE uuid = ?7) "
                          : "AND ?7 IS NULL ";
    sql += "ORDER BY f.key LIMIT ?8";
    auto after = key_position(request);
    if (!after) return std::move(after).error();
    std::optional<std::int64_t> from, to;
    if (filter.from) from = seconds(*filter.from);
    if (filter.to) to = seconds(*filter.to);
    const Bytes task = filter.task_id ? task_uuid(*filter.task_id) : Bytes();
    std::optional<ByteView> of_task;
    if (filter.task_id) of_task = ByteView(task);
    return read_page(reader.query(sql,
                                  *after,
                                  filter.check,
                                  filter.identifier,
                                  from,
                                  to,
                                  filter.with_suppressed,
                                  of_task,
                                  page_limit(request) + 1),
                     request,
                     Position::Key,
                     make_audit_finding);
}

}  // namespace hatchery::registry
