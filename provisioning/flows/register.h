// RegisterThing (HTTP) and the one write that turns a plan into records; JITP and claim use it too.
#pragma once

#include "provisioning/flows/service.h"
#include "provisioning/registry/certificates.h"
#include "templates/template.h"

#include <map>
#include <string>

namespace hatchery::flows {

/// The ARNs of what `plan` makes, by logical name. @param certificate  what its certificate
/// resource stands for, if it has one
std::map<std::string, std::string> arns_of(const registry::Account& account,
                                           const templates::Plan& plan,
                                           const std::optional<CertificateId>& certificate);
/// Makes the plan's records inside `tx`: thing (with OverrideSettings for one that exists), type,
/// groups, billing group, policies (created, or found by name), attachments, certificate status.
/// All or nothing: the caller returns the error out of Store::write. Policy documents of the plan
/// must have been compiled by the caller.
/// @param certificate  the certificate that the plan's certificate record stands for, as this write
/// read or made it; kept as its row is
/// @errors NotFound  a thing type, group, billing group or policy that does not exist; Conflict  an
/// override FAIL, or a
///                   thing that exists with other values and no override; `where` = JSON pointer in
///                   the template
Result<> apply(store::Tx& tx,
               const registry::Account& account,
               const templates::Plan& plan,
               registry::DeviceCertificate& certificate,
               Time now);
/// The same by the id of a registered certificate, which a plan without certificate has not.
Result<> apply(store::Tx& tx,
               const registry::Account& account,
               const templates::Plan& plan,
               const CertificateId& certificate,
               Time now);

/// Adds a certificate that this service has just issued, with the status that the plan gives it,
/// and applies the rest of the plan. @pre the plan has a certificate
/// @errors AlreadyExists; those of apply
Result<> apply_issued(store::Tx& tx,
                      const registry::Account& account,
                      const templates::Plan& plan,
                      const ca::Certificate& made,
                      Time now);

/// Adds a certificate that this service has just issued, PENDING_ACTIVATION: the first part of what
/// `issue` writes beside the ledger. @errors AlreadyExists
Result<registry::DeviceCertificate> add_issued(store::Tx& tx,
                                               const registry::Account& account,
                                               const ca::Certificate& made,
                                               Time now);

struct HttpRegistration {
    std::string certificate_pem;
    std::map<std::string, std::string> resource_arns;
};
/// RegisterThing of the control plane: CertificateId, CertificatePem (+ CACertificatePem) or
/// CertificateSigningRequest.
Result<HttpRegistration> register_thing_http(Service&,
                                             std::string_view template_body,
                                             const std::map<std::string, std::string>& parameters,
                                             Time now);

}  // namespace hatchery::flows
