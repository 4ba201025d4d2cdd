#include "provisioning/registry/schema.h"

#include "provisioning/registry/audits_schema.h"
#include "provisioning/registry/jobs_schema.h"
#include "provisioning/registry/outgoing_schema.h"

#include <array>

namespace hatchery::registry {

namespace {

// Why the tables look as they do:
// - A random unique key dirties a page of its own for each row, so there are few: certificate ids,
//   thing names, serial numbers. Everything else refers to integer keys, which grow in order, and
//   whose indexes are written at their end.
// - Ids are 32 bytes, UUIDs 16, certificates DER; text forms are made when somebody asks.
// - Pure pairs are WITHOUT ROWID: the pair is the row. The second index of a pair serves the other
//   direction.
// - Times are seconds since 1970, UTC. Enumerations are the number of the C++ enumerator, so
//   enumerators keep their order.
// - `authorities` keeps every CA id ever named: a device certificate tells its CA after that CA's
//   registration is deleted.
// - `issued` is append-only, a row a certificate that may have been signed, chained by its hashes;
//   `signed` says what came of it; `ledger_head` shows that the end of the chain was not cut off.
constexpr std::string_view kVersion1 = R"sql(
CREATE TABLE meta(
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE thing_types(
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    uuid BLOB NOT NULL,
    description TEXT NOT NULL,
    searchable_attributes TEXT,
    created INTEGER NOT NULL,
    deprecated INTEGER
);

CREATE TABLE thing_groups(
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    uuid BLOB NOT NULL,
    description TEXT NOT NULL,
    parent INTEGER REFERENCES thing_groups(key),
    attributes TEXT,
    version INTEGER NOT NULL,
    created INTEGER NOT NULL
);
CREATE INDEX thing_groups_by_parent ON thing_groups(parent);

CREATE TABLE billing_groups(
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    uuid BLOB NOT NULL,
    description TEXT NOT NULL,
    version INTEGER NOT NULL,
    created INTEGER NOT NULL
);

CREATE TABLE things(
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    uuid BLOB NOT NULL,
    type INTEGER REFERENCES thing_types(key),
    billing_group INTEGER REFERENCES billing_groups(key) ON DELETE SET NULL,
    attributes TEXT,
    version INTEGER NOT NULL
);
CREATE INDEX things_by_type ON things(type) WHERE type IS NOT NULL;
CREATE INDEX things_by_billing_group ON things(billing_group) WHERE billing_group IS NOT NULL;

CREATE TABLE thing_group_members(
    thing_group INTEGER NOT NULL REFERENCES thing_groups(key) ON DELETE CASCADE,
    thing INTEGER NOT NULL REFERENCES things(key) ON DELETE CASCADE,
    PRIMARY KEY(thing_group, thing)
) WITHOUT ROWID;
CREATE INDEX thing_group_members_by_thing ON thing_group_members(thing);

CREATE TABLE authorities(
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE
);

CREATE TABLE ca_certificates(
    key INTEGER PRIMARY KEY REFERENCES authorities(key),
    der BLOB NOT NULL,
    subject BLOB NOT NULL,
    active INTEGER NOT NULL,
    auto_registration INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    template_name TEXT,
    template_body TEXT,
    role_arn TEXT,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    customer_version INTEGER NOT NULL,
    generation_id BLOB NOT NULL
);
CREATE INDEX ca_certificates_by_subject ON ca_certificates(subject);

CREATE TABLE certificates(
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    der BLOB NOT NULL,
    status INTEGER NOT NULL,
    ca INTEGER REFERENCES authorities(key),
    mode INTEGER NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    customer_version INTEGER NOT NULL,
    generation_id BLOB NOT NULL
);
CREATE INDEX certificates_by_ca ON certificates(ca) WHERE ca IS NOT NULL;

CREATE TABLE thing_principals(
    certificate INTEGER NOT NULL REFERENCES certificates(key),
    thing INTEGER NOT NULL REFERENCES things(key),
    exclusive INTEGER NOT NULL,
    PRIMARY KEY(certificate, thing)
) WITHOUT ROWID;
CREATE INDEX thing_principals_by_thing ON thing_principals(thing);

CREATE TABLE policies(
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    default_version INTEGER NOT NULL,
    last_version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    generation_id BLOB NOT NULL
);
CREATE TABLE policy_versions(
    policy INTEGER NOT NULL REFERENCES policies(key) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE(policy, version)
);
CREATE TABLE certificate_policies(
    certificate INTEGER NOT NULL REFERENCES certificates(key),
    policy INTEGER NOT NULL REFERENCES policies(key),
    PRIMARY KEY(certificate, policy)
) WITHOUT ROWID;
CREATE INDEX certificate_policies_by_policy ON certificate_policies(policy);
CREATE TABLE group_policies(
    thing_group INTEGER NOT NULL REFERENCES thing_groups(key) ON DELETE CASCADE,
    policy INTEGER NOT NULL REFERENCES policies(key),
    PRIMARY KEY(thing_group, policy)
) WITHOUT ROWID;
CREATE INDEX group_policies_by_policy ON group_policies(policy);

CREATE TABLE templates(
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    is_jitp INTEGER NOT NULL,
    default_version INTEGER NOT NULL,
    last_version INTEGER NOT NULL,
    hook_target_arn TEXT,
    hook_payload_version TEXT,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL
);
CREATE TABLE template_versions(
    template INTEGER NOT NULL REFERENCES templates(key) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE(template, version)
);

CREATE TABLE ownership_tokens(
    token_sha256 BLOB PRIMARY KEY,
    certificate INTEGER NOT NULL REFERENCES certificates(key) ON DELETE CASCADE,
    claim_certificate BLOB NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX ownership_tokens_by_certificate ON ownership_tokens(certificate);
CREATE INDEX ownership_tokens_by_expiry ON ownership_tokens(expires);

CREATE TABLE issued(
    sequence INTEGER PRIMARY KEY,
    issuer INTEGER NOT NULL REFERENCES authorities(key),
    serial_number BLOB NOT NULL,
    tbs BLOB NOT NULL,
    profile TEXT NOT NULL,
    requester TEXT NOT NULL,
    device_serial TEXT NOT NULL,
    recorded INTEGER NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL
);
CREATE UNIQUE INDEX issued_by_serial_number ON issued(serial_number, issuer);
CREATE INDEX issued_by_device ON issued(device_serial, profile) WHERE device_serial <> '';
CREATE TABLE signed(
    sequence INTEGER PRIMARY KEY REFERENCES issued(sequence),
    certificate BLOB NOT NULL,
    signature BLOB NOT NULL,
    completed INTEGER NOT NULL
);
CREATE TABLE ledger_head(
    sequence INTEGER NOT NULL,
    hash BLOB NOT NULL
);
INSERT INTO ledger_head VALUES(0, zeroblob(32));

CREATE TABLE access_keys(
    id TEXT PRIMARY KEY,
    wrapped_secret BLOB NOT NULL,
    role TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE stations(
    name TEXT PRIMARY KEY,
    certificate BLOB NOT NULL UNIQUE,
    profiles TEXT,
    enabled INTEGER NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID;
)sql";

// Traces are read by people, seldom: no index but the one that trims them.
constexpr std::string_view kVersion2 = R"sql(
CREATE TABLE attempts(
    key INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    count INTEGER NOT NULL,
    names TEXT NOT NULL,
    steps TEXT NOT NULL
);
CREATE INDEX attempts_by_outcome ON attempts(succeeded, key);
)sql";

// Tags belong to the end of an ARN ("thinggroup/Dev"). `attribute_values` is the search index: only
// the attributes that a thing type calls searchable, or that the indexing configuration names, are
// in it (values in lower case), so that a thing without such attributes costs no further row.
// `provisioning_claims` are the five-minute claim certificates of trusted users: no certificates of
// the account, so in a table of their own.
constexpr std::string_view kVersion3 = R"sql(
CREATE TABLE tags(
    resource TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY(resource, name)
) WITHOUT ROWID;
CREATE TABLE certificate_transfers(
    certificate INTEGER PRIMARY KEY REFERENCES certificates(key) ON DELETE CASCADE,
    account TEXT NOT NULL,
    message TEXT,
    reject_reason TEXT,
    transferred INTEGER NOT NULL,
    accepted INTEGER,
    rejected INTEGER
);
CREATE TABLE indexed_attributes(
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE attribute_values(
    attribute INTEGER NOT NULL REFERENCES indexed_attributes(key),
    value TEXT NOT NULL,
    thing INTEGER NOT NULL,
    PRIMARY KEY(attribute, value, thing)
) WITHOUT ROWID;
CREATE TABLE provisioning_claims(
    certificate BLOB PRIMARY KEY,
    template INTEGER NOT NULL REFERENCES templates(key) ON DELETE CASCADE,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX provisioning_claims_by_template ON provisioning_claims(template);
INSERT OR IGNORE INTO indexed_attributes(name)
    SELECT DISTINCT s.value FROM thing_types y, json_each(y.searchable_attributes) s;
INSERT INTO attribute_values(attribute, value, thing)
    SELECT i.key, lower(json_extract(t.attributes, '$."' || i.name || '"')), t.key
    FROM indexed_attributes i JOIN things t
    ON json_extract(t.attributes, '$."' || i.name || '"') IS NOT NULL;
)sql";

// Serial numbers that may register. A list of millions is one B-tree in its serial numbers' order:
// a sorted import appends to it, and a look-up reads one leaf. No foreign key: lists are never
// deleted, and a look-up a row would be felt. `state` is 0 unused, 1 used, 2 blocked. A pattern
// covers what has no row of its own; `high` is empty for a prefix.
constexpr std::string_view kVersion4 = R"sql(
CREATE TABLE allow_lists(
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE allowed_serials(
    list INTEGER NOT NULL,
    serial TEXT NOT NULL,
    state INTEGER NOT NULL,
    template TEXT,
    key_sha256 BLOB,
    not_before INTEGER,
    not_after INTEGER,
    certificate BLOB,
    used INTEGER,
    PRIMARY KEY(list, serial)
) WITHOUT ROWID;
CREATE TABLE allowed_patterns(
    list INTEGER NOT NULL,
    low TEXT NOT NULL,
    high TEXT NOT NULL,
    template TEXT,
    not_before INTEGER,
    not_after INTEGER,
    PRIMARY KEY(list, low, high)
) WITHOUT ROWID;
)sql";

// - `ledger_events` continues the chain of `issued` with what is no certificate: refusals,
//   revocations; both number their rows from `ledger_head`.
// - `issued_keys` holds the first 16 bytes of SHA-256 over a SubjectPublicKeyInfo, and the last row
//   that used it; `blocked_keys` the same form.
// - `crls`: shard -1 is the list of all shards. `crl_urls`: every URL that a CA's certificates may
//   name, since a list must name them all.
constexpr std::string_view kVersion5 = R"sql(
CREATE TABLE ledger_events(
    sequence INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    issuer BLOB NOT NULL,
    serial_number BLOB NOT NULL,
    detail TEXT NOT NULL,
    profile TEXT NOT NULL,
    requester TEXT NOT NULL,
    device_serial TEXT NOT NULL,
    recorded INTEGER NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL
);
CREATE TABLE issued_keys(
    public_key BLOB PRIMARY KEY,
    sequence INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE blocked_keys(
    public_key BLOB PRIMARY KEY,
    blocked INTEGER NOT NULL,
    why TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE revocations(
    key INTEGER PRIMARY KEY,
    issuer INTEGER NOT NULL REFERENCES authorities(key),
    shard INTEGER NOT NULL,
    serial_number BLOB NOT NULL,
    reason INTEGER NOT NULL,
    revoked INTEGER NOT NULL,
    prior_status INTEGER,
    UNIQUE(serial_number, issuer)
);
CREATE INDEX revocations_by_shard ON revocations(issuer, shard);
CREATE TABLE crls(
    issuer INTEGER NOT NULL REFERENCES authorities(key),
    shard INTEGER NOT NULL,
    number INTEGER NOT NULL,
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    is_stale INTEGER NOT NULL,
    der BLOB NOT NULL,
    UNIQUE(issuer, shard)
);
CREATE TABLE crl_urls(
    issuer INTEGER NOT NULL REFERENCES authorities(key),
    pattern TEXT NOT NULL,
    PRIMARY KEY(issuer, pattern)
) WITHOUT ROWID;
CREATE TABLE renewals(
    certificate BLOB PRIMARY KEY,
    replaced BLOB NOT NULL,
    made INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX renewals_by_replaced ON renewals(replaced);
ALTER TABLE stations ADD COLUMN quota INTEGER;
ALTER TABLE stations ADD COLUMN period INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stations ADD COLUMN period_start INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stations ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stations ADD COLUMN not_before INTEGER;
ALTER TABLE stations ADD COLUMN not_after INTEGER;
ALTER TABLE stations ADD COLUMN serial_numbers TEXT;
)sql";

// Bulk registration, keys in escrow.
constexpr std::string_view kVersion7 = R"sql(
CREATE TABLE registration_tasks(
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    template_body TEXT NOT NULL,
    bucket TEXT NOT NULL,
    file TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    status INTEGER NOT NULL,
    message TEXT NOT NULL,
    successes INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    percentage INTEGER NOT NULL
);
CREATE TABLE registered_lines(
    task INTEGER NOT NULL REFERENCES registration_tasks(key),
    line INTEGER NOT NULL,
    certificate BLOB,
    error TEXT,
    PRIMARY KEY(task, line)
) WITHOUT ROWID;
CREATE TABLE escrowed_keys(
    certificate BLOB PRIMARY KEY,
    cms TEXT NOT NULL
) WITHOUT ROWID;
)sql";

// The payload of a rule is its topicRulePayload, JSON. `rule_queue` is what their actions still
// have to do: rows come and go with messages, those whose time came first before the others.
constexpr std::string_view kVersion9 = R"sql(
CREATE TABLE topic_rules(
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    topic_filter TEXT NOT NULL,
    payload TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    created INTEGER NOT NULL
);
CREATE TABLE rule_queue(
    key INTEGER PRIMARY KEY,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    error_action TEXT,
    topic TEXT NOT NULL,
    client_id TEXT NOT NULL,
    message BLOB NOT NULL,
    outgoing BLOB,
    attempts INTEGER NOT NULL,
    not_before INTEGER NOT NULL
);
CREATE INDEX rule_queue_by_time ON rule_queue(kind, not_before);
)sql";

// What is called what; the contents are files in the data directory.
constexpr std::string_view kVersion11 = R"sql(
CREATE TABLE files(
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    sha256 BLOB NOT NULL,
    size INTEGER NOT NULL,
    created INTEGER NOT NULL
);
CREATE INDEX files_by_content ON files(sha256);
)sql";

// A trigger costs each membership 2 us: joining a group is one function (job_rows.h), and only
// leaving it happens by cascades, too.
constexpr std::string_view kVersion12 = "DROP TRIGGER job_member_added;";

// Nine foreign keys cost each device 3 us of 28: each looks up a row that the same write has just
// made or read. What they kept true for the other end, triggers keep true: what is attached cannot
// be deleted, and memberships go with their thing or group. Only the text of the tables changes
// (sqlite.org/lang_altertable.html#otheralter), whatever their size.
constexpr std::string_view kVersion13 = R"sql(
PRAGMA writable_schema=ON;
UPDATE sqlite_schema SET sql = replace(sql, ' REFERENCES thing_types(key)', '')
    WHERE name = 'things';
UPDATE sqlite_schema SET sql = replace(sql, ' REFERENCES authorities(key)', '')
    WHERE name = 'certificates';
UPDATE sqlite_schema SET sql = replace(replace(sql,
        ' REFERENCES thing_groups(key) ON DELETE CASCADE', ''),
        ' REFERENCES things(key) ON DELETE CASCADE', '')
    WHERE name = 'thing_group_members';
UPDATE sqlite_schema SET sql = replace(replace(sql,
        ' REFERENCES certificates(key)', ''), ' REFERENCES things(key)', '')
    WHERE name = 'thing_principals';
UPDATE sqlite_schema SET sql = replace(replace(sql,
        ' REFERENCES certificates(key)', ''), ' REFERENCES policies(key)', '')
    WHERE name = 'certificate_policies';
PRAGMA writable_schema=RESET;
CREATE TRIGGER thing_type_kept BEFORE DELETE ON thing_types
    WHEN EXISTS (SELECT 1 FROM things WHERE type = old.key)
BEGIN SELECT raise(ABORT, 'the thing type has things'); END;
CREATE TRIGGER thing_kept BEFORE DELETE ON things
    WHEN EXISTS (SELECT 1 FROM thing_principals WHERE thing = old.key)
BEGIN SELECT raise(ABORT, 'the thing has certificates'); END;
CREATE TRIGGER certificate_kept BEFORE DELETE ON certificates
    WHEN EXISTS (SELECT 1 FROM thing_principals WHERE certificate = old.key)
        OR EXISTS (SELECT 1 FROM certificate_policies WHERE certificate = old.key)
BEGIN SELECT raise(ABORT, 'the certificate has things or policies'); END;
CREATE TRIGGER policy_kept BEFORE DELETE ON policies
    WHEN EXISTS (SELECT 1 FROM certificate_policies WHERE policy = old.key)
BEGIN SELECT raise(ABORT, 'the policy has certificates'); END;
CREATE TRIGGER thing_gone AFTER DELETE ON things
BEGIN DELETE FROM thing_group_members WHERE thing = old.key; END;
CREATE TRIGGER thing_group_gone AFTER DELETE ON thing_groups
BEGIN DELETE FROM thing_group_members WHERE thing_group = old.key; END;
)sql";

// A message that rules republish meets the rules again, so many times.
constexpr std::string_view kVersion15 =
    "ALTER TABLE rule_queue ADD COLUMN republished INTEGER NOT NULL DEFAULT 0;";

constexpr std::array<store::Migration, 15> kMigrations{{{1, kVersion1},
                                                        {2, kVersion2},
                                                        {3, kVersion3},
                                                        {4, kVersion4},
                                                        {5, kVersion5},
                                                        {6, kOutgoingSchema},
                                                        {7, kVersion7},
                                                        {8, kAuditsSchema},
                                                        {9, kVersion9},
                                                        {10, kJobsSchema},
                                                        {11, kVersion11},
                                                        {12, kVersion12},
                                                        {13, kVersion13},
                                                        {14, kJobCountsSchema},
                                                        {15, kVersion15}}};

}  // namespace

std::span<const store::Migration> migrations() {
    return kMigrations;
}

Result<std::unique_ptr<store::Store>> open(const std::filesystem::path& file,
                                           store::Store::Options options) {
    return store::Store::open(file, migrations(), std::move(options));
}

}  // namespace hatchery::registry
