// Fleet indexing over the registry: one index, AWS_Things, that is always on and up to date.
#include "provisioning/api/operations.h"
#include "provisioning/registry/search.h"

#include <nlohmann/json.hpp>

namespace hatchery::api::search {
namespace {

using nlohmann::json;

constexpr std::string_view kThingsIndex = "AWS_Things";
constexpr std::string_view kQueryVersion = "2017-09-30";
constexpr std::string_view kAttributeField = "attributes.";
constexpr std::int64_t kMostResults = 500;  // QueryMaxResults, iot 2015-05-28
constexpr std::int64_t kDefaultResults = 100;

Result<> expect_things_index(std::string_view name) {
    if (name == kThingsIndex) return {};
    return fail(Code::NotFound, "index " + std::string(name) + " does not exist");
}

json found_thing(const registry::FoundThing& found) {
    const auto& thing = found.thing;
    json item = {{"thingName", thing.name},
                 {"thingId", thing.id},
                 {"thingGroupNames", found.groups},
                 {"attributes", thing.attributes}};
    if (thing.thing_type) item["thingTypeName"] = *thing.thing_type;
    return item;
}

/// The attributes that customFields names: only those can be indexed here.
Result<std::vector<std::string>> wanted_attributes(const Input& configuration) {
    auto fields = configuration.objects("customFields");
    if (!fields) return std::move(fields).error();
    std::vector<std::string> names;
    for (const auto& field : *fields) {
        auto name = field.text("name");
        if (!name) return std::move(name).error();
        if (!name->starts_with(kAttributeField) || name->size() == kAttributeField.size()) {
            return fail(Code::InvalidRequest,
                        "expected attributes.NAME, found '" + *name + "'",
                        "/thingIndexingConfiguration/customFields");
        }
        names.push_back(name->substr(kAttributeField.size()));
    }
    return names;
}

/// What this server does not index is refused, not forgotten.
Result<> check_modes(const Input& configuration) {
    struct Mode {
        std::string_view member;
        std::vector<std::string_view> known;
    };
    const Mode modes[] = {{"thingIndexingMode", {"REGISTRY"}},
                          {"thingConnectivityIndexingMode", {"OFF"}},
                          {"deviceDefenderIndexingMode", {"OFF"}},
                          {"namedShadowIndexingMode", {"OFF"}}};
    for (const auto& mode : modes) {
        auto value = configuration.optional_text(mode.member);
        if (!value) return std::move(value).error();
        if (*value && **value != mode.known.front()) {
            return fail(Code::InvalidRequest,
                        "expected " + std::string(mode.known.front()) +
                            ", the only mode of this server, found " + **value,
                        "/thingIndexingConfiguration/" + std::string(mode.member));
        }
    }
    return {};
}

}  // namespace

Result<std::string> search_index(const Call& call) {
    auto name = call.input.optional_text("indexName");
    if (!name) return std::move(name).error();
    if (auto known = expect_things_index(name->value_or(std::string(kThingsIndex))); !known)
        return std::move(known).error();
    auto version = call.input.optional_text("queryVersion");
    if (!version) return std::move(version).error();
    if (*version && **version != kQueryVersion) {
        return fail(Code::InvalidRequest,
                    "expected 2017-09-30, found '" + **version + "'",
                    "/queryVersion");
    }
    auto request = page_by_body(call, kMostResults, kDefaultResults);
    if (!request) return std::move(request).error();
    auto text = call.input.text("queryString");
    if (!text) return std::move(text).error();
    auto query = registry::SearchQuery::parse(*text);
    if (!query) return std::move(query).error();
    auto page = call.service.store.read(
        [&](store::Reader& reader) { return registry::search_things(reader, *query, *request); });
    if (!page) return std::move(page).error();
    json things = json::array();
    for (const auto& found : page->items)
        things.push_back(found_thing(found));
    json body = {{"things", std::move(things)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

Result<std::string> describe_index(const Call& call) {
    if (auto known = expect_things_index(call.labels[0]); !known) return std::move(known).error();
    return to_body(
        {{"indexName", kThingsIndex}, {"indexStatus", "ACTIVE"}, {"schema", "REGISTRY"}});
}

Result<std::string> list_indices(const Call& call) {
    auto size = query_integer(call, "maxResults");
    if (!size) return std::move(size).error();
    if (*size && (**size < 1 || **size > kMostResults)) {
        return fail(Code::InvalidRequest,
                    "expected 1 to 500, found " + std::to_string(**size),
                    "maxResults");
    }
    const auto token = query_text(call, "nextToken");  // there is one page
    if (token && !token->empty())
        return fail(Code::InvalidRequest, "expected a token of an earlier page", "nextToken");
    return to_body({{"indexNames", {kThingsIndex}}});
}

Result<std::string> get_indexing_configuration(const Call& call) {
    auto names = call.service.store.read(
        [](store::Reader& reader) { return registry::indexed_attributes(reader); });
    if (!names) return std::move(names).error();
    const auto field = [](const std::string& name) {
        return json{{"name", name}, {"type", "String"}};
    };
    json custom = json::array();
    for (const auto& name : *names)
        custom.push_back(field(std::string(kAttributeField) + name));
    json managed = json::array();
    for (const auto* name :
         {"thingName", "thingId", "registry.thingTypeName", "registry.thingGroupNames"})
        managed.push_back(field(name));
    return to_body({{"thingIndexingConfiguration",
                     {{"thingIndexingMode", "REGISTRY"},
                      {"thingConnectivityIndexingMode", "OFF"},
                      {"deviceDefenderIndexingMode", "OFF"},
                      {"namedShadowIndexingMode", "OFF"},
                      {"managedFields", std::move(managed)},
                      {"customFields", std::move(custom)}}},
                    {"thingGroupIndexingConfiguration", {{"thingGroupIndexingMode", "OFF"}}}});
}

Result<std::string> update_indexing_configuration(const Call& call) {
    auto groups = call.input.optional_object("thingGroupIndexingConfiguration");
    if (!groups) return std::move(groups).error();
    if (*groups) {
        auto mode = (*groups)->text("thingGroupIndexingMode");
        if (!mode) return std::move(mode).error();
        if (*mode != "OFF") {
            return fail(Code::InvalidRequest,
                        "expected OFF: thing groups are not indexed by this server",
                        "/thingGroupIndexingConfiguration/thingGroupIndexingMode");
        }
    }
    auto things = call.input.optional_object("thingIndexingConfiguration");
    if (!things) return std::move(things).error();
    if (!*things) return std::string("{}");
    if (auto mode = (*things)->text("thingIndexingMode"); !mode) return std::move(mode).error();
    if (auto good = check_modes(**things); !good) return std::move(good).error();
    auto names = wanted_attributes(**things);
    if (!names) return std::move(names).error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::add_indexed_attributes(tx, *names); }));
}

}  // namespace hatchery::api::search
