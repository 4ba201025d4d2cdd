#include "provisioning/api/operations.h"
#include "provisioning/api/page_token.h"
#include "provisioning/registry/things.h"

#include <nlohmann/json.hpp>

namespace hatchery::api::things {
namespace {

using nlohmann::json;

constexpr std::string_view kPrincipalHeader = "x-amzn-principal";

Result<CertificateId> principal_of(const Call& call) {
    auto arn = header_input(call, kPrincipalHeader);
    if (!arn) return std::move(arn).error();
    return certificate_principal(call, *arn);
}

/// EXCLUSIVE_THING, NON_EXCLUSIVE_THING, or nothing.
Result<std::optional<bool>> wanted_exclusive(const Call& call) {
    const auto kind = call.target.parameter("thingPrincipalType");
    if (!kind) return std::optional<bool>();
    if (*kind == "EXCLUSIVE_THING") return std::optional(true);
    if (*kind == "NON_EXCLUSIVE_THING") return std::optional(false);
    return fail(
        Code::InvalidRequest,
        "expected EXCLUSIVE_THING or NON_EXCLUSIVE_THING, found '" + std::string(*kind) + "'",
        "thingPrincipalType");
}

std::string_view principal_type(bool exclusive) {
    return exclusive ? "EXCLUSIVE_THING" : "NON_EXCLUSIVE_THING";
}

/// Is this pair of certificate and thing attached exclusively?
Result<bool> is_exclusive(store::Reader& reader, const CertificateId& id, std::string_view thing) {
    auto attached = registry::things_of_principal(reader, id);
    if (!attached) return std::move(attached).error();
    for (const auto& entry : *attached) {
        if (entry.name == thing) return entry.exclusive;
    }
    return false;
}

Result<registry::Page<std::string>> principals_page(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto ids = call.service.store.read([&](store::Reader& reader) {
        return registry::principals_of_thing(reader, call.labels[0]);
    });
    if (!ids) return std::move(ids).error();
    std::vector<std::string> names;
    names.reserve(ids->size());
    for (const auto& id : *ids)
        names.push_back(id.hex());
    return page_of(std::move(names), *request);
}

/// The things of the principal in the header, by name, with whether each is exclusive.
struct ThingsPage {
    registry::Page<std::string> names;
    std::map<std::string, bool> exclusive;
};
Result<ThingsPage> things_page(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto id = principal_of(call);
    if (!id) return std::move(id).error();
    auto attached = call.service.store.read(
        [&](store::Reader& reader) { return registry::things_of_principal(reader, *id); });
    if (!attached) return std::move(attached).error();
    ThingsPage page;
    std::vector<std::string> names;
    names.reserve(attached->size());
    for (const auto& entry : *attached) {
        names.push_back(entry.name);
        page.exclusive[entry.name] = entry.exclusive;
    }
    page.names = page_of(std::move(names), *request);
    return page;
}

}  // namespace

Result<std::string> attach_thing_principal(const Call& call) {
    auto id = principal_of(call);
    if (!id) return std::move(id).error();
    auto exclusive = wanted_exclusive(call);
    if (!exclusive) return std::move(exclusive).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::attach_thing_principal(
            tx, call.labels[0], *id, exclusive->value_or(false));
    }));
}

Result<std::string> detach_thing_principal(const Call& call) {
    auto id = principal_of(call);
    if (!id) return std::move(id).error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::detach_thing_principal(tx, call.labels[0], *id); }));
}

Result<std::string> list_thing_principals(const Call& call) {
    auto page = principals_page(call);
    if (!page) return std::move(page).error();
    json principals = json::array();
    for (const auto& id : page->items)
        principals.push_back(call.arn("cert", id));
    json body = {{"principals", std::move(principals)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

Result<std::string> list_thing_principals_v2(const Call& call) {
    auto wanted = wanted_exclusive(call);
    if (!wanted) return std::move(wanted).error();
    auto page = principals_page(call);
    if (!page) return std::move(page).error();
    json principals = json::array();
    for (const auto& name : page->items) {
        auto id = CertificateId::parse(name);
        if (!id) return std::move(id).error();
        auto exclusive = call.service.store.read(
            [&](store::Reader& reader) { return is_exclusive(reader, *id, call.labels[0]); });
        if (!exclusive) return std::move(exclusive).error();
        if (wanted->has_value() && **wanted != *exclusive) continue;
        principals.push_back({{"principal", call.arn("cert", name)},
                              {"thingPrincipalType", principal_type(*exclusive)}});
    }
    json body = {{"thingPrincipalObjects", std::move(principals)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

Result<std::string> list_principal_things(const Call& call) {
    auto page = things_page(call);
    if (!page) return std::move(page).error();
    json body = {{"things", page->names.items}};
    add_token(call, body, "nextToken", page->names.next);
    return to_body(body);
}

Result<std::string> list_principal_things_v2(const Call& call) {
    auto wanted = wanted_exclusive(call);
    if (!wanted) return std::move(wanted).error();
    auto page = things_page(call);
    if (!page) return std::move(page).error();
    json things = json::array();
    for (const auto& name : page->names.items) {
        const bool exclusive = page->exclusive[name];
        if (wanted->has_value() && **wanted != exclusive) continue;
        things.push_back({{"thingName", name}, {"thingPrincipalType", principal_type(exclusive)}});
    }
    json body = {{"principalThingObjects", std::move(things)}};
    add_token(call, body, "nextToken", page->names.next);
    return to_body(body);
}

}  // namespace hatchery::api::things
