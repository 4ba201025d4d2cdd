#include "provisioning/registry/rows.h"
#include "provisioning/registry/search_index.h"
#include "provisioning/registry/tags.h"
#include "provisioning/registry/things.h"

namespace hatchery::registry {

namespace {

// AWS lets a type go only five minutes after its deprecation, so that nobody makes a thing of it
// meanwhile.
constexpr std::chrono::minutes kDeprecationTime{5};
constexpr std::size_t kMaxSearchableAttributes = 3;

constexpr std::string_view kThingTypes =
    "SELECT key, name, uuid, description, searchable_attributes, created, deprecated "
    "FROM thing_types ";

ThingType make_type(const store::Statement& row) {
    ThingType type;
    type.key = row.integer(0);
    type.name = row.text(1);
    type.id = uuid_text(row.blob(2));
    type.description = row.text(3);
    type.searchable_attributes = list_of(row.text(4));
    type.created = time_of(row, 5);
    if (!row.is_null(6)) type.deprecated = time_of(row, 6);
    return type;
}

}  // namespace

Result<> check_searchable_attributes(const std::vector<std::string>& names) {
    for (const auto& name : names) {
        if (auto good = check_attribute(name, ""); !good) return good;
    }
    if (names.size() <= kMaxSearchableAttributes) return {};
    return fail(Code::InvalidRequest,
                "expected at most 3 searchable attributes, found " + std::to_string(names.size()),
                "thingTypeProperties/searchableAttributes");
}

Result<ThingType> create_thing_type(store::Tx& tx,
                                    const Account& account,
                                    const ThingType& wanted,
                                    Time now) {
    if (auto good = check_thing_type_name(wanted.name); !good) return std::move(good).error();
    if (auto good = check_searchable_attributes(wanted.searchable_attributes); !good)
        return std::move(good).error();
    auto there = find_thing_type(tx, wanted.name);
    if (there) {
        if (there->description == wanted.description &&
            there->searchable_attributes == wanted.searchable_attributes) {
            return there;
        }
        return exists(account, kThingType, wanted.name);
    }
    if (there.error().code != Code::NotFound) return there;
    auto made = tx.run(
        "INSERT INTO thing_types(name, uuid, description, searchable_attributes, "
        "created) VALUES(?, ?, ?, ?, ?)",
        wanted.name,
        new_uuid(),
        wanted.description,
        list_text(wanted.searchable_attributes),
        seconds(now));
    if (made) made = index_attributes(tx, wanted.searchable_attributes);
    if (!made) return std::move(made).error();
    return find_thing_type(tx, wanted.name);
}

Result<> update_thing_type(store::Tx& tx, std::string_view name, const ThingTypeUpdate& update) {
    auto type = find_thing_type(tx, name);
    if (!type) return std::move(type).error();
    const auto& searchable = update.searchable_attributes.value_or(type->searchable_attributes);
    if (auto good = check_searchable_attributes(searchable); !good) return good;
    auto set =
        tx.run("UPDATE thing_types SET description = ?, searchable_attributes = ? WHERE key = ?",
               update.description.value_or(type->description),
               list_text(searchable),
               type->key);
    if (!set) return set;
    return index_attributes(tx, searchable);
}

Result<ThingType> find_thing_type(store::Reader& reader, std::string_view name) {
    static const std::string kSql = std::string(kThingTypes) + "WHERE name = ?";
    auto row = reader.query(kSql, name);
    if (auto there = expect_row(row, kThingType.word, name); !there)
        return std::move(there).error();
    return make_type(row);
}

Result<Page<ThingType>> list_thing_types(store::Reader& reader, const PageRequest& request) {
    static const std::string kSql =
        std::string(kThingTypes) + "WHERE name > ? ORDER BY name LIMIT ?";
    return read_page(reader.query(kSql, request.after, page_limit(request) + 1),
                     request,
                     Position::Name,
                     make_type);
}

Result<> set_thing_type_deprecated(store::Tx& tx,
                                   std::string_view name,
                                   bool deprecated,
                                   Time now) {
    auto type = find_thing_type(tx, name);
    if (!type) return std::move(type).error();
    if (type->deprecated.has_value() == deprecated) return {};  // the first date stays
    constexpr std::string_view kSql = "UPDATE thing_types SET deprecated = ? WHERE key = ?";
    auto set =
        deprecated ? tx.query(kSql, seconds(now), type->key) : tx.query(kSql, nullptr, type->key);
    return set.run();
}

Result<> delete_thing_type(store::Tx& tx, std::string_view name, Time now) {
    auto type = find_thing_type(tx, name);
    if (!type) return std::move(type).error();
    if (!type->deprecated || now < *type->deprecated + kDeprecationTime) {
        return fail(Code::InvalidRequest,
                    "thing type " + std::string(name) +
                        " must have been deprecated for 5 minutes before it can be deleted");
    }
    auto used = has_row(tx.query("SELECT 1 FROM things WHERE type = ? LIMIT 1", type->key));
    if (!used) return std::move(used).error();
    if (*used) {
        return fail(Code::InvalidRequest, "thing type " + std::string(name) + " still has things");
    }
    if (auto gone = forget_tags(tx, kThingType.arn_type, name); !gone) return gone;
    return tx.run("DELETE FROM thing_types WHERE key = ?", type->key);
}

}  // namespace hatchery::registry
