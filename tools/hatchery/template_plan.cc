#include "tools/hatchery/template_plan.h"

namespace hatchery::command {

namespace {

using nlohmann::ordered_json;
using templates::Override;

void add(ordered_json& json, const char* name, const std::optional<std::string>& value) {
    if (value) json[name] = *value;
}

void add_override(ordered_json& record, const char* name, Override value) {
    if (value != Override::Unset) record["overrideSettings"][name] = to_string(value);
}

ordered_json certificate_json(const templates::CertificateRecord& record) {
    ordered_json json = ordered_json::object();
    json["logicalName"] = record.logical_name;
    add(json, "certificateId", record.certificate_id);
    add(json, "certificateSigningRequest", record.certificate_signing_request);
    add(json, "certificatePem", record.certificate_pem);
    add(json, "caCertificatePem", record.ca_certificate_pem);
    json["status"] = record.active ? "ACTIVE" : "INACTIVE";
    if (record.exclusive_thing) json["thingPrincipalType"] = "EXCLUSIVE_THING";
    add_override(json, "Status", record.on_status);
    return json;
}

ordered_json thing_json(const templates::ThingRecord& record) {
    ordered_json json = ordered_json::object();
    json["logicalName"] = record.logical_name;
    json["thingName"] = record.thing_name;
    add(json, "thingTypeName", record.thing_type);
    if (record.has_attributes) json["attributes"] = record.attributes;
    if (record.has_thing_groups) json["thingGroups"] = record.thing_groups;
    add(json, "billingGroupName", record.billing_group);
    add_override(json, "AttributePayload", record.on_attributes);
    add_override(json, "ThingTypeName", record.on_thing_type);
    add_override(json, "ThingGroups", record.on_thing_groups);
    return json;
}

ordered_json policy_json(const templates::PolicyRecord& record) {
    ordered_json json = ordered_json::object();
    add(json, "policyName", record.policy_name);
    if (record.policy_document) {
        auto document = ordered_json::parse(*record.policy_document, nullptr, false);
        json["policyDocument"] =
            document.is_discarded() ? ordered_json(*record.policy_document) : std::move(document);
    }
    return json;
}

std::string scalar_text(const ordered_json& value) {
    if (!value.is_string()) return value.dump();
    const auto& text = value.get_ref<const std::string&>();
    const bool is_plain = !text.empty() && text.find_first_of("\n\r\t\"") == std::string::npos;
    if (is_plain) return text;
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void append_lines(std::string& out, const ordered_json& value, std::size_t indent) {
    for (const auto& [name, member] : value.items()) {
        out += std::string(indent, ' ') + (value.is_array() ? "-" : name + ":");
        if (member.is_structured() && !member.empty()) {
            out += "\n";
            append_lines(out, member, indent + 2);
        } else {
            out += " " + scalar_text(member) + "\n";
        }
    }
}

}  // namespace

ordered_json plan_json(const templates::Plan& plan) {
    ordered_json json = ordered_json::object();
    if (plan.certificate) json["certificate"] = certificate_json(*plan.certificate);
    if (plan.thing) json["thing"] = thing_json(*plan.thing);
    for (const auto& policy : plan.policies)
        json["policies"][policy.logical_name] = policy_json(policy);
    if (!plan.device_configuration.empty()) {
        json["deviceConfiguration"] = plan.device_configuration;
    }
    return json;
}

std::string plan_text(const ordered_json& plan) {
    std::string out;
    append_lines(out, plan, 0);
    return out;
}

std::string json_text(const ordered_json& value) {
    return value.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace hatchery::command
