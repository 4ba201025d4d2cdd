#include "provisioning/flows/plan.h"

namespace hatchery::flows {

namespace {

Error hook_error(std::string message) {
    return fail(Code::Forbidden, std::move(message), std::string(kHookMember));
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

Result<templates::Parameters> ask_hook(const Service& service,
                                       std::string_view target_arn,
                                       const templates::Template& compiled,
                                       const hooks::HookEvent& event) {
    const std::string name(target_arn);
    auto decision = service.hooks.decide(target_arn, event);
    if (!decision) {
        return hook_error("hook " + name + " could not decide: " + to_string(decision.error()));
    }
    if (!decision->allow) {
        std::string message = "hook " + name + " refused";
        if (!decision->reason.empty()) message.append(": ").append(decision->reason);
        return hook_error(std::move(message));
    }
    templates::Parameters merged(event.parameters.begin(), event.parameters.end());
    for (auto& [parameter, value] : decision->parameter_overrides) {
        if (parameter == kCertificateIdParameter || !compiled.declares(parameter)) {
            return hook_error("hook " + name + " overrides the parameter " + parameter +
                              ", which the template does not declare");
        }
        merged.insert_or_assign(parameter, value);
    }
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
                                  const CertificateId& id) {
    parameters.insert_or_assign(std::string(kCertificateIdParameter), id.hex());
    auto plan = templates::resolve(compiled, parameters);
    if (!plan) return plan;
    if (auto checked = check_certificate(*plan, id); !checked) return std::move(checked).error();
    if (auto checked = check_policy_documents(service, *plan); !checked) {
        return std::move(checked).error();
    }
    return plan;
}

}  // namespace hatchery::flows
