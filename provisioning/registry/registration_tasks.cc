#include "provisioning/registry/registration_tasks.h"

#include "provisioning/registry/rows.h"

#include <array>
#include <utility>

namespace hatchery::registry {

namespace {

using Status = RegistrationTaskStatus;

constexpr std::array<std::pair<Status, std::string_view>, 5> kTaskStatuses{
    {{Status::InProgress, "InProgress"},
     {Status::Completed, "Completed"},
     {Status::Failed, "Failed"},
     {Status::Cancelled, "Cancelled"},
     {Status::Cancelling, "Cancelling"}}};

constexpr std::string_view kTasks =
    "SELECT key, id, created, modified, template_body, bucket, file, role_arn, status, message, "
    "successes, failures, percentage FROM registration_tasks ";

RegistrationTask make_task(const store::Statement& row) {
    RegistrationTask task;
    task.key = row.integer(0);
    task.id = row.text(1);
    task.created = time_of(row, 2);
    task.modified = time_of(row, 3);
    task.template_body = row.text(4);
    task.bucket = row.text(5);
    task.file = row.text(6);
    task.role_arn = row.text(7);
    task.status = static_cast<Status>(row.integer(8));
    task.message = row.text(9);
    task.successes = row.integer(10);
    task.failures = row.integer(11);
    task.percentage = static_cast<int>(row.integer(12));
    return task;
}

std::int64_t code_of(Status status) {
    return static_cast<std::int64_t>(status);
}

RegisteredLine make_line(const store::Statement& row) {
    RegisteredLine line;
    line.number = row.integer(0);
    if (!row.is_null(1)) line.certificate = id_of(row, 1);
    line.error = row.optional_text(2);
    return line;
}

}  // namespace

std::string_view to_string(RegistrationTaskStatus status) {
    return kTaskStatuses.at(static_cast<std::size_t>(status)).second;
}

Result<RegistrationTaskStatus> parse_registration_task_status(std::string_view text) {
    for (const auto& [status, word] : kTaskStatuses) {
        if (word == text) return status;
    }
    return fail(Code::InvalidRequest,
                "expected InProgress, Completed, Failed, Cancelled or Cancelling, found \"" +
                    std::string(text) + "\"");
}

Result<RegistrationTask> start_registration_task(store::Tx& tx,
                                                 const RegistrationTask& wanted,
                                                 Time now) {
    if (!wanted.bucket.empty()) {
        auto open = open_registration_task(tx);
        if (open) {
            return fail(Code::LimitExceeded,
                        "registration task " + open->id + " is " +
                            std::string(to_string(open->status)) + ": one runs at a time");
        }
        if (open.error().code != Code::NotFound) return std::move(open).error();
    }
    auto made = tx.run(
        "INSERT INTO registration_tasks(id, created, modified, template_body, "
        "bucket, file, role_arn, status, message, successes, failures, percentage) "
        "VALUES(?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, '', 0, 0, 0)",
        wanted.id,
        seconds(now),
        wanted.template_body,
        wanted.bucket,
        wanted.file,
        wanted.role_arn,
        code_of(Status::InProgress));
    if (!made) return std::move(made).error();
    return find_registration_task(tx, wanted.id);
}

Result<RegistrationTask> find_registration_task(store::Reader& reader, std::string_view id) {
    static const std::string kSql = std::string(kTasks) + "WHERE id = ?";
    auto row = reader.query(kSql, id);
    if (auto there = expect_row(row, "registration task", id); !there) {
        return std::move(there).error();
    }
    return make_task(row);
}

Result<Page<RegistrationTask>> list_registration_tasks(
    store::Reader& reader,
    const PageRequest& request,
    std::optional<RegistrationTaskStatus> status) {
    static const std::string kSql =
        std::string(kTasks) +
        "WHERE key > ?1 AND bucket <> '' AND (?2 < 0 OR status = ?2) ORDER BY key LIMIT ?3";
    auto after = key_position(request);
    if (!after) return std::move(after).error();
    const std::int64_t wanted = status ? code_of(*status) : -1;
    return read_page(reader.query(kSql, *after, wanted, page_limit(request) + 1),
                     request,
                     Position::Key,
                     make_task);
}

Result<RegistrationTask> open_registration_task(store::Reader& reader) {
    static const std::string kSql =
        std::string(kTasks) + "WHERE bucket <> '' AND status IN (?, ?) LIMIT 1";
    auto row = reader.query(kSql, code_of(Status::InProgress), code_of(Status::Cancelling));
    if (auto there = expect_row(row, "registration task", "in progress"); !there) {
        return std::move(there).error();
    }
    return make_task(row);
}

Result<> update_registration_task(store::Tx& tx, const RegistrationTask& task, Time now) {
    // A cancellation may have come since `task` was read.
    return tx.run(
        "UPDATE registration_tasks SET modified = ?2, message = ?3, successes = ?4, "
        "failures = ?5, percentage = ?6, "
        "status = CASE WHEN ?7 = ?8 AND status = ?9 THEN status ELSE ?7 END WHERE key = ?1",
        task.key,
        seconds(now),
        task.message,
        task.successes,
        task.failures,
        task.percentage,
        code_of(task.status),
        code_of(Status::InProgress),
        code_of(Status::Cancelling));
}

Result<> cancel_registration_task(store::Tx& tx, std::string_view id, Time now) {
    auto task = find_registration_task(tx, id);
    if (!task) return std::move(task).error();
    return tx.run(
        "UPDATE registration_tasks SET status = ?, modified = ? WHERE key = ? AND status = ?",
        code_of(Status::Cancelling),
        seconds(now),
        task->key,
        code_of(Status::InProgress));
}

Result<std::vector<std::string>> old_registration_tasks(store::Reader& reader, Time before) {
    return read_all(reader.query("SELECT id FROM registration_tasks WHERE modified < ? AND status "
                                 "IN (?, ?, ?) ORDER BY key LIMIT 100",
                                 seconds(before),
                                 code_of(Status::Completed),
                                 code_of(Status::Failed),
                                 code_of(Status::Cancelled)),
                    [](const store::Statement& row) { return std::string(row.text(0)); });
}

Result<bool> forget_registration_task(store::Tx& tx, std::string_view id, int at_most) {
    auto task = find_registration_task(tx, id);
    if (!task) return std::move(task).error();
    auto gone = tx.run(
        "DELETE FROM registered_lines WHERE task = ?1 AND line IN "
        "(SELECT line FROM registered_lines WHERE task = ?1 LIMIT ?2)",
        task->key,
        at_most);
    if (!gone) return std::move(gone).error();
    if (tx.changes() == at_most) return false;
    gone = tx.run("DELETE FROM registration_tasks WHERE key = ?", task->key);
    if (!gone) return std::move(gone).error();
    return true;
}

Result<> add_registered_line(store::Tx& tx, std::int64_t task, const RegisteredLine& line) {
    const auto id =
        line.certificate ? std::optional(line.certificate->view()) : std::optional<ByteView>();
    return tx.run("INSERT INTO registered_lines(task, line, certificate, error) VALUES(?, ?, ?, ?)",
                  task,
                  line.number,
                  id,
                  line.error);
}

Result<std::vector<RegisteredLine>> registered_lines(store::Reader& reader,
                                                     std::int64_t task,
                                                     std::int64_t first,
                                                     std::int64_t last) {
    return read_all(reader.query("SELECT line, certificate, error FROM registered_lines "
                                 "WHERE task = ? AND line BETWEEN ? AND ? ORDER BY line",
                                 task,
                                 first,
                                 last),
                    make_line);
}

}  // namespace hatchery::registry
