// Renewal: a device gets its next certificate by showing its present one (RFC 7030 4.2.2, and the
// JSON endpoint). The present one keeps working until the next one has first connected.
#pragma once

#include "provisioning/flows/service.h"

#include <string>

namespace hatchery::flows {

/// A device's certificate that was issued here, and the CA that did.
struct OwnCertificate {
    registry::LedgerRow row;
    const ca::Issuer* issuer = nullptr;
};
/// @errors NotFound  not issued here by a CA that is still in use
Result<OwnCertificate> find_own_certificate(const Service& service,
                                            const ca::Certificate& certificate);

struct Renewed {
    ca::Certificate certificate;
    bool is_new = true;  ///< no: this key was certified in place of `present` before
};
/// Signs `csr` as the next certificate of the device that holds `present` (the caller has proof of
/// its key). It has the same profile, subject and names, and takes over thing and policies. The
/// same key gets the same certificate again.
/// @errors NotFound  `present` was not issued here; Forbidden  revoked, not ACTIVE, or the profile
/// does not renew, or no longer; InvalidRequest  the request names another subject; Throttled  the
/// last renewal was a moment ago; those of issue
Result<Renewed> renew(Service& service,
                      const ca::Certificate& present,
                      const ca::Csr& csr,
                      Time now);

/// `certificate` has connected: what it has replaced retires. Cheap when there is nothing to do.
Result<> retire_replaced(store::Store& store, const CertificateId& certificate, Time now);

}  // namespace hatchery::flows
