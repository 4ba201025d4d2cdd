#include "provisioning/api/operations.h"
#include "provisioning/registry/policies.h"

#include <nlohmann/json.hpp>

namespace hatchery::api::policies {
namespace {

using nlohmann::json;

/// policyDocument, which must compile.
Result<std::string> read_document(const Call& call) {
    auto document = call.input.text("policyDocument");
    if (!document) return document;
    auto compiled = call.service.compiled.policy_document(*document);
    if (!compiled) return std::move(compiled).error();
    return document;
}

/// The version id that came as the second path label.
Result<int> version_label(const Call& call) {
    return version_number(call.labels[1], "policyVersionId");
}

}  // namespace

Result<std::string> create_policy(const Call& call) {
    auto tags = read_tags(call.input);
    if (!tags) return std::move(tags).error();
    auto document = read_document(call);
    if (!document) return std::move(document).error();
    auto policy = call.service.store.write([&](store::Tx& tx) -> Result<registry::Policy> {
        auto made =
            registry::create_policy(tx, call.account(), call.labels[0], *document, call.now);
        if (!made) return made;
        auto tagged = registry::add_tags(tx, {"policy", call.labels[0]}, *tags);
        if (!tagged) return std::move(tagged).error();
        return made;
    });
    if (!policy) return std::move(policy).error();
    return to_body({{"policyName", policy->name},
                    {"policyArn", call.arn("policy", policy->name)},
                    {"policyDocument", *document},
                    {"policyVersionId", std::to_string(policy->default_version)}});
}

Result<std::string> get_policy(const Call& call) {
    auto policy = call.service.store.read(
        [&](store::Reader& reader) { return registry::find_policy(reader, call.labels[0]); });
    if (!policy) return std::move(policy).error();
    return to_body({{"policyName", policy->name},
                    {"policyArn", call.arn("policy", policy->name)},
                    {"policyDocument", policy->document},
                    {"defaultVersionId", std::to_string(policy->default_version)},
                    {"creationDate", epoch(policy->created)},
                    {"lastModifiedDate", epoch(policy->modified)},
                    {"generationId", policy->generation_id}});
}

Result<std::string> delete_policy(const Call& call) {
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::delete_policy(tx, call.labels[0]); }));
}

Result<std::string> list_policies(const Call& call) {
    auto request = page_by_marker(call);
    if (!request) return std::move(request).error();
    auto ascending = query_flag(call, "isAscendingOrder", true);
    if (!ascending) return std::move(ascending).error();
    auto page = call.service.store.read([&](store::Reader& reader) {
        return registry::list_policies(reader, *request, *ascending);
    });
    if (!page) return std::move(page).error();
    json items = json::array();
    for (const auto& policy : page->items) {
        items.push_back(
            {{"policyName", policy.name}, {"policyArn", call.arn("policy", policy.name)}});
    }
    json body = {{"policies", std::move(items)}};
    add_token(call, body, "nextMarker", page->next);
    return to_body(body);
}

Result<std::string> create_policy_version(const Call& call) {
    auto document = read_document(call);
    if (!document) return std::move(document).error();
    auto set_default = query_flag(call, "setAsDefault", false);
    if (!set_default) return std::move(set_default).error();
    auto version = call.service.store.write([&](store::Tx& tx) {
        return registry::create_policy_version(
            tx, call.labels[0], *document, *set_default, call.now);
    });
    if (!version) return std::move(version).error();
    return to_body({{"policyArn", call.arn("policy", call.labels[0])},
                    {"policyDocument", *document},
                    {"policyVersionId", std::to_string(version->version)},
                    {"isDefaultVersion", version->is_default}});
}

Result<std::string> get_policy_version(const Call& call) {
    auto number = version_label(call);
    if (!number) return std::move(number).error();
    struct Found {
        registry::Policy policy;
        registry::PolicyVersion version;
    };
    auto found = call.service.store.read([&](store::Reader& reader) -> Result<Found> {
        auto policy = registry::find_policy(reader, call.labels[0]);
        if (!policy) return std::move(policy).error();
        auto version = registry::find_policy_version(reader, call.labels[0], *number);
        if (!version) return std::move(version).error();
        return Found{std::move(*policy), std::move(*version)};
    });
    if (!found) return std::move(found).error();
    return to_body({{"policyArn", call.arn("policy", found->policy.name)},
                    {"policyName", found->policy.name},
                    {"policyDocument", found->version.document},
                    {"policyVersionId", std::to_string(found->version.version)},
                    {"isDefaultVersion", found->version.is_default},
                    {"creationDate", epoch(found->version.created)},
                    {"lastModifiedDate", epoch(found->version.created)},
                    {"generationId", found->policy.generation_id}});
}

Result<std::string> list_policy_versions(const Call& call) {
    auto versions = call.service.store.read(
        [&](store::Reader& reader) { return registry::policy_versions(reader, call.labels[0]); });
    if (!versions) return std::move(versions).error();
    json items = json::array();
    for (const auto& version : *versions) {
        items.push_back({{"versionId", std::to_string(version.version)},
                         {"isDefaultVersion", version.is_default},
                         {"createDate", epoch(version.created)}});
    }
    return to_body({{"policyVersions", std::move(items)}});
}

Result<std::string> delete_policy_version(const Call& call) {
    auto number = version_label(call);
    if (!number) return std::move(number).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::delete_policy_version(tx, call.labels[0], *number);
    }));
}

Result<std::string> set_default_policy_version(const Call& call) {
    auto number = version_label(call);
    if (!number) return std::move(number).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::set_default_policy_version(tx, call.labels[0], *number, call.now);
    }));
}

}  // namespace hatchery::api::policies
