#include "provisioning/api/operations.h"
#include "provisioning/api/page_token.h"
#include "provisioning/registry/things.h"

#include <nlohmann/json.hpp>

namespace hatchery::api::billing_groups {
namespace {

using nlohmann::json;

json reference(const Call& call, const std::string& name) {
    return {{"groupName", name}, {"groupArn", call.arn("billinggroup", name)}};
}

}  // namespace

Result<std::string> create_billing_group(const Call& call) {
    auto tags = read_tags(call.input);
    if (!tags) return std::move(tags).error();
    registry::BillingGroup wanted;
    wanted.name = call.labels[0];
    auto properties = call.input.optional_object("billingGroupProperties");
    if (!properties) return std::move(properties).error();
    if (*properties) {
        auto description = (*properties)->optional_text("billingGroupDescription");
        if (!description) return std::move(description).error();
        wanted.description = std::move(*description).value_or("");
    }
    auto group = call.service.store.write([&](store::Tx& tx) -> Result<registry::BillingGroup> {
        auto made = registry::create_billing_group(tx, call.account(), wanted, call.now);
        if (!made) return made;
        auto tagged = registry::add_tags(tx, {"billinggroup", wanted.name}, *tags);
        if (!tagged) return std::move(tagged).error();
        return made;
    });
    if (!group) return std::move(group).error();
    return to_body({{"billingGroupName", group->name},
                    {"billingGroupArn", call.arn("billinggroup", group->name)},
                    {"billingGroupId", group->id}});
}

Result<std::string> describe_billing_group(const Call& call) {
    auto group = call.service.store.read([&](store::Reader& reader) {
        return registry::find_billing_group(reader, call.labels[0]);
    });
    if (!group) return std::move(group).error();
    json properties = json::object();
    if (!group->description.empty()) properties["billingGroupDescription"] = group->description;
    return to_body({{"billingGroupName", group->name},
                    {"billingGroupId", group->id},
                    {"billingGroupArn", call.arn("billinggroup", group->name)},
                    {"version", group->version},
                    {"billingGroupProperties", std::move(properties)},
                    {"billingGroupMetadata", {{"creationDate", epoch(group->created)}}}});
}

Result<std::string> update_billing_group(const Call& call) {
    auto properties = call.input.object("billingGroupProperties");
    if (!properties) return std::move(properties).error();
    auto description = properties->optional_text("billingGroupDescription");
    if (!description) return std::move(description).error();
    auto expected = call.input.optional_integer("expectedVersion");
    if (!expected) return std::move(expected).error();
    auto version = call.service.store.write([&](store::Tx& tx) {
        return registry::update_billing_group(tx, call.labels[0], *description, *expected);
    });
    if (!version) return std::move(version).error();
    return to_body({{"version", *version}});
}

Result<std::string> delete_billing_group(const Call& call) {
    auto expected = query_integer(call, "expectedVersion");
    if (!expected) return std::move(expected).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::delete_billing_group(tx, call.labels[0], *expected);
    }));
}

Result<std::string> list_billing_groups(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    const std::string prefix = query_text(call, "namePrefixFilter").value_or("");
    auto page =
        call.service.store.read([&](store::Reader& reader) -> Result<registry::Page<std::string>> {
            std::vector<std::string> names;
            registry::PageRequest step;
            for (;;) {
                auto groups = registry::list_billing_groups(reader, step);
                if (!groups) return std::move(groups).error();
                for (auto& group : groups->items) {
                    if (group.name.starts_with(prefix)) names.push_back(std::move(group.name));
                }
                if (!groups->next) return page_of(std::move(names), *request);
                step.after = *groups->next;
            }
        });
    if (!page) return std::move(page).error();
    json groups = json::array();
    for (const auto& name : page->items)
        groups.push_back(reference(call, name));
    json body = {{"billingGroups", std::move(groups)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

Result<std::string> add_thing_to_billing_group(const Call& call) {
    auto group = name_or_arn(call, "billingGroupName", "billingGroupArn", "billinggroup");
    if (!group) return std::move(group).error();
    auto thing = name_or_arn(call, "thingName", "thingArn", "thing");
    if (!thing) return std::move(thing).error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::set_billing_group(tx, *thing, *group); }));
}

Result<std::string> remove_thing_from_billing_group(const Call& call) {
    auto group = name_or_arn(call, "billingGroupName", "billingGroupArn", "billinggroup");
    if (!group) return std::move(group).error();
    auto thing = name_or_arn(call, "thingName", "thingArn", "thing");
    if (!thing) return std::move(thing).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) -> Result<> {
        auto found = registry::find_thing(tx, *thing);
        if (!found) return std::move(found).error();
        if (found->billing_group != *group) return {};  // not a member: nothing to do
        return registry::set_billing_group(tx, *thing, std::nullopt);
    }));
}

Result<std::string> list_things_in_billing_group(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto page = call.service.store.read([&](store::Reader& reader) {
        return registry::things_in_billing_group(reader, call.labels[0], *request);
    });
    if (!page) return std::move(page).error();
    json body = {{"things", page->items}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

}  // namespace hatchery::api::billing_groups
