// The tables of jobs (jobs.h), two migrations. This box's own.
#pragma once

#include <string_view>

namespace hatchery::registry {

// - `settings` are the members of CreateJob that are only given back, or read when they are due, as
//   JSON; `chores` is what is left to do in the background (a bit each, jobs.h).
// - `job_groups` holds the target groups with everything below them, groups made later included;
//   `after` and `is_done` are how far their members have got executions, so that a job of any size
//   is made in short commits.
// - An execution that was tried again is `is_superseded`: history, counted nowhere.
// - Status 0 and 1 (QUEUED, IN_PROGRESS) are what a device has to do; 8 has not been rolled out.
// - Whoever changes what a thing has to do, in whatever way, leaves a row in `job_notices` (the
//   device is to be told), and whoever changes group memberships one in `job_memberships`: triggers
//   see cascades, too (that of joining is gone, note_joined). `job_next` is what a device was last
//   told to do next.
inline constexpr std::string_view kJobsSchema = R"sql(
CREATE TABLE jobs(
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    status INTEGER NOT NULL,
    is_continuous INTEGER NOT NULL,
    is_rotation INTEGER NOT NULL,
    document TEXT NOT NULL,
    settings TEXT NOT NULL,
    targets TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    completed INTEGER,
    reason_code TEXT,
    comment TEXT,
    is_force_canceled INTEGER NOT NULL DEFAULT 0,
    chores INTEGER NOT NULL DEFAULT 0,
    starts INTEGER,
    ends INTEGER,
    rollout_minute INTEGER NOT NULL DEFAULT 0,
    rollout_used INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX jobs_by_status ON jobs(status, key);
CREATE INDEX jobs_with_chores ON jobs(key) WHERE chores <> 0;
CREATE TABLE job_groups(
    job INTEGER NOT NULL REFERENCES jobs(key) ON DELETE CASCADE,
    thing_group INTEGER NOT NULL REFERENCES thing_groups(key) ON DELETE CASCADE,
    is_target INTEGER NOT NULL,
    after INTEGER NOT NULL DEFAULT 0,
    is_done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(job, thing_group)
) WITHOUT ROWID;
CREATE INDEX job_groups_by_group ON job_groups(thing_group);
CREATE TABLE job_executions(
    key INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs(key),
    thing INTEGER NOT NULL REFERENCES things(key) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    status INTEGER NOT NULL,
    version INTEGER NOT NULL,
    details TEXT,
    queued INTEGER NOT NULL,
    started INTEGER,
    updated INTEGER NOT NULL,
    progress_due INTEGER,
    step_due INTEGER,
    due INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    is_direct INTEGER NOT NULL,
    is_superseded INTEGER NOT NULL DEFAULT 0,
    is_force_canceled INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX job_executions_by_thing ON job_executions(thing, job, number);
CREATE INDEX job_executions_by_job ON job_executions(job, is_superseded, status);
CREATE INDEX job_executions_by_due ON job_executions(due) WHERE due IS NOT NULL;
CREATE TABLE job_notices(
    thing INTEGER PRIMARY KEY,
    is_list_changed INTEGER NOT NULL
);
CREATE TABLE job_next(
    thing INTEGER PRIMARY KEY REFERENCES things(key) ON DELETE CASCADE,
    execution INTEGER NOT NULL
);
CREATE TABLE job_memberships(
    thing INTEGER PRIMARY KEY
);
CREATE TRIGGER job_execution_added AFTER INSERT ON job_executions WHEN new.status IN (0, 1)
BEGIN
    INSERT INTO job_notices(thing, is_list_changed) VALUES(new.thing, 1)
        ON CONFLICT DO UPDATE SET is_list_changed = 1;
END;
CREATE TRIGGER job_execution_moved AFTER UPDATE OF status ON job_executions
    WHEN new.status <> old.status AND (new.status IN (0, 1) OR old.status IN (0, 1))
BEGIN
    INSERT INTO job_notices(thing, is_list_changed)
        VALUES(new.thing, (new.status IN (0, 1)) <> (old.status IN (0, 1)))
        ON CONFLICT DO UPDATE SET is_list_changed = max(is_list_changed, excluded.is_list_changed);
END;
CREATE TRIGGER job_execution_gone AFTER DELETE ON job_executions WHEN old.status IN (0, 1)
BEGIN
    INSERT INTO job_notices(thing, is_list_changed) VALUES(old.thing, 1)
        ON CONFLICT DO UPDATE SET is_list_changed = 1;
END;
CREATE TRIGGER job_member_added AFTER INSERT ON thing_group_members
    WHEN EXISTS (SELECT 1 FROM job_groups g JOIN jobs j ON j.key = g.job
                 WHERE g.thing_group = new.thing_group AND j.is_continuous = 1 AND j.status = 0)
BEGIN
    INSERT OR IGNORE INTO job_memberships(thing) VALUES(new.thing);
END;
CREATE TRIGGER job_member_gone AFTER DELETE ON thing_group_members
    WHEN EXISTS (SELECT 1 FROM job_groups g JOIN jobs j ON j.key = g.job
                 WHERE g.thing_group = old.thing_group AND j.is_continuous = 1 AND j.status = 0)
BEGIN
    INSERT OR IGNORE INTO job_memberships(thing) VALUES(old.thing);
END;
CREATE TRIGGER job_group_below AFTER INSERT ON thing_groups WHEN new.parent IS NOT NULL
BEGIN
    INSERT INTO job_groups(job, thing_group, is_target, is_done)
        SELECT job, new.key, 0, 1 FROM job_groups WHERE thing_group = new.parent;
END;
)sql";

// How many executions a job has in which status, for its rates and thresholds, which are looked at
// five times a second: whoever changes an execution, in whatever way, changes it in the same
// commit.
inline constexpr std::string_view kJobCountsSchema = R"sql(
CREATE TABLE job_counts(
    job INTEGER NOT NULL REFERENCES jobs(key) ON DELETE CASCADE,
    status INTEGER NOT NULL,
    executions INTEGER NOT NULL,
    PRIMARY KEY(job, status)
) WITHOUT ROWID;
INSERT INTO job_counts(job, status, executions)
    SELECT job, status, count(*) FROM job_executions WHERE is_superseded = 0 GROUP BY job, status;
CREATE TRIGGER job_execution_counted AFTER INSERT ON job_executions WHEN new.is_superseded = 0
BEGIN
    INSERT INTO job_counts(job, status, executions) VALUES(new.job, new.status, 1)
        ON CONFLICT DO UPDATE SET executions = executions + 1;
END;
CREATE TRIGGER job_execution_recounted AFTER UPDATE OF status, is_superseded ON job_executions
    WHEN new.status <> old.status OR new.is_superseded <> old.is_superseded
BEGIN
    UPDATE job_counts SET executions = executions - 1
        WHERE job = old.job AND status = old.status AND old.is_superseded = 0;
    INSERT INTO job_counts(job, status, executions)
        SELECT new.job, new.status, 1 WHERE new.is_superseded = 0
        ON CONFLICT DO UPDATE SET executions = executions + 1;
END;
CREATE TRIGGER job_execution_uncounted AFTER DELETE ON job_executions WHEN old.is_superseded = 0
BEGIN
    UPDATE job_counts SET executions = executions - 1 WHERE job = old.job AND status = old.status;
END;
)sql";

}  // namespace hatchery::registry
