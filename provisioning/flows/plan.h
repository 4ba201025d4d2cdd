// From a compiled template and parameters to a plan that may be applied; the hook in between.
#pragma once

#include "hooks/hook.h"
#include "provisioning/flows/reservations.h"
#include "provisioning/flows/service.h"
#include "provisioning/flows/trace.h"

namespace hatchery::flows {

/// Where errors of a hook point to.
inline constexpr std::string_view kHookMember = "preProvisioningHook";
/// The parameter that the service itself defines; nobody else may.
inline constexpr std::string_view kCertificateIdParameter = "AWS::IoT::Certificate::Id";

/// A provisioning template that devices may use.
struct UsableTemplate {
    registry::ProvisioningTemplate record;
    templates::Template compiled;
};
/// @param kind  Jitp or Claim, as the template's type must be
/// @errors NotFound; InvalidRequest  of the other type, not enabled, or it does not compile
Result<UsableTemplate> find_template(Service& service,
                                     const std::string& name,
                                     templates::Kind kind);

/// Asks the hook `target_arn` about `event` and merges its overrides over `event.parameters`.
/// @param reserved  gets what the write of the plan has to use up (use_reservations)
/// @errors Forbidden  it refused, failed, timed out, does not exist, or overrides a parameter that
/// the template does not declare; `where` = "preProvisioningHook", the message is for the log
Result<templates::Parameters> ask_hook(const Service& service,
                                       std::string_view target_arn,
                                       const templates::Template& compiled,
                                       const hooks::HookEvent& event,
                                       Reservations& reserved,
                                       Trace& trace);

/// The thing, groups and policies of a plan, for a trace.
std::string summary_of(const templates::Plan& plan);

/// Resolves `compiled` for the certificate `id` that is being provisioned (JITP and claim), and
/// checks the plan's policy documents. A template without a certificate resource means that
/// certificate, ACTIVE.
/// @errors InvalidRequest  a parameter or value (see templates::resolve), or a certificate resource
/// that is another certificate; MalformedPolicy
Result<templates::Plan> make_plan(Service& service,
                                  const templates::Template& compiled,
                                  templates::Parameters parameters,
                                  const CertificateId& id,
                                  Trace& trace);

/// Compiles every policy document of `plan`, before any transaction. @errors MalformedPolicy
Result<> check_policy_documents(Service& service, const templates::Plan& plan);

/// RFC 6901 pointer of a property: /Resources/LOGICAL/Properties/PROPERTY.
std::string property_pointer(std::string_view logical_name, std::string_view property);

}  // namespace hatchery::flows
