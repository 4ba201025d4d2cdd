// Private to ca/: is a request within its profile? What the certificate takes over from it.
#pragma once

#include "ca/csr.h"
#include "ca/profile.h"
#include "ca/x509_parts.h"

namespace hatchery::ca {

/// What a request may put into its certificate, after every check.
struct AcceptedRequest {
    Name subject;
    AltNames alt_names;
    bool rsa = false;  ///< keyEncipherment has a meaning
};

/// Cheap checks first, the self-signature last: a key of 16,384 bits costs a caller nothing.
/// @errors InvalidRequest  `where` = "CSR.key", "CSR.subject.CN", "CSR.extensions",
/// "CSR.signature", …
Result<AcceptedRequest> check_request(const Csr& csr, const Profile& profile);

/// Is this a value that a subject may have: a string, not empty, no control character, within RFC
/// 5280's bounds, a country of two letters? @errors InvalidRequest  where = "CSR.subject.TYPE"
Result<> check_value(const NameAttribute& attribute);

}  // namespace hatchery::ca
