#include "provisioning/registry/audits.h"
#include "provisioning/registry/rows.h"
#include "provisioning/registry/tags.h"

#include <nlohmann/json.hpp>

namespace hatchery::registry {

namespace {

constexpr std::string_view kAuditRow = "audit_configuration";
constexpr std::int64_t kMaxScheduledAudits = 5;  // a quota of Device Defender

std::string configuration_text(const AuditConfiguration& configuration) {
    nlohmann::ordered_json json;
    json["roleArn"] = configuration.role_arn;
    if (configuration.sns) {
        json["sns"] = {{"targetArn", configuration.sns->target_arn},
                       {"roleArn", configuration.sns->role_arn},
                       {"enabled", configuration.sns->enabled}};
    }
    json["checks"] = nlohmann::ordered_json::object();
    for (const auto& [name, check] : configuration.checks)
        json["checks"][name] = {{"enabled", check.enabled}, {"with", check.configuration}};
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// Written by configuration_text; a damaged row gives what can be read of it.
AuditConfiguration configuration_of(std::string_view text) {
    AuditConfiguration configuration;
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return configuration;
    configuration.role_arn = json.value("roleArn", "");
    if (json.contains("sns")) {
        const auto& sns = json["sns"];
        configuration.sns = AuditNotification{
            sns.value("targetArn", ""), sns.value("roleArn", ""), sns.value("enabled", false)};
    }
    const auto checks = json.value("checks", nlohmann::json::object());
    for (const auto& [name, check] : checks.items()) {
        configuration.checks[name] = {check.value("enabled", false),
                                      check.value("with", std::map<std::string, std::string>())};
    }
    return configuration;
}

constexpr std::string_view kSuppressionWord = "audit suppression";
constexpr std::string_view kSuppressions =
    "SELECT name, identifier, expires, description, client_token FROM audit_suppressions ";

AuditSuppression make_suppression(const store::Statement& row) {
    AuditSuppression one;
    one.check = row.text(0);
    one.identifier = row.text(1);
    if (!row.is_null(2)) one.expires = time_of(row, 2);
    one.description = row.text(3);
    one.client_token = row.text(4);
    return one;
}

std::string suppression_name(std::string_view check, std::string_view identifier) {
    return std::string(check) + " of " + std::string(identifier);
}

std::optional<std::int64_t> seconds_or_null(std::optional<Time> time) {
    if (!time) return std::nullopt;
    return seconds(*time);
}

constexpr std::string_view kSchedules =
    "SELECT name, frequency, day_of_month, day_of_week, checks, created, last_run "
    "FROM scheduled_audits ";

ScheduledAudit make_schedule(const store::Statement& row) {
    ScheduledAudit one;
    one.name = row.text(0);
    one.frequency = static_cast<AuditFrequency>(row.integer(1));
    if (!row.is_null(2)) one.day_of_month = static_cast<int>(row.integer(2));
    if (!row.is_null(3)) one.day_of_week = static_cast<int>(row.integer(3));
    one.checks = list_of(row.text(4));
    one.created = time_of(row, 5);
    if (!row.is_null(6)) one.last_run = time_of(row, 6);
    return one;
}

Result<> write_schedule(store::Tx& tx, const ScheduledAudit& audit) {
    std::optional<std::int64_t> month, week;
    if (audit.day_of_month) month = *audit.day_of_month;
    if (audit.day_of_week) week = *audit.day_of_week;
    return tx.run(
        "INSERT OR REPLACE INTO scheduled_audits(name, frequency, day_of_month, "
        "day_of_week, checks, created, last_run) VALUES(?, ?, ?, ?, ?, ?, ?)",
        audit.name,
        static_cast<int>(audit.frequency),
        month,
        week,
        list_text(audit.checks).value_or(""),
        seconds(audit.created),
        seconds_or_null(audit.last_run));
}

}  // namespace

Result<AuditConfiguration> audit_configuration(store::Reader& reader) {
    auto row = reader.query("SELECT value FROM meta WHERE name = ?", kAuditRow);
    auto there = row.step();
    if (!there) return std::move(there).error();
    return *there ? configuration_of(row.text(0)) : AuditConfiguration{};
}

Result<> set_audit_configuration(store::Tx& tx, const AuditConfiguration& configuration) {
    return tx.run(
        "INSERT INTO meta(name, value) VALUES(?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
        kAuditRow,
        configuration_text(configuration));
}

Result<> delete_audit_configuration(store::Tx& tx) {
    auto gone = tx.run("DELETE FROM meta WHERE name = ?", kAuditRow);
    if (gone && tx.changes() == 0) return missing("audit configuration", "of this account");
    return gone;
}

Result<> add_audit_suppression(store::Tx& tx, const AuditSuppression& suppression) {
    auto there = find_audit_suppression(tx, suppression.check, suppression.identifier);
    if (there && there->client_token == suppression.client_token) return {};
    if (there) {
        return fail(Code::AlreadyExists,
                    std::string(kSuppressionWord) + " " +
                        suppression_name(suppression.check, suppression.identifier) +
                        " exists already");
    }
    if (there.error().code != Code::NotFound) return std::move(there).error();
    return tx.run(
        "INSERT INTO audit_suppressions(name, identifier, expires, description, "
        "client_token) VALUES(?, ?, ?, ?, ?)",
        suppression.check,
        suppression.identifier,
        seconds_or_null(suppression.expires),
        suppression.description,
        suppression.client_token);
}

Result<AuditSuppression> find_audit_suppression(store::Reader& reader,
                                                std::string_view check,
                                                std::string_view identifier) {
    static const std::string kSql =
        std::string(kSuppressions) + "WHERE name = ? AND identifier = ?";
    auto row = reader.query(kSql, check, identifier);
    if (auto there = expect_row(row, kSuppressionWord, suppression_name(check, identifier));
        !there) {
        return std::move(there).error();
    }
    return make_suppression(row);
}

Result<> update_audit_suppression(store::Tx& tx, const AuditSuppression& suppression) {
    return tx.run(
        "UPDATE audit_suppressions SET expires = ?, description = ? "
        "WHERE name = ? AND identifier = ?",
        seconds_or_null(suppression.expires),
        suppression.description,
        suppression.check,
        suppression.identifier);
}

Result<> delete_audit_suppression(store::Tx& tx,
                                  std::string_view check,
                                  std::string_view identifier) {
    return tx.run(
        "DELETE FROM audit_suppressions WHERE name = ? AND identifier = ?", check, identifier);
}

Result<std::vector<AuditSuppression>> audit_suppressions(store::Reader& reader) {
    static const std::string kSql = std::string(kSuppressions) + "ORDER BY name, identifier";
    return read_all(reader.query(kSql), make_suppression);
}

Result<> add_scheduled_audit(store::Tx& tx, const ScheduledAudit& audit) {
    auto there = find_scheduled_audit(tx, audit.name);
    if (there) {
        return fail(Code::AlreadyExists,
                    std::string(kScheduledAudit.word) + " " + audit.name + " exists already");
    }
    if (there.error().code != Code::NotFound) return std::move(there).error();
    auto count = read_count(tx.query("SELECT count(*) FROM scheduled_audits"));
    if (!count) return std::move(count).error();
    if (*count >= kMaxScheduledAudits)
        return fail(Code::LimitExceeded, "5 scheduled audits are there already");
    return write_schedule(tx, audit);
}

Result<ScheduledAudit> find_scheduled_audit(store::Reader& reader, std::string_view name) {
    static const std::string kSql = std::string(kSchedules) + "WHERE name = ?";
    auto row = reader.query(kSql, name);
    if (auto there = expect_row(row, kScheduledAudit.word, name); !there)
        return std::move(there).error();
    return make_schedule(row);
}

Result<std::vector<ScheduledAudit>> scheduled_audits(store::Reader& reader) {
    static const std::string kSql = std::string(kSchedules) + "ORDER BY name";
    return read_all(reader.query(kSql), make_schedule);
}

Result<> update_scheduled_audit(store::Tx& tx, const ScheduledAudit& audit) {
    auto there = find_scheduled_audit(tx, audit.name);
    if (!there) return std::move(there).error();
    return write_schedule(tx, audit);
}

Result<> delete_scheduled_audit(store::Tx& tx, std::string_view name) {
    auto gone = tx.run("DELETE FROM scheduled_audits WHERE name = ?", name);
    if (gone && tx.changes() == 0) return missing(kScheduledAudit.word, name);
    if (!gone) return gone;
    return forget_tags(tx, kScheduledAudit.arn_type, name);
}

Result<> note_connect_conflict(store::Tx& tx, const ConnectConflict& conflict) {
    return tx.run(
        "INSERT INTO connect_conflicts(kind, certificate, client_id, first, last, count) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT DO UPDATE SET last = max(last, ?5), count = count + ?6",
        static_cast<int>(conflict.kind),
        conflict.certificate.view(),
        conflict.client_id,
        seconds(conflict.first),
        seconds(conflict.last),
        conflict.count);
}

Result<> forget_connect_conflicts(store::Tx& tx, Time before) {
    return tx.run("DELETE FROM connect_conflicts WHERE last < ?", seconds(before));
}

Result<std::vector<ConnectConflict>> connect_conflicts(store::Reader& reader,
                                                       ConnectConflict::Kind kind,
                                                       Time from) {
    return read_all(
        reader.query("SELECT certificate, client_id, first, last, count FROM connect_conflicts "
                     "WHERE kind = ? AND last >= ? ORDER BY certificate, client_id",
                     static_cast<int>(kind),
                     seconds(from)),
        [kind](const store::Statement& row) {
            return ConnectConflict{kind,
                                   id_of(row, 0),
                                   std::string(row.text(1)),
                                   time_of(row, 2),
                                   time_of(row, 3),
                                   row.integer(4)};
        });
}

}  // namespace hatchery::registry
