#include "provisioning/api/operations.h"
#include "provisioning/api/page_token.h"
#include "provisioning/registry/things.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::api::thing_groups {
namespace {

using nlohmann::json;

json reference(const Call& call, const std::string& name) {
    return {{"groupName", name}, {"groupArn", call.arn("thinggroup", name)}};
}

Result<registry::ThingGroup> wanted_group(const Call& call) {
    registry::ThingGroup wanted;
    wanted.name = call.labels[0];
    auto parent = call.input.optional_text("parentGroupName");
    if (!parent) return std::move(parent).error();
    wanted.parent = std::move(*parent);
    auto properties = call.input.optional_object("thingGroupProperties");
    if (!properties) return std::move(properties).error();
    if (!*properties) return wanted;
    auto description = (*properties)->optional_text("thingGroupDescription");
    if (!description) return std::move(description).error();
    wanted.description = std::move(*description).value_or("");
    auto payload = (*properties)->optional_object("attributePayload");
    if (!payload) return std::move(payload).error();
    if (!*payload) return wanted;
    auto attributes = (*payload)->optional_text_map("attributes");
    if (!attributes) return std::move(attributes).error();
    wanted.attributes = std::move(*attributes).value_or(registry::Attributes{});
    return wanted;
}

struct Membership {
    std::string thing, group;
};
Result<Membership> read_membership(const Call& call) {
    auto group = name_or_arn(call, "thingGroupName", "thingGroupArn", "thinggroup");
    if (!group) return std::move(group).error();
    auto thing = name_or_arn(call, "thingName", "thingArn", "thing");
    if (!thing) return std::move(thing).error();
    return Membership{std::move(*thing), std::move(*group)};
}

/// Every page of the children of `parent`, or of all groups.
Result<std::vector<std::string>> all_groups(store::Reader& reader,
                                            const std::optional<std::string>& parent) {
    std::vector<std::string> names;
    registry::PageRequest request;
    for (;;) {
        auto page = registry::list_thing_groups(reader, request, parent);
        if (!page) return std::move(page).error();
        for (auto& group : page->items)
            names.push_back(std::move(group.name));
        if (!page->next) return names;
        request.after = *page->next;
    }
}

/// The groups below `parent`, at any depth if `recursive`.
Result<std::vector<std::string>> groups_below(store::Reader& reader,
                                              const std::string& parent,
                                              bool recursive) {
    if (auto found = registry::find_thing_group(reader, parent); !found) {
        return std::move(found).error();
    }
    auto names = all_groups(reader, parent);
    if (!names || !recursive) return names;
    for (std::size_t i = 0; i < names->size(); ++i) {  // grows while it is walked
        auto deeper = all_groups(reader, (*names)[i]);
        if (!deeper) return std::move(deeper).error();
        names->insert(names->end(), deeper->begin(), deeper->end());
    }
    return names;
}

/// All groups of the account in a page, without walking the tree.
Result<registry::Page<std::string>> plain_page(store::Reader& reader,
                                               const registry::PageRequest& request) {
    auto groups = registry::list_thing_groups(reader, request, std::nullopt);
    if (!groups) return std::move(groups).error();
    registry::Page<std::string> page;
    page.items.reserve(groups->items.size());
    for (auto& group : groups->items)
        page.items.push_back(std::move(group.name));
    page.next = std::move(groups->next);
    return page;
}

Result<registry::Page<std::string>> groups_page(const Call& call,
                                                store::Reader& reader,
                                                const registry::PageRequest& request,
                                                bool recursive) {
    const auto parent = query_text(call, "parentGroup");
    const auto prefix = query_text(call, "namePrefixFilter");
    if (!parent && !prefix) return plain_page(reader, request);
    auto names = parent ? groups_below(reader, *parent, recursive) : all_groups(reader, {});
    if (!names) return std::move(names).error();
    std::erase_if(*names, [&](const auto& name) { return prefix && !name.starts_with(*prefix); });
    return page_of(std::move(*names), request);
}

}  // namespace

Result<std::string> create_thing_group(const Call& call) {
    auto tags = read_tags(call.input);
    if (!tags) return std::move(tags).error();
    auto wanted = wanted_group(call);
    if (!wanted) return std::move(wanted).error();
    auto group = call.service.store.write([&](store::Tx& tx) -> Result<registry::ThingGroup> {
        auto made = registry::create_thing_group(tx, call.account(), *wanted, call.now);
        if (!made) return made;
        auto tagged = registry::add_tags(tx, {"thinggroup", wanted->name}, *tags);
        if (!tagged) return std::move(tagged).error();
        return made;
    });
    if (!group) return std::move(group).error();
    return to_body({{"thingGroupName", group->name},
                    {"thingGroupArn", call.arn("thinggroup", group->name)},
                    {"thingGroupId", group->id}});
}

Result<std::string> describe_thing_group(const Call& call) {
    auto group = call.service.store.read(
        [&](store::Reader& reader) { return registry::find_thing_group(reader, call.labels[0]); });
    if (!group) return std::move(group).error();
    json properties = json::object();
    if (!group->description.empty()) properties["thingGroupDescription"] = group->description;
    if (!group->attributes.empty()) {
        properties["attributePayload"] = {{"attributes", group->attributes}};
    }
    json metadata = {{"creationDate", epoch(group->created)}};
    if (group->parent) {
        metadata["parentGroupName"] = *group->parent;
        json path = json::array();
        for (const auto& name : group->ancestors)
            path.push_back(reference(call, name));
        metadata["rootToParentThingGroups"] = std::move(path);
    }
    return to_body({{"thingGroupName", group->name},
                    {"thingGroupId", group->id},
                    {"thingGroupArn", call.arn("thinggroup", group->name)},
                    {"version", group->version},
                    {"thingGroupProperties", std::move(properties)},
                    {"thingGroupMetadata", std::move(metadata)}});
}

Result<std::string> update_thing_group(const Call& call) {
    auto properties = call.input.object("thingGroupProperties");
    if (!properties) return std::move(properties).error();
    auto description = properties->optional_text("thingGroupDescription");
    if (!description) return std::move(description).error();
    auto payload = properties->optional_object("attributePayload");
    if (!payload) return std::move(payload).error();
    auto expected = call.input.optional_integer("expectedVersion");
    if (!expected) return std::move(expected).error();
    registry::ThingGroupUpdate update;
    update.description = std::move(*description);
    update.expected_version = *expected;
    if (*payload) {
        auto attributes = (*payload)->optional_text_map("attributes");
        if (!attributes) return std::move(attributes).error();
        auto merge = (*payload)->optional_flag("merge");
        if (!merge) return std::move(merge).error();
        update.attributes = std::move(*attributes);
        update.merge_attributes = merge->value_or(false);
    }
    auto version = call.service.store.write(
        [&](store::Tx& tx) { return registry::update_thing_group(tx, call.labels[0], update); });
    if (!version) return std::move(version).error();
    return to_body({{"version", *version}});
}

Result<std::string> delete_thing_group(const Call& call) {
    auto expected = query_integer(call, "expectedVersion");
    if (!expected) return std::move(expected).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::delete_thing_group(tx, call.labels[0], *expected);
    }));
}

Result<std::string> list_thing_groups(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto recursive = query_flag(call, "recursive", false);
    if (!recursive) return std::move(recursive).error();
    auto page = call.service.store.read(
        [&](store::Reader& reader) { return groups_page(call, reader, *request, *recursive); });
    if (!page) return std::move(page).error();
    json groups = json::array();
    for (const auto& name : page->items)
        groups.push_back(reference(call, name));
    json body = {{"thingGroups", std::move(groups)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

Result<std::string> add_thing_to_thing_group(const Call& call) {
    auto pair = read_membership(call);
    if (!pair) return std::move(pair).error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::add_thing_to_group(tx, pair->thing, pair->group); }));
}

Result<std::string> remove_thing_from_thing_group(const Call& call) {
    auto pair = read_membership(call);
    if (!pair) return std::move(pair).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::remove_thing_from_group(tx, pair->thing, pair->group);
    }));
}

Result<std::string> update_thing_groups_for_thing(const Call& call) {
    auto thing = call.input.text("thingName");
    if (!thing) return std::move(thing).error();
    auto additions = call.input.texts("thingGroupsToAdd");
    if (!additions) return std::move(additions).error();
    auto removals = call.input.texts("thingGroupsToRemove");
    if (!removals) return std::move(removals).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) -> Result<> {
        for (const auto& group : *removals) {
            auto removed = registry::remove_thing_from_group(tx, *thing, group);
            if (!removed) return removed;
        }
        for (const auto& group : *additions) {
            auto added = registry::add_thing_to_group(tx, *thing, group);
            if (!added) return added;
        }
        return {};
    }));
}

Result<std::string> list_thing_groups_for_thing(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto names = call.service.store.read(
        [&](store::Reader& reader) { return registry::groups_of_thing(reader, call.labels[0]); });
    if (!names) return std::move(names).error();
    auto page = page_of(std::move(*names), *request);
    json groups = json::array();
    for (const auto& name : page.items)
        groups.push_back(reference(call, name));
    json body = {{"thingGroups", std::move(groups)}};
    add_token(call, body, "nextToken", page.next);
    return to_body(body);
}

Result<std::string> list_things_in_thing_group(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto recursive = query_flag(call, "recursive", false);
    if (!recursive) return std::move(recursive).error();
    auto page = call.service.store.read([&](store::Reader& reader) {
        return registry::things_in_group(reader, call.labels[0], *recursive, *request);
    });
    if (!page) return std::move(page).error();
    json body = {{"things", page->items}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

}  // namespace hatchery::api::thing_groups
