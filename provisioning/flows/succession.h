// What a certificate that takes the place of another gets from it: renewal and rotation. Private.
#pragma once

#include "ca/certificate.h"
#include "ca/csr.h"
#include "provisioning/registry/certificates.h"

#include <chrono>

namespace hatchery::flows {

/// A device that loses every answer asks again with a new key each time.
inline constexpr std::chrono::seconds kLeastTimeBetweenSuccessors{60};

/// RFC 7030 4.2.2: subject and subjectAltName are those of the present certificate.
/// @errors InvalidRequest  `where` = CSR field
Result<> check_same_names(const ca::Certificate& present, const ca::Csr& csr);

/// Stores `next` ACTIVE with the things and the policies of the certificate `old_id`, which keeps
/// them too: until `next` has connected (registry::retire_replaced) both work. Nothing is stored
/// when the old one is unknown: it has never connected, and the new one will in its place.
Result<> take_over(store::Tx& tx,
                   const registry::Account& account,
                   const CertificateId& old_id,
                   const ca::Certificate& next,
                   Time now);

}  // namespace hatchery::flows
