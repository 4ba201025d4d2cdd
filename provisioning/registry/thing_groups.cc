#include "provisioning/registry/job_rows.h"
#include "provisioning/registry/rows.h"
#include "provisioning/registry/tags.h"
#include "provisioning/registry/things.h"

namespace hatchery::registry {

namespace {

constexpr std::size_t kMaxDepth = 7;  // levels, the root's included
constexpr std::size_t kMaxGroupAttributes = 50;
constexpr std::int64_t kMaxGroupsOfThing = 10;

constexpr std::string_view kThingGroups =
    "SELECT g.key, g.name, g.uuid, g.description, p.name, g.attributes, g.version, g.created "
    "FROM thing_groups g LEFT JOIN thing_groups p ON p.key = g.parent ";

/// Without its ancestors.
ThingGroup make_group(const store::Statement& row) {
    ThingGroup group;
    group.key = row.integer(0);
    group.name = row.text(1);
    group.id = uuid_text(row.blob(2));
    group.description = row.text(3);
    group.parent = row.optional_text(4);
    group.attributes = map_of(row.text(5));
    group.version = row.integer(6);
    group.created = time_of(row, 7);
    return group;
}

/// Names of the groups above `key`, root first.
Result<std::vector<std::string>> ancestors_of(store::Reader& reader, std::int64_t key) {
    auto rows = reader.query(
        "WITH RECURSIVE up(key, distance) AS ("
        "  SELECT parent, 1 FROM thing_groups WHERE key = ? AND parent IS NOT NULL"
        "  UNION ALL SELECT g.parent, up.distance + 1 FROM up JOIN thing_groups g ON g.key = up.key"
        "  WHERE g.parent IS NOT NULL) "
        "SELECT g.name FROM up JOIN thing_groups g ON g.key = up.key ORDER BY up.distance DESC",
        key);
    return read_all(std::move(rows),
                    [](const store::Statement& row) { return std::string(row.text(0)); });
}

Result<> check_group(const ThingGroup& wanted) {
    if (auto good = check_group_name(wanted.name, "thingGroupName"); !good) return good;
    if (wanted.attributes.size() > kMaxGroupAttributes) {
        return fail(
            Code::InvalidRequest,
            "expected at most 50 attributes, found " + std::to_string(wanted.attributes.size()),
            "thingGroupProperties/attributePayload");
    }
    for (const auto& [name, value] : wanted.attributes) {
        if (auto good = check_attribute(name, value); !good) return good;
    }
    return {};
}

/// The parent's key, if the group may hang below it.
Result<std::optional<std::int64_t>> place_below(store::Reader& reader, const ThingGroup& wanted) {
    if (!wanted.parent) return std::optional<std::int64_t>();
    auto parent = find_thing_group(reader, *wanted.parent);
    if (!parent) return std::move(parent).error();
    if (parent->ancestors.size() + 2 > kMaxDepth) {
        return fail(Code::LimitExceeded,
                    "thing group " + wanted.name + " would be deeper than " +
                        std::to_string(kMaxDepth) + " levels",
                    "parentGroupName");
    }
    return std::optional(parent->key);
}

}  // namespace

Result<ThingGroup> create_thing_group(store::Tx& tx,
                                      const Account& account,
                                      const ThingGroup& wanted,
                                      Time now) {
    if (auto good = check_group(wanted); !good) return std::move(good).error();
    auto parent = place_below(tx, wanted);
    if (!parent) return std::move(parent).error();
    auto there = find_thing_group(tx, wanted.name);
    if (there) {
        if (there->parent == wanted.parent && there->description == wanted.description &&
            there->attributes == wanted.attributes) {
            return there;
        }
        return exists(account, kThingGroup, wanted.name);
    }
    if (there.error().code != Code::NotFound) return there;
    auto made = tx.run(
        "INSERT INTO thing_groups(name, uuid, description, parent, attributes, "
        "version, created) VALUES(?, ?, ?, ?, ?, 1, ?)",
        wanted.name,
        new_uuid(),
        wanted.description,
        *parent,
        map_text(wanted.attributes),
        seconds(now));
    if (!made) return std::move(made).error();
    return find_thing_group(tx, wanted.name);
}

Result<ThingGroup> find_thing_group(store::Reader& reader, std::string_view name) {
    static const std::string kSql = std::string(kThingGroups) + "WHERE g.name = ?";
    auto row = reader.query(kSql, name);
    if (auto there = expect_row(row, kThingGroup.word, name); !there)
        return std::move(there).error();
    ThingGroup group = make_group(row);
    auto ancestors = ancestors_of(reader, group.key);
    if (!ancestors) return std::move(ancestors).error();
    group.ancestors = std::move(*ancestors);
    return group;
}

Result<Page<ThingGroup>> list_thing_groups(store::Reader& reader,
                                           const PageRequest& request,
                                           std::optional<std::string> parent) {
    static const std::string kAll =
        std::string(kThingGroups) + "WHERE g.name > ? ORDER BY g.name LIMIT ?";
    static const std::string kChildren =
        std::string(kThingGroups) + "WHERE g.name > ? AND g.parent = ? ORDER BY g.name LIMIT ?";
    const int limit = page_limit(request) + 1;
    if (!parent)
        return read_page(
            reader.query(kAll, request.after, limit), request, Position::Name, make_group);
    auto parent_key = key_of(reader, kThingGroup, *parent);
    if (!parent_key) return std::move(parent_key).error();
    return read_page(reader.query(kChildren, request.after, *parent_key, limit),
                     request,
                     Position::Name,
                     make_group);
}

Result<std::int64_t> update_thing_group(store::Tx& tx,
                                        std::string_view name,
                                        const ThingGroupUpdate& update) {
    auto group = find_thing_group(tx, name);
    if (!group) return std::move(group).error();
    if (auto good = check_version(update.expected_version, group->version); !good)
        return std::move(good).error();
    ThingGroup next = *group;
    if (update.description) next.description = *update.description;
    if (update.attributes) {
        next.attributes =
            updated_attributes(group->attributes, *update.attributes, update.merge_attributes);
    }
    if (auto good = check_group(next); !good) return std::move(good).error();
    auto set = tx.run(
        "UPDATE thing_groups SET description = ?, attributes = ?, "
        "version = version + 1 WHERE key = ?",
        next.description,
        map_text(next.attributes),
        group->key);
    if (!set) return std::move(set).error();
    return group->version + 1;
}

Result<> delete_thing_group(store::Tx& tx,
                            std::string_view name,
                            std::optional<std::int64_t> expected_version) {
    auto group = find_thing_group(tx, name);
    if (!group && group.error().code == Code::NotFound) return {};
    if (!group) return std::move(group).error();
    if (auto good = check_version(expected_version, group->version); !good) return good;
    auto children =
        has_row(tx.query("SELECT 1 FROM thing_groups WHERE parent = ? LIMIT 1", group->key));
    if (!children) return std::move(children).error();
    if (*children) {
        return fail(Code::InvalidRequest,
                    "thing group " + std::string(name) + " still has child groups");
    }
    tx.touch_identities();
    if (auto gone = forget_tags(tx, kThingGroup.arn_type, name); !gone) return gone;
    return tx.run("DELETE FROM thing_groups WHERE key = ?", group->key);
}

namespace {

/// Is the thing in the group, or may it come into it? true: it may, and is not.
Result<bool> has_place(store::Reader& reader,
                       std::int64_t thing,
                       std::string_view name,
                       std::int64_t group) {
    auto row = reader.query(
        "SELECT count(*), max(thing_group = ?2) FROM thing_group_members WHERE thing = ?1",
        thing,
        group);
    if (auto there = row.step(); !there) return std::move(there).error();
    if (row.integer(1) != 0) return false;
    if (row.integer(0) < kMaxGroupsOfThing) return true;
    return fail(Code::LimitExceeded,
                "thing " + std::string(name) + " is in 10 thing groups already");
}

Result<> add_member(store::Tx& tx, std::int64_t thing, std::string_view name, std::int64_t group) {
    std::int64_t* const of_new = tx.count_of_new(tag_of_thing_groups(thing));
    if (of_new == nullptr || *of_new >= kMaxGroupsOfThing) {
        auto place = has_place(tx, thing, name, group);
        if (!place) return std::move(place).error();
        if (!*place) return {};
    }
    auto made = tx.run(
        "INSERT INTO thing_group_members(thing_group, thing) VALUES(?, ?) "
        "ON CONFLICT DO NOTHING",
        group,
        thing);
    if (!made || tx.changes() == 0) return made;
    if (of_new != nullptr) {
        ++*of_new;
    } else {
        tx.touch_identities();
    }
    return note_joined(tx, thing, group);
}

}  // namespace

Result<> add_thing_to_group(store::Tx& tx, std::string_view thing, std::string_view group) {
    auto thing_key = key_of(tx, kThing, thing);
    if (!thing_key) return std::move(thing_key).error();
    auto group_key = key_of(tx, kThingGroup, group);
    if (!group_key) return std::move(group_key).error();
    return add_member(tx, *thing_key, thing, *group_key);
}

Result<> add_thing_to_group(store::Tx& tx, const Thing& thing, std::string_view group) {
    auto group_key = key_of(tx, kThingGroup, group);
    if (!group_key) return std::move(group_key).error();
    return add_member(tx, thing.key, thing.name, *group_key);
}

Result<> remove_thing_from_group(store::Tx& tx, std::string_view thing, std::string_view group) {
    auto thing_key = key_of(tx, kThing, thing);
    if (!thing_key) return std::move(thing_key).error();
    auto group_key = key_of(tx, kThingGroup, group);
    if (!group_key) return std::move(group_key).error();
    auto removed = tx.run("DELETE FROM thing_group_members WHERE thing_group = ? AND thing = ?",
                          *group_key,
                          *thing_key);
    if (removed && tx.changes() > 0) tx.touch_identities();
    return removed;
}

Result<std::vector<std::string>> groups_of_thing(store::Reader& reader, std::string_view thing) {
    auto thing_key = key_of(reader, kThing, thing);
    if (!thing_key) return std::move(thing_key).error();
    auto rows = reader.query(
        "SELECT g.name FROM thing_group_members m JOIN thing_groups g ON g.key = m.thing_group "
        "WHERE m.thing = ? ORDER BY g.name",
        *thing_key);
    return read_all(std::move(rows),
                    [](const store::Statement& row) { return std::string(row.text(0)); });
}

Result<Page<std::string>> things_in_group(store::Reader& reader,
                                          std::string_view group,
                                          bool recursive,
                                          const PageRequest& request) {
    auto group_key = key_of(reader, kThingGroup, group);
    if (!group_key) return std::move(group_key).error();
    auto after = key_position(request);
    if (!after) return std::move(after).error();
    constexpr std::string_view kDirect =
        "SELECT t.key, t.name FROM thing_group_members m JOIN things t ON t.key = m.thing "
        "WHERE m.thing_group = ? AND m.thing > ? ORDER BY m.thing LIMIT ?";
    constexpr std::string_view kBelow =
        "WITH RECURSIVE below(key) AS (SELECT ? UNION "
        "  SELECT g.key FROM thing_groups g JOIN below ON g.parent = below.key) "
        "SELECT DISTINCT t.key, t.name FROM below "
        "JOIN thing_group_members m ON m.thing_group = below.key JOIN things t ON t.key = m.thing "
        "WHERE m.thing > ? ORDER BY t.key LIMIT ?";
    auto rows =
        reader.query(recursive ? kBelow : kDirect, *group_key, *after, page_limit(request) + 1);
    return read_page(std::move(rows), request, Position::Key, [](const store::Statement& row) {
        return std::string(row.text(1));
    });
}

}  // namespace hatchery::registry
