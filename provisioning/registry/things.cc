#include "provisioning/registry/things.h"

#include "provisioning/registry/rows.h"
#include "provisioning/registry/search_index.h"
#include "provisioning/registry/thing_rows.h"

namespace hatchery::registry {

Thing make_thing(const store::Statement& row) {
    Thing thing;
    thing.key = row.integer(0);
    thing.name = row.text(1);
    thing.id = uuid_text(row.blob(2));
    thing.thing_type = row.optional_text(3);
    thing.attributes = map_of(row.text(4));
    thing.billing_group = row.optional_text(5);
    thing.version = row.integer(6);
    return thing;
}

namespace {

constexpr std::size_t kMaxAttributesWithoutType = 3;
constexpr std::size_t kMaxAttributesWithType = 50;

Result<> check_attributes(const Attributes& attributes, bool has_type) {
    for (const auto& [name, value] : attributes) {
        if (auto good = check_attribute(name, value); !good) return good;
    }
    const std::size_t most = has_type ? kMaxAttributesWithType : kMaxAttributesWithoutType;
    if (attributes.size() <= most) return {};
    return fail(Code::InvalidRequest,
                "expected at most " + std::to_string(most) + " attributes on a thing " +
                    (has_type ? "with" : "without") + " a thing type, found " +
                    std::to_string(attributes.size()),
                "attributePayload");
}

/// The key of a type that things may be made of, remembered.
Result<std::optional<std::int64_t>> usable_type(store::Tx& tx,
                                                const std::optional<std::string>& name) {
    if (!name) return std::optional<std::int64_t>();
    constexpr std::string_view kTable = "thing_types";
    if (const auto* known = tx.recall<std::int64_t>(kTable, *name)) return std::optional(*known);
    auto row = tx.query("SELECT key, deprecated FROM thing_types WHERE name = ?", *name);
    if (auto there = expect_row(row, kThingType.word, *name); !there)
        return std::move(there).error();
    if (!row.is_null(1)) {
        return fail(
            Code::InvalidRequest, "thing type " + *name + " is deprecated", "thingTypeName");
    }
    tx.remember(kTable, *name, row.integer(0));
    return std::optional(row.integer(0));
}

Result<> check_new_thing(const NewThing& wanted) {
    if (auto good = check_thing_name(wanted.name); !good) return good;
    return check_attributes(wanted.attributes, wanted.thing_type.has_value());
}

/// Nothing: a thing of this name is there, whatever else may be wrong with the new one.
Result<std::optional<Thing>> insert_thing(store::Tx& tx, const NewThing& wanted) {
    auto type = usable_type(tx, wanted.thing_type);
    if (!type) return std::move(type).error();
    std::optional<std::int64_t> billing_group;
    if (wanted.billing_group) {
        auto found = key_of(tx, kBillingGroup, *wanted.billing_group);
        if (!found) return std::move(found).error();
        billing_group = *found;
    }
    const Bytes uuid = new_uuid();
    auto made = tx.run(
        "INSERT INTO things(name, uuid, type, billing_group, attributes, version) "
        "VALUES(?, ?, ?, ?, ?, 1) ON CONFLICT(name) DO NOTHING",
        wanted.name,
        uuid,
        *type,
        billing_group,
        map_text(wanted.attributes));
    if (!made) return std::move(made).error();
    if (tx.changes() == 0) return std::optional<Thing>();
    const std::int64_t key = tx.last_insert_rowid();
    tx.mark_new(tag_of_thing_groups(key));
    if (auto indexed = index_thing(tx, key, {}, wanted.attributes); !indexed)
        return std::move(indexed).error();
    return std::optional(Thing{key,
                               wanted.name,
                               uuid_text(uuid),
                               wanted.thing_type,
                               wanted.attributes,
                               wanted.billing_group,
                               1});
}

}  // namespace

Result<std::optional<Thing>> add_thing(store::Tx& tx, const NewThing& wanted) {
    Result<std::optional<Thing>> made = std::optional<Thing>();
    if (auto good = check_new_thing(wanted); good) {
        made = insert_thing(tx, wanted);
    } else {
        made = std::move(good).error();
    }
    if (made) return made;
    auto there = has_row(tx.query(kThing.key_sql, wanted.name));
    if (!there) return std::move(there).error();
    return *there ? std::optional<Thing>() : std::move(made);
}

Result<Thing> create_thing(store::Tx& tx, const Account& account, const NewThing& wanted, Time) {
    if (auto good = check_new_thing(wanted); !good) return std::move(good).error();
    auto made = add_thing(tx, wanted);
    if (!made) return std::move(made).error();
    if (*made) return std::move(**made);
    auto there = find_thing(tx, wanted.name);
    if (!there) return there;
    if (there->thing_type == wanted.thing_type && there->attributes == wanted.attributes &&
        there->billing_group == wanted.billing_group) {
        return there;
    }
    return exists(account, kThing, wanted.name);
}

Result<Thing> find_thing(store::Reader& reader, std::string_view name) {
    static const std::string kSql =
        "SELECT " + std::string(kThingColumns) + " FROM things t WHERE t.name = ?";
    auto row = reader.query(kSql, name);
    if (auto there = expect_row(row, kThing.word, name); !there) return std::move(there).error();
    return make_thing(row);
}

namespace {

/// Looked up by the search index; in the order things were made.
Result<Page<Thing>> list_by_indexed_attribute(store::Reader& reader,
                                              const PageRequest& request,
                                              const ThingFilter& filter,
                                              std::int64_t attribute) {
    static const std::string kSql =
        "SELECT " + std::string(kThingColumns) +
        " FROM attribute_values v JOIN things t ON t.key = v.thing "
        "WHERE v.attribute = ?1 AND v.value = ?2 AND v.thing > ?3 "
        "AND json_extract(t.attributes, ?4) = ?5 "
        "AND (?6 IS NULL OR t.type = (SELECT key FROM thing_types WHERE name = ?6)) "
        "ORDER BY v.thing LIMIT ?7";
    auto after = key_position(request);
    if (!after) return std::move(after).error();
    return read_page(reader.query(kSql,
                                  attribute,
                                  lower_case(*filter.attribute_value),
                                  *after,
                                  "$.\"" + *filter.attribute_name + "\"",
                                  *filter.attribute_value,
                                  filter.thing_type,
                                  page_limit(request) + 1),
                     request,
                     Position::Key,
                     make_thing);
}

/// Walks over all things, or those of a type.
Result<Page<Thing>> list_by_walking(store::Reader& reader,
                                    const PageRequest& request,
                                    const ThingFilter& filter) {
    std::optional<std::string> path;  // into the JSON of the attributes
    if (filter.attribute_name) path = "$.\"" + *filter.attribute_name + "\"";
    // One of six fixed texts: ?1 position, ?2 limit, ?3 type, ?4 path, ?5 value.
    std::string sql = "SELECT " + std::string(kThingColumns) + " FROM things t ";
    sql += filter.thing_type
               ? "WHERE t.key > ?1 AND t.type = (SELECT key FROM thing_types WHERE name = ?3) "
               : "WHERE t.name > ?1 AND ?3 IS NULL ";
    if (path && filter.attribute_value) {
        sql += filter.attribute_value_is_prefix
                   ? "AND substr(json_extract(t.attributes, ?4), 1, length(?5)) = ?5 "
                   : "AND json_extract(t.attributes, ?4) = ?5 ";
    } else {
        sql += "AND (?4 IS NULL OR json_extract(t.attributes, ?4) IS NOT NULL) AND ?5 IS NULL ";
    }
    sql += filter.thing_type ? "ORDER BY t.key LIMIT ?2" : "ORDER BY t.name LIMIT ?2";
    const int limit = page_limit(request) + 1;
    if (!filter.thing_type) {
        return read_page(
            reader.query(sql, request.after, limit, nullptr, path, filter.attribute_value),
            request,
            Position::Name,
            make_thing);
    }
    auto after = key_position(request);
    if (!after) return std::move(after).error();
    return read_page(
        reader.query(sql, *after, limit, filter.thing_type, path, filter.attribute_value),
        request,
        Position::Key,
        make_thing);
}

}  // namespace

Result<Page<Thing>> list_things(store::Reader& reader,
                                const PageRequest& request,
                                const ThingFilter& filter) {
    if (filter.attribute_value && !filter.attribute_name) {
        return fail(Code::InvalidRequest, "attributeValue needs attributeName", "attributeValue");
    }
    if (!filter.attribute_name) return list_by_walking(reader, request, filter);
    if (auto good = check_attribute(*filter.attribute_name, ""); !good)
        return std::move(good).error();
    auto indexed = indexed_attribute(reader, *filter.attribute_name);
    if (!indexed) return std::move(indexed).error();
    if (*indexed && filter.attribute_value && !filter.attribute_value_is_prefix)
        return list_by_indexed_attribute(reader, request, filter, **indexed);
    return list_by_walking(reader, request, filter);
}

Result<Thing> update_thing(store::Tx& tx, std::string_view name, const ThingUpdate& update) {
    auto thing = find_thing(tx, name);
    if (!thing) return thing;
    if (auto good = check_version(update.expected_version, thing->version); !good)
        return std::move(good).error();
    if (update.thing_type && update.remove_thing_type) {
        return fail(Code::InvalidRequest,
                    "expected thingTypeName or removeThingType, found both",
                    "removeThingType");
    }
    Thing next = *thing;
    if (update.attributes) {
        next.attributes =
            updated_attributes(thing->attributes, *update.attributes, update.merge_attributes);
    }
    if (update.thing_type) next.thing_type = update.thing_type;
    if (update.remove_thing_type) next.thing_type.reset();
    if (auto good = check_attributes(next.attributes, next.thing_type.has_value()); !good)
        return std::move(good).error();
    if (next.thing_type != thing->thing_type) {
        auto type = usable_type(tx, next.thing_type);
        if (!type) return std::move(type).error();
        auto set = tx.run("UPDATE things SET type = ? WHERE key = ?", *type, thing->key);
        if (!set) return std::move(set).error();
    }
    next.version = thing->version + 1;
    if (!tx.is_new(tag_of_thing_groups(thing->key))) tx.touch_identities();
    auto set = tx.run("UPDATE things SET attributes = ?, version = ? WHERE key = ?",
                      map_text(next.attributes),
                      next.version,
                      thing->key);
    if (set) set = index_thing(tx, thing->key, thing->attributes, next.attributes);
    if (!set) return std::move(set).error();
    return next;
}

Result<> delete_thing(store::Tx& tx,
                      std::string_view name,
                      std::optional<std::int64_t> expected_version) {
    auto thing = find_thing(tx, name);
    if (!thing && thing.error().code == Code::NotFound) return {};
    if (!thing) return std::move(thing).error();
    if (auto good = check_version(expected_version, thing->version); !good) return good;
    auto attached =
        has_row(tx.query("SELECT 1 FROM thing_principals WHERE thing = ? LIMIT 1", thing->key));
    if (!attached) return std::move(attached).error();
    if (*attached) {
        return fail(Code::InvalidRequest,
                    "thing " + std::string(name) + " still has a certificate attached");
    }
    tx.touch_identities();
    if (auto gone = index_thing(tx, thing->key, thing->attributes, {}); !gone) return gone;
    return tx.run("DELETE FROM things WHERE key = ?", thing->key);
}

}  // namespace hatchery::registry
