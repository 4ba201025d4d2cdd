// Private to ca/: the check of the exact bytes that are to be signed. Reads them back with the
// strict reader and holds them against RFC 5280, the profile and the request, knowing nothing of
// how they were built: a mistake of the builder, or of a profile, is found before there is a
// signature.
#pragma once

#include "ca/certificate.h"
#include "ca/profile.h"

namespace hatchery::ca {

/// What the bytes must agree with.
struct LintContext {
    const Profile& profile;
    const Certificate& issuer;
    ByteView signature_algorithm;  ///< AlgorithmIdentifier of the issuer's signatures
    ByteView public_key_der;       ///< SubjectPublicKeyInfo of the request
    ByteView serial_number;        ///< as it goes into the ledger
    Time now;
};

/// The fields that `tbs` holds, without `der` and `id`, which the signature completes.
/// @errors InvalidRequest  a finding; where = "certificate.FIELD", the message names the clause
Result<CertificateFields> lint_tbs(ByteView tbs, const LintContext& context);

}  // namespace hatchery::ca
