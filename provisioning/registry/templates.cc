#include "provisioning/registry/templates.h"

#include "provisioning/registry/rows.h"
#include "provisioning/registry/tags.h"

namespace hatchery::registry {

namespace {

constexpr std::int64_t kMaxTemplateVersions = 5;

constexpr std::string_view kTemplates =
    "SELECT t.key, t.name, t.description, t.role_arn, t.enabled, t.is_jitp, t.default_version, "
    "v.body, t.hook_target_arn, t.hook_payload_version, t.created, t.modified "
    "FROM templates t JOIN template_versions v "
    "ON v.template = t.key AND v.version = t.default_version ";

ProvisioningTemplate make_template(const store::Statement& row) {
    ProvisioningTemplate made;
    made.key = row.integer(0);
    made.name = row.text(1);
    made.description = row.text(2);
    made.role_arn = row.text(3);
    made.enabled = row.integer(4) != 0;
    made.is_jitp = row.integer(5) != 0;
    made.default_version = static_cast<int>(row.integer(6));
    made.body = row.text(7);
    made.hook_target_arn = row.optional_text(8);
    made.hook_payload_version = row.optional_text(9);
    made.created = time_of(row, 10);
    made.modified = time_of(row, 11);
    return made;
}

constexpr std::string_view kTemplateVersions =
    "SELECT v.version, v.body, v.version = t.default_version, v.created "
    "FROM template_versions v JOIN templates t ON t.key = v.template ";

TemplateVersion make_template_version(const store::Statement& row) {
    return {static_cast<int>(row.integer(0)),
            std::string(row.text(1)),
            row.integer(2) != 0,
            time_of(row, 3)};
}

Result<> insert_template_version(
    store::Tx& tx, std::int64_t key, std::int64_t version, std::string_view body, Time now) {
    return tx.run(
        "INSERT INTO template_versions(template, version, created, body) VALUES(?, ?, ?, ?)",
        key,
        version,
        seconds(now),
        body);
}

Result<std::int64_t> count_template_versions(store::Reader& reader, std::int64_t key) {
    return read_count(
        reader.query("SELECT count(*) FROM template_versions WHERE template = ?", key));
}

}  // namespace

Result<ProvisioningTemplate> create_template(store::Tx& tx,
                                             const Account& account,
                                             const ProvisioningTemplate& wanted,
                                             Time now) {
    if (auto good = check_template_name(wanted.name); !good) return std::move(good).error();
    auto there = key_of(tx, kTemplate, wanted.name);
    if (there) {
        Error error = exists(account, kTemplate, wanted.name);
        error.message = "provisioning template " + wanted.name + " exists already";
        return error;
    }
    if (there.error().code != Code::NotFound) return std::move(there).error();
    auto made = tx.run(
        "INSERT INTO templates(name, description, role_arn, enabled, is_jitp, "
        "default_version, last_version, hook_target_arn, hook_payload_version, created, "
        "modified) VALUES(?1, ?2, ?3, ?4, ?5, 1, 1, ?6, ?7, ?8, ?8)",
        wanted.name,
        wanted.description,
        wanted.role_arn,
        wanted.enabled,
        wanted.is_jitp,
        wanted.hook_target_arn,
        wanted.hook_payload_version,
        seconds(now));
    if (made) made = insert_template_version(tx, tx.last_insert_rowid(), 1, wanted.body, now);
    if (!made) return std::move(made).error();
    return find_template(tx, wanted.name);
}

Result<ProvisioningTemplate> find_template(store::Reader& reader, std::string_view name) {
    static const std::string kSql = std::string(kTemplates) + "WHERE t.name = ?";
    auto row = reader.query(kSql, name);
    if (auto there = expect_row(row, kTemplate.word, name); !there) return std::move(there).error();
    return make_template(row);
}

Result<Page<ProvisioningTemplate>> list_templates(store::Reader& reader,
                                                  const PageRequest& request) {
    static const std::string kSql =
        std::string(kTemplates) + "WHERE t.name > ? ORDER BY t.name LIMIT ?";
    return read_page(reader.query(kSql, request.after, page_limit(request) + 1),
                     request,
                     Position::Name,
                     make_template);
}

Result<> update_template(store::Tx& tx,
                         std::string_view name,
                         const TemplateUpdate& update,
                         Time now) {
    auto found = find_template(tx, name);
    if (!found) return std::move(found).error();
    if (update.remove_hook && update.hook_target_arn) {
        return fail(Code::InvalidRequest,
                    "expected preProvisioningHook or removePreProvisioningHook, found both",
                    "removePreProvisioningHook");
    }
    if (update.default_version) {
        auto version = find_template_version(tx, name, *update.default_version);
        if (!version) return std::move(version).error();
    }
    tx.touch_identities();  // the flows keep what they read of a template
    if (update.remove_hook || update.hook_target_arn) {
        auto set = tx.run(
            "UPDATE templates SET hook_target_arn = ?, hook_payload_version = ? "
            "WHERE key = ?",
            update.hook_target_arn,
            update.hook_payload_version,
            found->key);
        if (!set) return set;
    }
    return tx.run(
        "UPDATE templates SET description = coalesce(?, description), "
        "role_arn = coalesce(?, role_arn), enabled = coalesce(?, enabled), "
        "default_version = coalesce(?, default_version), modified = ? WHERE key = ?",
        update.description,
        update.role_arn,
        update.enabled,
        update.default_version,
        seconds(now),
        found->key);
}

Result<> delete_template(store::Tx& tx, std::string_view name) {
    auto key = key_of(tx, kTemplate, name);
    if (!key) return std::move(key).error();
    auto versions = count_template_versions(tx, *key);
    if (!versions) return std::move(versions).error();
    if (*versions > 1) {
        return fail(
            Code::DeleteConflict,
            "provisioning template " + std::string(name) + " has versions beside the default one");
    }
    tx.touch_identities();
    if (auto gone = forget_tags(tx, kTemplate.arn_type, name); !gone) return gone;
    return tx.run("DELETE FROM templates WHERE key = ?", *key);
}

Result<TemplateVersion> create_template_version(
    store::Tx& tx, std::string_view name, std::string_view body, bool set_default, Time now) {
    auto key = key_of(tx, kTemplate, name);
    if (!key) return std::move(key).error();
    auto count = count_template_versions(tx, *key);
    if (!count) return std::move(count).error();
    if (*count >= kMaxTemplateVersions) {
        return fail(Code::VersionsLimitExceeded,
                    "provisioning template " + std::string(name) + " has 5 versions already");
    }
    auto number = read_count(tx.query(
        "UPDATE templates SET last_version = last_version + 1 WHERE key = ? RETURNING last_version",
        *key));
    if (!number) return std::move(number).error();
    auto made = insert_template_version(tx, *key, *number, body, now);
    const int version = static_cast<int>(*number);
    if (made && set_default) {
        TemplateUpdate update;
        update.default_version = version;
        made = update_template(tx, name, update, now);
    }
    if (!made) return std::move(made).error();
    return TemplateVersion{version, std::string(body), set_default, now};
}

Result<TemplateVersion> find_template_version(store::Reader& reader,
                                              std::string_view name,
                                              int version) {
    static const std::string kSql =
        std::string(kTemplateVersions) + "WHERE t.key = ? AND v.version = ?";
    auto key = key_of(reader, kTemplate, name);
    if (!key) return std::move(key).error();
    auto row = reader.query(kSql, *key, version);
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there)
        return missing("version " + std::to_string(version) + " of provisioning template", name);
    return make_template_version(row);
}

Result<std::vector<TemplateVersion>> template_versions(store::Reader& reader,
                                                       std::string_view name) {
    static const std::string kSql =
        std::string(kTemplateVersions) + "WHERE t.key = ? ORDER BY v.version";
    auto key = key_of(reader, kTemplate, name);
    if (!key) return std::move(key).error();
    return read_all(reader.query(kSql, *key), make_template_version);
}

Result<> delete_template_version(store::Tx& tx, std::string_view name, int version) {
    auto found = find_template_version(tx, name, version);
    if (!found) return std::move(found).error();
    if (found->is_default) {
        return fail(Code::DeleteConflict,
                    "version " + std::to_string(version) +
                        " is the default version of provisioning template " + std::string(name));
    }
    return tx.run(
        "DELETE FROM template_versions WHERE version = ? "
        "AND template = (SELECT key FROM templates WHERE name = ?)",
        version,
        name);
}

}  // namespace hatchery::registry
