// First connect of a certificate that nobody registered: provisioning by template (JITP) or
// registration with an event (JITR).
#pragma once

#include "provisioning/flows/admit.h"
#include "provisioning/flows/identity.h"
#include "provisioning/flows/registered_ca.h"
#include "provisioning/flows/reservations.h"
#include "provisioning/flows/trace.h"

namespace hatchery::flows {

/// Does this CA provision by template (registrationConfig with a template)?
bool has_template(const registry::CaCertificate& ca);

/// JITP around its one write: choose -> plan -> write -> written. A certificate that is no longer
/// unknown or PENDING_ACTIVATION by the time of the write is left as it is. Should any part fail,
/// nothing was made. One thread at a time.
class FirstConnect {
  public:
    /// `service` and `request` outlive the object.
    FirstConnect(Service& service, const ConnectRequest& request, RegisteredCa ca, Time now)
        : service_(service), request_(request), ca_(std::move(ca)), now_(now) {}

    const RegisteredCa& ca() const { return ca_; }
    /// Finds the CA's template. @errors InvalidRequest, NotFound
    Result<> choose(Trace& trace);
    /// Does the template have a hook, which `plan` waits for?
    bool has_hook() const { return hook_.has_value(); }
    /// Parameters of the certificate -> hook if any -> plan. @errors as templates and hook say
    Result<> plan(Trace& trace);
    /// May run more than once. @errors NotFound, Conflict  as the registry says
    Result<> write(store::Tx& tx);
    /// After the write.
    void written(Trace& trace);
    /// false: another connect or an operator was faster.
    bool is_made() const { return is_made_; }
    /// As the write left it, to be moved from.
    Identity& identity() { return identity_; }

  private:
    Service& service_;
    const ConnectRequest& request_;
    RegisteredCa ca_;
    Time now_;
    std::optional<templates::Template> template_;
    std::string template_name_;  ///< empty for a body on the CA itself
    std::optional<std::string> hook_;
    Reservations reserved_;
    templates::Plan plan_;
    std::uint64_t generation_ = 0;  ///< before the write
    bool is_made_ = false;
    Identity identity_;
};

/// JITR, and JITP that failed: stores the certificate PENDING_ACTIVATION, unless it is known by
/// now.
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
