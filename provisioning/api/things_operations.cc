#include "provisioning/api/operations.h"
#include "provisioning/registry/things.h"

#include <nlohmann/json.hpp>

namespace hatchery::api::things {
namespace {

using nlohmann::json;

/// attributePayload {attributes, merge}
struct AttributePayload {
    std::optional<registry::Attributes> attributes;
    bool merge = false;
};

Result<AttributePayload> read_attribute_payload(const Input& input) {
    AttributePayload payload;
    auto object = input.optional_object("attributePayload");
    if (!object) return std::move(object).error();
    if (!*object) return payload;
    auto attributes = (*object)->optional_text_map("attributes");
    if (!attributes) return std::move(attributes).error();
    auto merge = (*object)->optional_flag("merge");
    if (!merge) return std::move(merge).error();
    payload.attributes = std::move(*attributes);
    payload.merge = merge->value_or(false);
    return payload;
}

json summary(const Call& call, const registry::Thing& thing) {
    json item = {{"thingName", thing.name},
                 {"thingArn", call.arn("thing", thing.name)},
                 {"attributes", thing.attributes},
                 {"version", thing.version}};
    if (thing.thing_type) item["thingTypeName"] = *thing.thing_type;
    return item;
}

}  // namespace

Result<std::string> create_thing(const Call& call) {
    registry::NewThing wanted;
    wanted.name = call.labels[0];
    auto type = call.input.optional_text("thingTypeName");
    if (!type) return std::move(type).error();
    auto payload = read_attribute_payload(call.input);
    if (!payload) return std::move(payload).error();
    auto group = call.input.optional_text("billingGroupName");
    if (!group) return std::move(group).error();
    wanted.thing_type = std::move(*type);
    wanted.attributes = std::move(payload->attributes).value_or(registry::Attributes{});
    wanted.billing_group = std::move(*group);
    auto thing = call.service.store.write([&](store::Tx& tx) {
        return registry::create_thing(tx, call.account(), wanted, call.now);
    });
    if (!thing) return std::move(thing).error();
    return to_body({{"thingName", thing->name},
                    {"thingArn", call.arn("thing", thing->name)},
                    {"thingId", thing->id}});
}

Result<std::string> describe_thing(const Call& call) {
    auto thing = call.service.store.read(
        [&](store::Reader& reader) { return registry::find_thing(reader, call.labels[0]); });
    if (!thing) return std::move(thing).error();
    json body = summary(call, *thing);
    body["defaultClientId"] = thing->name;
    body["thingId"] = thing->id;
    if (thing->billing_group) body["billingGroupName"] = *thing->billing_group;
    return to_body(body);
}

Result<std::string> update_thing(const Call& call) {
    auto type = call.input.optional_text("thingTypeName");
    if (!type) return std::move(type).error();
    auto payload = read_attribute_payload(call.input);
    if (!payload) return std::move(payload).error();
    auto expected = call.input.optional_integer("expectedVersion");
    if (!expected) return std::move(expected).error();
    auto remove_type = call.input.optional_flag("removeThingType");
    if (!remove_type) return std::move(remove_type).error();
    registry::ThingUpdate update;
    update.attributes = std::move(payload->attributes);
    update.merge_attributes = payload->merge;
    update.thing_type = std::move(*type);
    update.remove_thing_type = remove_type->value_or(false);
    update.expected_version = *expected;
    auto thing = call.service.store.write(
        [&](store::Tx& tx) { return registry::update_thing(tx, call.labels[0], update); });
    if (!thing) return std::move(thing).error();
    return std::string("{}");
}

Result<std::string> delete_thing(const Call& call) {
    auto expected = query_integer(call, "expectedVersion");
    if (!expected) return std::move(expected).error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::delete_thing(tx, call.labels[0], *expected); }));
}

Result<std::string> list_things(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto is_prefix = query_flag(call, "usePrefixAttributeValue", false);
    if (!is_prefix) return std::move(is_prefix).error();
    registry::ThingFilter filter;
    filter.thing_type = query_text(call, "thingTypeName");
    filter.attribute_name = query_text(call, "attributeName");
    filter.attribute_value = query_text(call, "attributeValue");
    filter.attribute_value_is_prefix = *is_prefix;
    auto page = call.service.store.read(
        [&](store::Reader& reader) { return registry::list_things(reader, *request, filter); });
    if (!page) return std::move(page).error();
    json items = json::array();
    for (const auto& thing : page->items)
        items.push_back(summary(call, thing));
    json body = {{"things", std::move(items)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

}  // namespace hatchery::api::things
