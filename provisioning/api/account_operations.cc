// Tags and event configurations.
#include "provisioning/api/operations.h"

#include <nlohmann/json.hpp>

namespace hatchery::api::account {
namespace {

using nlohmann::json;

Result<registry::TaggedResource> body_resource(const Call& call) {
    auto arn = call.input.text("resourceArn");
    if (!arn) return std::move(arn).error();
    return registry::parse_tagged_resource(call.account(), *arn);
}

}  // namespace

Result<std::string> tag_resource(const Call& call) {
    auto resource = body_resource(call);
    if (!resource) return std::move(resource).error();
    if (!call.input.has("tags"))
        return fail(Code::InvalidRequest, "expected an array of tags, found nothing", "/tags");
    auto tags = read_tags(call.input);
    if (!tags) return std::move(tags).error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::add_tags(tx, *resource, *tags); }));
}

Result<std::string> untag_resource(const Call& call) {
    auto resource = body_resource(call);
    if (!resource) return std::move(resource).error();
    if (!call.input.has("tagKeys"))
        return fail(Code::InvalidRequest, "expected an array of keys, found nothing", "/tagKeys");
    auto keys = call.input.texts("tagKeys");
    if (!keys) return std::move(keys).error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::remove_tags(tx, *resource, *keys); }));
}

Result<std::string> list_tags_for_resource(const Call& call) {
    // At most 50 tags: one page, so a token can only be somebody else's.
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto resource = registry::parse_tagged_resource(call.account(),
                                                    query_text(call, "resourceArn").value_or(""));
    if (!resource) return std::move(resource).error();
    auto tags = call.service.store.read(
        [&](store::Reader& reader) { return registry::tags_of(reader, *resource); });
    if (!tags) return std::move(tags).error();
    json items = json::array();
    for (const auto& [key, value] : *tags)
        items.push_back({{"Key", key}, {"Value", value}});
    return to_body({{"tags", std::move(items)}});
}

Result<std::string> describe_event_configurations(const Call& call) {
    auto found = call.service.store.read(
        [](store::Reader& reader) { return registry::event_configurations(reader); });
    if (!found) return std::move(found).error();
    json types = json::object();
    for (const auto& [type, enabled] : found->enabled)
        types[type] = {{"Enabled", enabled}};
    json body = {{"eventConfigurations", std::move(types)}};
    if (found->created) body["creationDate"] = epoch(*found->created);
    if (found->modified) body["lastModifiedDate"] = epoch(*found->modified);
    return to_body(body);
}

Result<std::string> update_event_configurations(const Call& call) {
    auto types = call.input.optional_object("eventConfigurations");
    if (!types) return std::move(types).error();
    std::map<std::string, bool> wanted;
    if (*types) {
        for (const auto& type : (*types)->member_names()) {
            auto configuration = (*types)->object(type);
            if (!configuration) return std::move(configuration).error();
            auto enabled = configuration->optional_flag("Enabled");
            if (!enabled) return std::move(enabled).error();
            wanted.emplace(type, enabled->value_or(false));
        }
    }
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::set_event_configurations(tx, wanted, call.now); }));
}

}  // namespace hatchery::api::account
