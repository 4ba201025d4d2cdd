// The tables of audits.h. This box's own.
#pragma once

#include <string_view>

namespace hatchery::registry {

// Audits. A finding is found by its task or by its place, never by what is in it; `identifier` is
// AWS's resourceIdentifier as text. `connect_conflicts` has a row for what should not be, none for
// the connects that are as they should.
inline constexpr std::string_view kAuditsSchema = R"sql(
CREATE TABLE audit_tasks(
    key INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    schedule TEXT,
    started INTEGER NOT NULL,
    status INTEGER NOT NULL,
    runner INTEGER NOT NULL
);
CREATE INDEX audit_tasks_in_progress ON audit_tasks(key) WHERE status = 0;
CREATE TABLE audit_checks(
    task INTEGER NOT NULL REFERENCES audit_tasks(key) ON DELETE CASCADE,
    name TEXT NOT NULL,
    status INTEGER NOT NULL,
    total INTEGER NOT NULL,
    non_compliant INTEGER NOT NULL,
    suppressed INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY(task, name)
) WITHOUT ROWID;
CREATE TABLE audit_findings(
    key INTEGER PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES audit_tasks(key) ON DELETE CASCADE,
    name TEXT NOT NULL,
    found INTEGER NOT NULL,
    severity TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    identifier TEXT NOT NULL,
    info TEXT NOT NULL,
    related TEXT NOT NULL,
    reason TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    suppressed INTEGER NOT NULL
);
CREATE INDEX audit_findings_by_task ON audit_findings(task);
CREATE TABLE audit_suppressions(
    name TEXT NOT NULL,
    identifier TEXT NOT NULL,
    expires INTEGER,
    description TEXT NOT NULL,
    client_token TEXT NOT NULL,
    PRIMARY KEY(name, identifier)
) WITHOUT ROWID;
CREATE TABLE scheduled_audits(
    name TEXT PRIMARY KEY,
    frequency INTEGER NOT NULL,
    day_of_month INTEGER,
    day_of_week INTEGER,
    checks TEXT NOT NULL,
    created INTEGER NOT NULL,
    last_run INTEGER
) WITHOUT ROWID;
CREATE TABLE connect_conflicts(
    kind INTEGER NOT NULL,
    certificate BLOB NOT NULL,
    client_id TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY(kind, certificate, client_id)
) WITHOUT ROWID;
)sql";

}  // namespace hatchery::registry
