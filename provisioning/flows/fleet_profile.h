// The profile of certificates that the service itself issues to devices.
#pragma once

#include "provisioning/flows/service.h"

namespace hatchery::flows {

/// As AWS issues by CreateKeysAndCertificate and CreateCertificateFromCsr: subject "CN=AWS IoT
/// Certificate", valid until 2049-12-31T23:59:59Z (never beyond the issuer), whatever else the
/// request asks for left out. A profile of the service that is named "fleet" takes its place.
ca::Profile fleet_profile(const Service& service, Time now);

}  // namespace hatchery::flows
