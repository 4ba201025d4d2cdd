#include "provisioning/flows/plan.h"

namespace hatchery::flows {

namespace {

Error hook_error(std::string message) {
    return fail(Code::Forbidden, std::move(message), std::string(kHookMember));
}

template <class Map>
std::string pairs_of(const Map& values) {
    std::string text;
    for (const auto& [name, value] : values)
        text.append(text.empty() ? "" : ", ").append(name).append("=").append(value);
    return text.empty() ? "none" : text;
}

// JITP and fleet templates know one certificate only, the one that is being provisioned.
Result<> check_certificate(templates::Plan& plan, const CertificateId& id) {
    if (!plan.certificate) {
        plan.certificate = templates::CertificateRecord{};
        plan.certificate->certificate_id = id.hex();
        return {};
    }
    const auto& record = *plan.certificate;
    if (record.certificate_id == id.hex()) return {};
    return fail(Code::InvalidRequest,
                "expected the certificate that is being provisioned ({\"Ref\":\"" +
                    std::string(kCertificateIdParameter) + "\"}), found " +
                    (record.certificate_id ? "certificate " + *record.certificate_id
                                           : std::string("another source")),
                property_pointer(record.logical_name, "CertificateId"));
}

}  // namespace

std::string property_pointer(std::string_view logical_name, std::string_view property) {
    std::string pointer = "/Resources/";
    for (const char c : logical_name) {  // RFC 6901 section 3
        if (c == '~') {
            pointer += "~0";
        } else if (c == '/') {
            pointer += "~1";
        } else {
            pointer += c;
        }
    }
    return pointer.append("/Properties/").append(property);
}

std::string summary_of(const templates::Plan& plan) {
    std::string text;
    const auto add = [&](std::string_view what, std::string_view name) {
        text.append(text.empty() ? "" : ", ").append(what).append(" ").append(name);
    };
    if (plan.thing) {
        add("thing", plan.thing->thing_name);
        if (plan.thing->thing_type) add("thing type", *plan.thing->thing_type);
        for (const auto& group : plan.thing->thing_groups)
            add("thing group", group);
        if (plan.thing->billing_group) add("billing group", *plan.thing->billing_group);
    }
    for (const auto& policy : plan.policies)
        add("policy", policy.policy_name.value_or("of " + policy.logical_name));
    if (plan.certificate) add("certificate", plan.certificate->active ? "ACTIVE" : "INACTIVE");
    return text;
}

Result<UsableTemplate> find_template(Service& service,
                                     const std::string& name,
                                     templates::Kind kind) {
    auto found =
        service.store.read([&](store::Reader& reader) -> Result<registry::ProvisioningTemplate> {
            auto generation = reader.identity_generation();
            if (!generation) return std::move(generation).error();
            return service.compiled.named_template(reader, name, *generation);
        });
    if (!found) return std::move(found).error();
    if (found->is_jitp != (kind == templates::Kind::Jitp)) {
        return fail(
            Code::InvalidRequest,
            "provisioning template " + name + " is of type " +
                (found->is_jitp ? "JITP, not FLEET_PROVISIONING" : "FLEET_PROVISIONING, not JITP"));
    }
    if (!found->enabled) {
        return fail(Code::InvalidRequest, "provisioning template " + name + " is not enabled");
    }
    auto compiled = service.compiled.provisioning_template(found->body, kind);
    if (!compiled) return std::move(compiled).error();
    return UsableTemplate{std::move(*found), std::move(*compiled)};
}

Result<templates::Parameters> ask_hook(const Service& service,
                                       std::string_view target_arn,
                                       const templates::Template& compiled,
                                       const hooks::HookEvent& event,
                                       Reservations& reserved,
                                       Trace& trace) {
    const std::string name(target_arn);
    trace.begin("hook", name + " allows it");
    const auto declares = [&](const std::string& parameter) {
        return parameter != kCertificateIdParameter && compiled.declares(parameter);
    };
    auto decision = service.hooks.decide(target_arn, event, declares);
    if (!decision) {
        return hook_error("hook " + name + " failed: " + to_string(decision.error()));
    }
    if (!decision->allow) {
        std::string message = "hook " + name + " refused";
        if (!decision->reason.empty()) message.append(": ").append(decision->reason);
        return hook_error(std::move(message));
    }
    templates::Parameters merged(event.parameters.begin(), event.parameters.end());
    for (const auto& [parameter, value] : decision->parameter_overrides)
        merged.insert_or_assign(parameter, value);
    reserved = std::move(decision->reservations);
    trace.found("allowed" + (decision->parameter_overrides.empty()
                                 ? std::string()
                                 : ", overrides " + pairs_of(decision->parameter_overrides)));
    return merged;
}

Result<> check_policy_documents(Service& service, const templates::Plan& plan) {
    for (const auto& policy : plan.policies) {
        if (!policy.policy_document) continue;
        if (auto compiled = service.compiled.policy_document(*policy.policy_document); !compiled) {
            Error error = std::move(compiled).error();
            if (!error.where.empty()) error.message += " at " + error.where;
            error.where = property_pointer(policy.logical_name, "PolicyDocument");
            return error;
        }
    }
    return {};
}

Result<templates::Plan> make_plan(Service& service,
                                  const templates::Template& compiled,
                                  templates::Parameters parameters,
                                  const CertificateId& id,
                                  Trace& trace) {
    trace.begin("parameters", "what the template asks for");
    trace.found(pairs_of(parameters));
    parameters.insert_or_assign(std::string(kCertificateIdParameter), id.hex());
    trace.begin("plan", "every value of the template has one");
    auto plan = templates::resolve(compiled, parameters);
    if (!plan) return plan;
    if (auto checked = check_certificate(*plan, id); !checked) return std::move(checked).error();
    if (auto checked = check_policy_documents(service, *plan); !checked) {
        return std::move(checked).error();
    }
    trace.found(summary_of(*plan));
    return plan;
}

}  // namespace hatchery::flows
