#include "provisioning/registry/policies.h"

#include "provisioning/registry/policy_rows.h"
#include "provisioning/registry/rows.h"
#include "provisioning/registry/tags.h"

namespace hatchery::registry {

namespace {

constexpr std::int64_t kMaxPolicyVersions = 5;

constexpr std::string_view kPolicies =
    "SELECT p.key, p.name, p.default_version, v.document, p.created, p.modified, p.generation_id "
    "FROM policies p JOIN policy_versions v "
    "ON v.policy = p.key AND v.version = p.default_version ";

Policy make_policy(const store::Statement& row) {
    Policy policy;
    policy.key = row.integer(0);
    policy.name = row.text(1);
    policy.default_version = static_cast<int>(row.integer(2));
    policy.document = row.text(3);
    policy.created = time_of(row, 4);
    policy.modified = time_of(row, 5);
    policy.generation_id = uuid_text(row.blob(6));
    return policy;
}

PolicyVersion make_policy_version(const store::Statement& row) {
    return {static_cast<int>(row.integer(0)),
            std::string(row.text(1)),
            row.integer(2) != 0,
            time_of(row, 3)};
}

constexpr std::string_view kPolicyVersions =
    "SELECT v.version, v.document, v.version = p.default_version, v.created "
    "FROM policy_versions v JOIN policies p ON p.key = v.policy ";

Error missing_version(std::string_view name, int version) {
    return missing("version " + std::to_string(version) + " of policy", name);
}

Result<> insert_policy_version(
    store::Tx& tx, std::int64_t policy, std::int64_t version, std::string_view document, Time now) {
    return tx.run(
        "INSERT INTO policy_versions(policy, version, created, document) VALUES(?, ?, ?, ?)",
        policy,
        version,
        seconds(now),
        document);
}

Result<std::int64_t> count_policy_versions(store::Reader& reader, std::int64_t policy) {
    return read_count(
        reader.query("SELECT count(*) FROM policy_versions WHERE policy = ?", policy));
}

Result<> make_default(store::Tx& tx, std::int64_t policy, int version, Time now) {
    tx.touch_identities();
    return tx.run("UPDATE policies SET default_version = ?, modified = ? WHERE key = ?",
                  version,
                  seconds(now),
                  policy);
}

}  // namespace

Result<Policy> create_policy(store::Tx& tx,
                             const Account& account,
                             std::string_view name,
                             std::string_view document,
                             Time now) {
    if (auto good = check_policy_name(name); !good) return std::move(good).error();
    auto there = key_of(tx, kPolicy, name);
    if (there) {
        Error error = exists(account, kPolicy, name);
        error.message = "policy " + std::string(name) + " exists already";
        return error;
    }
    if (there.error().code != Code::NotFound) return std::move(there).error();
    auto made = tx.run(
        "INSERT INTO policies(name, default_version, last_version, created, "
        "modified, generation_id) VALUES(?1, 1, 1, ?2, ?2, ?3)",
        name,
        seconds(now),
        new_uuid());
    if (made) made = insert_policy_version(tx, tx.last_insert_rowid(), 1, document, now);
    if (!made) return std::move(made).error();
    return find_policy(tx, name);
}

Result<Policy> find_policy(store::Reader& reader, std::string_view name) {
    static const std::string kSql = std::string(kPolicies) + "WHERE p.name = ?";
    auto row = reader.query(kSql, name);
    if (auto there = expect_row(row, kPolicy.word, name); !there) return std::move(there).error();
    return make_policy(row);
}

Result<std::shared_ptr<const Policy>> known_policy(store::Tx& tx, std::string_view name) {
    using Known = std::shared_ptr<const Policy>;
    // The row of a policy changes with its default version; a version's document never does.
    constexpr std::string_view kTable = "policies";
    if (const auto* known = tx.recall<Known>(kTable, name)) return *known;
    auto policy = find_policy(tx, name);
    if (!policy) return std::move(policy).error();
    Known known = std::make_shared<const Policy>(std::move(*policy));
    tx.remember(kTable, name, known);
    return known;
}

Result<Page<Policy>> list_policies(store::Reader& reader,
                                   const PageRequest& request,
                                   bool ascending) {
    static const std::string kUp =
        std::string(kPolicies) + "WHERE p.key > ? ORDER BY p.key LIMIT ?";
    static const std::string kDown =
        std::string(kPolicies) + "WHERE p.key < ? ORDER BY p.key DESC LIMIT ?";
    auto after = key_position(request, ascending);
    if (!after) return std::move(after).error();
    return read_page(reader.query(ascending ? kUp : kDown, *after, page_limit(request) + 1),
                     request,
                     Position::Key,
                     make_policy);
}

Result<> delete_policy(store::Tx& tx, std::string_view name) {
    auto key = key_of(tx, kPolicy, name);
    if (!key) return std::move(key).error();
    auto attached =
        has_row(tx.query("SELECT 1 FROM certificate_policies WHERE policy = ?1 "
                         "UNION ALL SELECT 1 FROM group_policies WHERE policy = ?1 LIMIT 1",
                         *key));
    if (!attached) return std::move(attached).error();
    if (*attached)
        return fail(Code::DeleteConflict, "policy " + std::string(name) + " is attached");
    auto versions = count_policy_versions(tx, *key);
    if (!versions) return std::move(versions).error();
    if (*versions > 1) {
        return fail(Code::DeleteConflict,
                    "policy " + std::string(name) + " has versions beside the default one");
    }
    if (auto gone = forget_tags(tx, kPolicy.arn_type, name); !gone) return gone;
    return tx.run("DELETE FROM policies WHERE key = ?", *key);
}

Result<PolicyVersion> create_policy_version(
    store::Tx& tx, std::string_view name, std::string_view document, bool set_default, Time now) {
    auto key = key_of(tx, kPolicy, name);
    if (!key) return std::move(key).error();
    auto count = count_policy_versions(tx, *key);
    if (!count) return std::move(count).error();
    if (*count >= kMaxPolicyVersions) {
        return fail(Code::VersionsLimitExceeded,
                    "policy " + std::string(name) + " has 5 versions already");
    }
    auto number = read_count(tx.query(
        "UPDATE policies SET last_version = last_version + 1 WHERE key = ? RETURNING last_version",
        *key));
    if (!number) return std::move(number).error();
    auto made = insert_policy_version(tx, *key, *number, document, now);
    const int version = static_cast<int>(*number);
    if (made && set_default) made = make_default(tx, *key, version, now);
    if (!made) return std::move(made).error();
    return PolicyVersion{version, std::string(document), set_default, now};
}

Result<PolicyVersion> find_policy_version(store::Reader& reader,
                                          std::string_view name,
                                          int version) {
    static const std::string kSql =
        std::string(kPolicyVersions) + "WHERE p.key = ? AND v.version = ?";
    auto key = key_of(reader, kPolicy, name);
    if (!key) return std::move(key).error();
    auto row = reader.query(kSql, *key, version);
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return missing_version(name, version);
    return make_policy_version(row);
}

Result<std::vector<PolicyVersion>> policy_versions(store::Reader& reader, std::string_view name) {
    static const std::string kSql =
        std::string(kPolicyVersions) + "WHERE p.key = ? ORDER BY v.version";
    auto key = key_of(reader, kPolicy, name);
    if (!key) return std::move(key).error();
    return read_all(reader.query(kSql, *key), make_policy_version);
}

Result<> delete_policy_version(store::Tx& tx, std::string_view name, int version) {
    auto found = find_policy_version(tx, name, version);
    if (!found) return std::move(found).error();
    if (found->is_default) {
        return fail(Code::DeleteConflict,
                    "version " + std::to_string(version) + " is the default version of policy " +
                        std::string(name));
    }
    return tx.run(
        "DELETE FROM policy_versions WHERE version = ? "
        "AND policy = (SELECT key FROM policies WHERE name = ?)",
        version,
        name);
}

Result<> set_default_policy_version(store::Tx& tx, std::string_view name, int version, Time now) {
    auto found = find_policy_version(tx, name, version);
    if (!found) return std::move(found).error();
    if (found->is_default) return {};
    auto key = key_of(tx, kPolicy, name);
    if (!key) return std::move(key).error();
    return make_default(tx, *key, version, now);
}

Result<std::vector<Policy>> read_policies(store::Reader& reader,
                                          std::string_view keys_sql,
                                          std::int64_t argument) {
    std::string sql(kPolicies);
    sql.append("WHERE p.key IN (").append(keys_sql).append(") ORDER BY p.key");
    return read_all(reader.query(sql, argument), make_policy);
}

}  // namespace hatchery::registry
