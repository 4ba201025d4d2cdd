#include "provisioning/api/operations.h"
#include "provisioning/registry/things.h"

#include <nlohmann/json.hpp>

namespace hatchery::api::thing_types {
namespace {

using nlohmann::json;

json described(const Call& call, const registry::ThingType& type) {
    json metadata = {{"deprecated", type.deprecated.has_value()},
                     {"creationDate", epoch(type.created)}};
    if (type.deprecated) metadata["deprecationDate"] = epoch(*type.deprecated);
    json properties = {{"searchableAttributes", type.searchable_attributes}};
    if (!type.description.empty()) properties["thingTypeDescription"] = type.description;
    return {{"thingTypeName", type.name},
            {"thingTypeArn", call.arn("thingtype", type.name)},
            {"thingTypeProperties", std::move(properties)},
            {"thingTypeMetadata", std::move(metadata)}};
}

Result<registry::ThingType> wanted_type(const Call& call) {
    registry::ThingType wanted;
    wanted.name = call.labels[0];
    auto properties = call.input.optional_object("thingTypeProperties");
    if (!properties) return std::move(properties).error();
    if (!*properties) return wanted;
    auto description = (*properties)->optional_text("thingTypeDescription");
    if (!description) return std::move(description).error();
    auto searchable = (*properties)->texts("searchableAttributes");
    if (!searchable) return std::move(searchable).error();
    if (searchable->size() > 3) {
        return fail(
            Code::InvalidRequest,
            "expected at most 3 searchable attributes, found " + std::to_string(searchable->size()),
            "/thingTypeProperties/searchableAttributes");
    }
    wanted.description = std::move(*description).value_or("");
    wanted.searchable_attributes = std::move(*searchable);
    return wanted;
}

}  // namespace

Result<std::string> create_thing_type(const Call& call) {
    auto tags = read_tags(call.input);
    if (!tags) return std::move(tags).error();
    auto wanted = wanted_type(call);
    if (!wanted) return std::move(wanted).error();
    auto type = call.service.store.write([&](store::Tx& tx) -> Result<registry::ThingType> {
        auto made = registry::create_thing_type(tx, call.account(), *wanted, call.now);
        if (!made) return made;
        auto tagged = registry::add_tags(tx, {"thingtype", wanted->name}, *tags);
        if (!tagged) return std::move(tagged).error();
        return made;
    });
    if (!type) return std::move(type).error();
    return to_body({{"thingTypeName", type->name},
                    {"thingTypeArn", call.arn("thingtype", type->name)},
                    {"thingTypeId", type->id}});
}

Result<std::string> describe_thing_type(const Call& call) {
    auto type = call.service.store.read(
        [&](store::Reader& reader) { return registry::find_thing_type(reader, call.labels[0]); });
    if (!type) return std::move(type).error();
    json body = described(call, *type);
    body["thingTypeId"] = type->id;
    return to_body(body);
}

Result<std::string> update_thing_type(const Call& call) {
    auto properties = call.input.optional_object("thingTypeProperties");
    if (!properties) return std::move(properties).error();
    registry::ThingTypeUpdate update;
    if (*properties) {
        if ((*properties)->has("mqtt5Configuration")) {
            return fail(Code::NotImplemented,
                        "mqtt5Configuration is not supported",
                        "/thingTypeProperties/mqtt5Configuration");
        }
        auto description = (*properties)->optional_text("thingTypeDescription");
        if (!description) return std::move(description).error();
        update.description = std::move(*description);
        auto searchable = (*properties)->texts("searchableAttributes");
        if (!searchable) return std::move(searchable).error();
        if ((*properties)->has("searchableAttributes"))
            update.searchable_attributes = std::move(*searchable);
    }
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::update_thing_type(tx, call.labels[0], update); }));
}

Result<std::string> deprecate_thing_type(const Call& call) {
    auto undo = call.input.optional_flag("undoDeprecate");
    if (!undo) return std::move(undo).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::set_thing_type_deprecated(
            tx, call.labels[0], !undo->value_or(false), call.now);
    }));
}

Result<std::string> delete_thing_type(const Call& call) {
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::delete_thing_type(tx, call.labels[0], call.now); }));
}

Result<std::string> list_thing_types(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    const auto name = query_text(call, "thingTypeName");
    registry::Page<registry::ThingType> page;
    if (name) {
        auto type = call.service.store.read(
            [&](store::Reader& reader) { return registry::find_thing_type(reader, *name); });
        if (!type && type.error().code != Code::NotFound) return std::move(type).error();
        if (type) page.items.push_back(std::move(*type));
    } else {
        auto listed = call.service.store.read(
            [&](store::Reader& reader) { return registry::list_thing_types(reader, *request); });
        if (!listed) return std::move(listed).error();
        page = std::move(*listed);
    }
    json items = json::array();
    for (const auto& type : page.items)
        items.push_back(described(call, type));
    json body = {{"thingTypes", std::move(items)}};
    add_token(call, body, "nextToken", page.next);
    return to_body(body);
}

}  // namespace hatchery::api::thing_types
