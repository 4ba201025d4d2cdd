#include "provisioning/api/operations.h"
#include "provisioning/flows/register.h"
#include "provisioning/flows/trusted_claim.h"
#include "provisioning/registry/templates.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::api::provisioning {
namespace {

// Parameter and Value of RegisterThing, iot 2015-05-28.
constexpr std::size_t kMaxParameterName = 2048, kMaxParameterValue = 4096;

using nlohmann::json;
using registry::ProvisioningTemplate;

constexpr std::string_view kHookPayload = "2020-04-01";

json with_arn(const Call& call, const std::string& name) {
    return {{"templateArn", call.arn("provisioningtemplate", name)}, {"templateName", name}};
}

std::string_view type_text(bool is_jitp) {
    return is_jitp ? "JITP" : "FLEET_PROVISIONING";
}

Result<bool> read_is_jitp(const Input& input) {
    auto type = input.optional_text("type");
    if (!type) return std::move(type).error();
    if (!*type || **type == type_text(false)) return false;
    if (**type == type_text(true)) return true;
    return fail(Code::InvalidRequest,
                "expected FLEET_PROVISIONING or JITP, found '" + **type + "'",
                "/type");
}

/// preProvisioningHook {targetArn, payloadVersion}
struct Hook {
    std::string target_arn, payload_version;
};
Result<std::optional<Hook>> read_hook(const Input& input) {
    auto object = input.optional_object("preProvisioningHook");
    if (!object) return std::move(object).error();
    if (!*object) return std::optional<Hook>();
    auto arn = (*object)->text("targetArn");
    if (!arn) return std::move(arn).error();
    auto version = (*object)->optional_text("payloadVersion");
    if (!version) return std::move(version).error();
    if (*version && **version != kHookPayload) {
        return fail(Code::InvalidRequest,
                    "expected 2020-04-01, found '" + **version + "'",
                    "/preProvisioningHook/payloadVersion");
    }
    return std::optional(Hook{std::move(*arn), std::string(kHookPayload)});
}

Result<std::string> read_description(const Input& input) {
    auto description = input.optional_text("description");
    if (!description) return std::move(description).error();
    std::string text = std::move(*description).value_or("");
    const bool has_control = std::any_of(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
    if (text.size() <= 500 && !has_control) return text;
    return fail(Code::InvalidRequest,
                "expected at most 500 characters and no control character",
                "/description");
}

Result<> check_role(std::string_view arn) {
    if (arn.size() >= 20 && arn.size() <= 2048) return {};
    return fail(Code::InvalidRequest,
                "expected a role ARN of 20 to 2048 characters, found " + std::to_string(arn.size()),
                "/provisioningRoleArn");
}

Result<> check_body(const Call& call, std::string_view body, bool is_jitp) {
    const auto kind = is_jitp ? templates::Kind::Jitp : templates::Kind::Claim;
    auto compiled = call.service.compiled.provisioning_template(body, kind);
    if (!compiled) return std::move(compiled).error();
    return {};
}

Result<ProvisioningTemplate> wanted_template(const Call& call) {
    ProvisioningTemplate wanted;
    auto name = call.input.text("templateName");
    if (!name) return std::move(name).error();
    auto description = read_description(call.input);
    if (!description) return std::move(description).error();
    auto body = call.input.text("templateBody");
    if (!body) return std::move(body).error();
    auto enabled = call.input.optional_flag("enabled");
    if (!enabled) return std::move(enabled).error();
    auto role = call.input.text("provisioningRoleArn");
    if (!role) return std::move(role).error();
    if (auto checked = check_role(*role); !checked) return std::move(checked).error();
    auto is_jitp = read_is_jitp(call.input);
    if (!is_jitp) return std::move(is_jitp).error();
    auto hook = read_hook(call.input);
    if (!hook) return std::move(hook).error();
    if (auto checked = check_body(call, *body, *is_jitp); !checked) {
        return std::move(checked).error();
    }
    wanted.name = std::move(*name);
    wanted.description = std::move(*description);
    wanted.body = std::move(*body);
    wanted.enabled = enabled->value_or(false);
    wanted.role_arn = std::move(*role);
    wanted.is_jitp = *is_jitp;
    if (*hook) {
        wanted.hook_target_arn = std::move((*hook)->target_arn);
        wanted.hook_payload_version = std::move((*hook)->payload_version);
    }
    return wanted;
}

Result<registry::TemplateUpdate> wanted_update(const Call& call) {
    registry::TemplateUpdate update;
    if (call.input.has("description")) {
        auto description = read_description(call.input);
        if (!description) return std::move(description).error();
        update.description = std::move(*description);
    }
    auto enabled = call.input.optional_flag("enabled");
    if (!enabled) return std::move(enabled).error();
    auto version = call.input.optional_integer("defaultVersionId");
    if (!version) return std::move(version).error();
    auto role = call.input.optional_text("provisioningRoleArn");
    if (!role) return std::move(role).error();
    if (*role) {
        if (auto checked = check_role(**role); !checked) return std::move(checked).error();
    }
    auto hook = read_hook(call.input);
    if (!hook) return std::move(hook).error();
    auto remove = call.input.optional_flag("removePreProvisioningHook");
    if (!remove) return std::move(remove).error();
    update.enabled = *enabled;
    update.role_arn = std::move(*role);
    update.remove_hook = remove->value_or(false);
    if (*version) {
        auto number = version_number(std::to_string(**version), "/defaultVersionId");
        if (!number) return std::move(number).error();
        update.default_version = *number;
    }
    if (*hook) {
        update.hook_target_arn = std::move((*hook)->target_arn);
        update.hook_payload_version = std::move((*hook)->payload_version);
    }
    return update;
}

json described(const Call& call, const ProvisioningTemplate& found) {
    json body = with_arn(call, found.name);
    if (!found.description.empty()) body["description"] = found.description;
    body["creationDate"] = epoch(found.created);
    body["lastModifiedDate"] = epoch(found.modified);
    body["enabled"] = found.enabled;
    body["type"] = type_text(found.is_jitp);
    return body;
}

Result<int> version_label(const Call& call) {
    return version_number(call.labels[1], "versionId");
}

}  // namespace

Result<std::string> create_provisioning_template(const Call& call) {
    auto tags = read_tags(call.input);
    if (!tags) return std::move(tags).error();
    auto wanted = wanted_template(call);
    if (!wanted) return std::move(wanted).error();
    auto created =
        call.service.store.write([&](store::Tx& tx) -> Result<registry::ProvisioningTemplate> {
            auto made = registry::create_template(tx, call.account(), *wanted, call.now);
            if (!made) return made;
            auto tagged = registry::add_tags(tx, {"provisioningtemplate", wanted->name}, *tags);
            if (!tagged) return std::move(tagged).error();
            return made;
        });
    if (!created) return std::move(created).error();
    json body = with_arn(call, created->name);
    body["defaultVersionId"] = created->default_version;
    return to_body(body);
}

Result<std::string> describe_provisioning_template(const Call& call) {
    auto found = call.service.store.read(
        [&](store::Reader& reader) { return registry::find_template(reader, call.labels[0]); });
    if (!found) return std::move(found).error();
    json body = described(call, *found);
    body["defaultVersionId"] = found->default_version;
    body["templateBody"] = found->body;
    body["provisioningRoleArn"] = found->role_arn;
    if (found->hook_target_arn) {
        body["preProvisioningHook"] = {
            {"targetArn", *found->hook_target_arn},
            {"payloadVersion", found->hook_payload_version.value_or(std::string(kHookPayload))}};
    }
    return to_body(body);
}

Result<std::string> update_provisioning_template(const Call& call) {
    auto update = wanted_update(call);
    if (!update) return std::move(update).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::update_template(tx, call.labels[0], *update, call.now);
    }));
}

Result<std::string> delete_provisioning_template(const Call& call) {
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::delete_template(tx, call.labels[0]); }));
}

Result<std::string> list_provisioning_templates(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto page = call.service.store.read(
        [&](store::Reader& reader) { return registry::list_templates(reader, *request); });
    if (!page) return std::move(page).error();
    json items = json::array();
    for (const auto& found : page->items)
        items.push_back(described(call, found));
    json body = {{"templates", std::move(items)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

Result<std::string> create_provisioning_template_version(const Call& call) {
    auto text = call.input.text("templateBody");
    if (!text) return std::move(text).error();
    auto set_default = query_flag(call, "setAsDefault", false);
    if (!set_default) return std::move(set_default).error();
    auto found = call.service.store.read(
        [&](store::Reader& reader) { return registry::find_template(reader, call.labels[0]); });
    if (!found) return std::move(found).error();
    if (auto checked = check_body(call, *text, found->is_jitp); !checked) {
        return std::move(checked).error();
    }
    auto version = call.service.store.write([&](store::Tx& tx) {
        return registry::create_template_version(tx, call.labels[0], *text, *set_default, call.now);
    });
    if (!version) return std::move(version).error();
    json body = with_arn(call, call.labels[0]);
    body["versionId"] = version->version;
    body["isDefaultVersion"] = version->is_default;
    return to_body(body);
}

Result<std::string> describe_provisioning_template_version(const Call& call) {
    auto number = version_label(call);
    if (!number) return std::move(number).error();
    auto version = call.service.store.read([&](store::Reader& reader) {
        return registry::find_template_version(reader, call.labels[0], *number);
    });
    if (!version) return std::move(version).error();
    return to_body({{"versionId", version->version},
                    {"creationDate", epoch(version->created)},
                    {"templateBody", version->body},
                    {"isDefaultVersion", version->is_default}});
}

Result<std::string> delete_provisioning_template_version(const Call& call) {
    auto number = version_label(call);
    if (!number) return std::move(number).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::delete_template_version(tx, call.labels[0], *number);
    }));
}

Result<std::string> list_provisioning_template_versions(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto versions = call.service.store.read(
        [&](store::Reader& reader) { return registry::template_versions(reader, call.labels[0]); });
    if (!versions) return std::move(versions).error();
    auto after =
        request->after.empty() ? Result<int>(0) : version_number(request->after, "nextToken");
    if (!after) return std::move(after).error();
    std::sort(versions->begin(), versions->end(), [](const auto& a, const auto& b) {
        return a.version < b.version;
    });
    json items = json::array();
    std::optional<std::string> next;
    int last = 0;
    for (const auto& version : *versions) {
        if (version.version <= *after) continue;
        if (items.size() == static_cast<std::size_t>(request->limit)) {
            next = std::to_string(last);
            break;
        }
        last = version.version;
        items.push_back({{"versionId", version.version},
                         {"creationDate", epoch(version.created)},
                         {"isDefaultVersion", version.is_default}});
    }
    json body = {{"versions", std::move(items)}};
    add_token(call, body, "nextToken", next);
    return to_body(body);
}

Result<std::string> create_provisioning_claim(const Call& call) {
    auto claim = flows::create_trusted_claim(
        call.service, call.labels[0], "api:" + std::string(call.access_key_id), call.now);
    if (!claim) return std::move(claim).error();
    return to_body({{"certificateId", claim->id.hex()},
                    {"certificatePem", claim->certificate_pem},
                    {"keyPair",
                     {{"PublicKey", claim->public_key_pem},
                      {"PrivateKey", std::string(claim->private_key_pem.text())}}},
                    {"expiration", epoch(claim->expires)}});
}

Result<std::string> register_thing(const Call& call) {
    auto text = call.input.text("templateBody");
    if (!text) return std::move(text).error();
    auto parameters = call.input.optional_text_map("parameters");
    if (!parameters) return std::move(parameters).error();
    for (const auto& [name, value] : parameters->value_or(std::map<std::string, std::string>{})) {
        if (name.size() <= kMaxParameterName && value.size() <= kMaxParameterValue) continue;
        return fail(Code::InvalidRequest,
                    "expected names of at most 2048 bytes and values of at most 4096, found " +
                        std::to_string(name.size()) + " and " + std::to_string(value.size()),
                    "/parameters");
    }
    auto registered = flows::register_thing_http(
        call.service,
        *text,
        std::move(*parameters).value_or(std::map<std::string, std::string>{}),
        call.now);
    if (!registered) return std::move(registered).error();
    return to_body({{"certificatePem", registered->certificate_pem},
                    {"resourceArns", registered->resource_arns}});
}

Result<std::string> describe_endpoint(const Call& call) {
    const std::string type = query_text(call, "endpointType").value_or("iot:Data");
    if (type == "iot:Data" || type == "iot:Data-ATS" || type == "iot:Jobs") {
        return to_body({{"endpointAddress", call.service.settings.endpoint_host}});
    }
    if (type == "iot:CredentialProvider") {
        return fail(Code::NotImplemented, "there is no credential provider", "endpointType");
    }
    return fail(
        Code::InvalidRequest,
        "expected iot:Data-ATS, iot:Data, iot:Jobs or iot:CredentialProvider, found '" + type + "'",
        "endpointType");
}

}  // namespace hatchery::api::provisioning
