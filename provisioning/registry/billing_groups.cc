#include "provisioning/registry/rows.h"
#include "provisioning/registry/tags.h"
#include "provisioning/registry/things.h"

namespace hatchery::registry {

namespace {

constexpr std::string_view kBillingGroups =
    "SELECT key, name, uuid, description, version, created FROM billing_groups ";

BillingGroup make_group(const store::Statement& row) {
    BillingGroup group;
    group.key = row.integer(0);
    group.name = row.text(1);
    group.id = uuid_text(row.blob(2));
    group.description = row.text(3);
    group.version = row.integer(4);
    group.created = time_of(row, 5);
    return group;
}

}  // namespace

Result<BillingGroup> create_billing_group(store::Tx& tx,
                                          const Account& account,
                                          const BillingGroup& wanted,
                                          Time now) {
    if (auto good = check_group_name(wanted.name, "billingGroupName"); !good)
        return std::move(good).error();
    auto there = find_billing_group(tx, wanted.name);
    if (there) {
        if (there->description == wanted.description) return there;
        return exists(account, kBillingGroup, wanted.name);
    }
    if (there.error().code != Code::NotFound) return there;
    auto made = tx.run(
        "INSERT INTO billing_groups(name, uuid, description, version, created) "
        "VALUES(?, ?, ?, 1, ?)",
        wanted.name,
        new_uuid(),
        wanted.description,
        seconds(now));
    if (!made) return std::move(made).error();
    return find_billing_group(tx, wanted.name);
}

Result<BillingGroup> find_billing_group(store::Reader& reader, std::string_view name) {
    static const std::string kSql = std::string(kBillingGroups) + "WHERE name = ?";
    auto row = reader.query(kSql, name);
    if (auto there = expect_row(row, kBillingGroup.word, name); !there)
        return std::move(there).error();
    return make_group(row);
}

Result<Page<BillingGroup>> list_billing_groups(store::Reader& reader, const PageRequest& request) {
    static const std::string kSql =
        std::string(kBillingGroups) + "WHERE name > ? ORDER BY name LIMIT ?";
    return read_page(reader.query(kSql, request.after, page_limit(request) + 1),
                     request,
                     Position::Name,
                     make_group);
}

Result<std::int64_t> update_billing_group(store::Tx& tx,
                                          std::string_view name,
                                          std::optional<std::string> description,
                                          std::optional<std::int64_t> expected_version) {
    auto group = find_billing_group(tx, name);
    if (!group) return std::move(group).error();
    if (auto good = check_version(expected_version, group->version); !good)
        return std::move(good).error();
    auto set = tx.run(
        "UPDATE billing_groups SET description = ?, version = version + 1 "
        "WHERE key = ?",
        description.value_or(group->description),
        group->key);
    if (!set) return std::move(set).error();
    return group->version + 1;
}

Result<> delete_billing_group(store::Tx& tx,
                              std::string_view name,
                              std::optional<std::int64_t> expected_version) {
    auto group = find_billing_group(tx, name);
    if (!group && group.error().code == Code::NotFound) return {};
    if (!group) return std::move(group).error();
    if (auto good = check_version(expected_version, group->version); !good) return good;
    if (auto gone = forget_tags(tx, kBillingGroup.arn_type, name); !gone) return gone;
    return tx.run("DELETE FROM billing_groups WHERE key = ?", group->key);
}

Result<> set_billing_group(store::Tx& tx,
                           std::string_view thing,
                           std::optional<std::string> billing_group) {
    auto thing_key = key_of(tx, kThing, thing);
    if (!thing_key) return std::move(thing_key).error();
    std::optional<std::int64_t> group_key;
    if (billing_group) {
        auto found = key_of(tx, kBillingGroup, *billing_group);
        if (!found) return std::move(found).error();
        group_key = *found;
    }
    return tx.run("UPDATE things SET billing_group = ? WHERE key = ?", group_key, *thing_key);
}

Result<Page<std::string>> things_in_billing_group(store::Reader& reader,
                                                  std::string_view group,
                                                  const PageRequest& request) {
    auto group_key = key_of(reader, kBillingGroup, group);
    if (!group_key) return std::move(group_key).error();
    auto after = key_position(request);
    if (!after) return std::move(after).error();
    auto rows = reader.query(
        "SELECT key, name FROM things WHERE billing_group = ? AND key > ? ORDER BY key LIMIT ?",
        *group_key,
        *after,
        page_limit(request) + 1);
    return read_page(std::move(rows), request, Position::Key, [](const store::Statement& row) {
        return std::string(row.text(1));
    });
}

}  // namespace hatchery::registry
