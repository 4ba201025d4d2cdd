#include "provisioning/registry/attempts.h"

#include "provisioning/registry/rows.h"

#include <array>

namespace hatchery::registry {

namespace {

constexpr std::array<std::string_view, 7> kAttemptKinds = {"connect",
                                                           "packet",
                                                           "create-keys",
                                                           "create-from-csr",
                                                           "register-thing",
                                                           "register-thing-api",
                                                           "register-bulk"};
constexpr std::size_t kAttemptFields = 6;  // before the steps, five texts a step
constexpr std::size_t kStepFields = 5;

// One list of texts: nobody asks the database about what is in a trace.
std::string attempt_text(const Attempt& attempt) {
    std::vector<std::string> list{attempt.code,
                                  attempt.certificate,
                                  attempt.client_id,
                                  attempt.thing,
                                  attempt.template_name,
                                  attempt.source};
    for (const auto& step : attempt.steps) {
        list.push_back(step.name);
        list.emplace_back(step.passed ? "1" : "0");
        list.push_back(step.expected);
        list.push_back(step.found);
        list.push_back(step.where);
    }
    return list_text(list).value_or("");
}

void read_attempt_text(std::string_view text, Attempt& attempt) {
    auto list = list_of(text);
    if (list.size() < kAttemptFields) return;
    attempt.code = std::move(list[0]);
    attempt.certificate = std::move(list[1]);
    attempt.client_id = std::move(list[2]);
    attempt.thing = std::move(list[3]);
    attempt.template_name = std::move(list[4]);
    attempt.source = std::move(list[5]);
    for (std::size_t at = kAttemptFields; at + kStepFields <= list.size(); at += kStepFields) {
        attempt.steps.push_back({std::move(list[at]),
                                 list[at + 1] == "1",
                                 std::move(list[at + 2]),
                                 std::move(list[at + 3]),
                                 std::move(list[at + 4])});
    }
}

Attempt attempt_of(const store::Statement& row, std::vector<std::string> names) {
    Attempt attempt;
    attempt.kind = static_cast<AttemptKind>(row.integer(1));
    attempt.succeeded = row.integer(2) != 0;
    attempt.first = time_of(row, 3);
    attempt.last = time_of(row, 4);
    attempt.count = row.integer(5);
    attempt.names = std::move(names);
    read_attempt_text(row.text(7), attempt);
    return attempt;
}

}  // namespace

std::string_view to_string(AttemptKind kind) {
    const auto index = static_cast<std::size_t>(kind);
    return index < kAttemptKinds.size() ? kAttemptKinds[index] : "unknown";
}

Result<std::int64_t> add_attempt(store::Tx& tx, const Attempt& attempt) {
    auto added = tx.run(
        "INSERT INTO attempts(kind, succeeded, first, last, count, names, steps) "
        "VALUES(?, ?, ?, ?, ?, ?, ?)",
        static_cast<int>(attempt.kind),
        attempt.succeeded,
        seconds(attempt.first),
        seconds(attempt.last),
        attempt.count,
        list_text(attempt.names).value_or(""),
        attempt_text(attempt));
    if (!added) return std::move(added).error();
    return tx.last_insert_rowid();
}

Result<> repeat_attempt(store::Tx& tx, std::int64_t key, Time last, std::int64_t times) {
    auto updated = tx.run(
        "UPDATE attempts SET last = ?, count = count + ? WHERE key = ?", seconds(last), times, key);
    if (!updated) return updated;
    if (tx.changes() == 0) return fail(Code::NotFound, "the trace was trimmed");
    return {};
}

Result<> trim_attempts(store::Tx& tx, std::int64_t max_refusals, std::int64_t max_successes) {
    for (const bool succeeded : {false, true}) {
        auto count =
            read_count(tx.query("SELECT COUNT(*) FROM attempts WHERE succeeded = ?", succeeded));
        if (!count) return std::move(count).error();
        const std::int64_t beyond = *count - (succeeded ? max_successes : max_refusals);
        if (beyond <= 0) continue;
        auto gone = tx.run(
            "DELETE FROM attempts WHERE key IN (SELECT key FROM attempts "
            "WHERE succeeded = ? ORDER BY key LIMIT ?)",
            succeeded,
            beyond);
        if (!gone) return gone;
    }
    return {};
}

Result<std::vector<Attempt>> find_attempts(store::Reader& reader,
                                           std::string_view name,
                                           int limit) {
    // No index serves this: each would cost every flow a page write, and there are few rows.
    auto rows = reader.query(
        "SELECT key, kind, succeeded, first, last, count, names, steps FROM attempts "
        "ORDER BY last DESC, key DESC");
    std::vector<Attempt> found;
    while (static_cast<int>(found.size()) < limit) {
        auto row = rows.step();
        if (!row) return std::move(row).error();
        if (!*row) break;
        if (rows.text(6).find(name) == std::string_view::npos &&
            name.find_first_of("\"\\") == std::string_view::npos) {
            continue;  // the text as it is spares reading most lists
        }
        auto names = list_of(rows.text(6));
        if (std::find(names.begin(), names.end(), name) == names.end()) continue;
        found.push_back(attempt_of(rows, std::move(names)));
    }
    return found;
}

}  // namespace hatchery::registry
