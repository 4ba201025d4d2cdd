// First connect of a certificate that nobody registered: provisioning by template (JITP) or
// registration with an event (JITR).
#pragma once

#include "provisioning/flows/admit.h"
#include "provisioning/flows/identity.h"
#include "provisioning/flows/registered_ca.h"
#include "provisioning/flows/trace.h"

namespace hatchery::flows {

/// Does this CA provision by template (registrationConfig with a template)?
bool has_template(const registry::CaCertificate& ca);

struct FirstConnect {
    bool is_made = false;  ///< false: another connect or an operator was faster
    Identity identity;     ///< as the write left it
};

/// JITP: template -> parameters of the certificate -> hook if any -> plan -> one write. A
/// certificate that is no longer unknown or PENDING_ACTIVATION by the time of the write is left as
/// it is.
/// @errors InvalidRequest, NotFound, Conflict  as templates, hook and registry say; then the
/// certificate is PENDING_ACTIVATION and nothing else was made
Result<FirstConnect> provision_first_connect(Service& service,
                                             const ConnectRequest& request,
                                             const RegisteredCa& ca,
                                             Trace& trace,
                                             Time now);

/// JITR: stores the certificate PENDING_ACTIVATION, unless it is known by now.
/// @return its status after that
Result<registry::CertificateStatus> register_pending(Service& service,
                                                     const ca::Certificate& certificate,
                                                     const RegisteredCa& ca,
                                                     Time now);
/// The event of that registration (AWS IoT Developer Guide, "Just-in-time registration").
Event registration_event(const registry::Account& account,
                         const CertificateId& certificate,
                         const CertificateId& ca,
                         Time now);

}  // namespace hatchery::flows
