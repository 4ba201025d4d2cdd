// The profile of certificates that the service itself issues to devices.
#pragma once

#include "ca/base/clock.h"
#include "ca/profile.h"

namespace hatchery::flows {

/// As CreateKeysAndCertificate and CreateCertificateFromCsr issue: subject "CN=AWS IoT
/// Certificate", valid until 2049-12-31T23:59:59Z (never beyond the issuer), whatever else the
/// request asks for is left out. Good for CreateCertificateFromCsr over HTTP too.
ca::Profile fleet_profile(Time now);

}  // namespace hatchery::flows
