// Rotation of device certificates: a device whose thing has to do a rotation job asks for its next
// certificate over its own connection, by CreateCertificateFromCsr. The next one is a full
// successor at once (ACTIVE, same thing, same policies); the present one keeps working until the
// next one has connected (retire_replaced). So there is no moment without a working certificate.
#pragma once

#include "provisioning/flows/service.h"
#include "provisioning/registry/jobs.h"

#include <functional>
#include <optional>
#include <string>

namespace hatchery::flows {

/// The job document that says to a device what to do.
inline constexpr std::string_view kRotationDocument =
    R"({"operation":"rotate-certificate","topic":"$aws/certificates/create-from-csr/json"})";

/// A device that is asked to exchange its certificate.
struct Rotation {
    ca::Certificate present;
    registry::JobExecution execution;
};
/// Nothing if the holder of `certificate` is not asked to.
/// @errors Conflict  several things share the certificate
Result<std::optional<Rotation>> find_rotation(const Service& service,
                                              const CertificateId& certificate);

/// The successor of the present certificate for `csr`. Asked again with the same key, before the
/// successor has connected: the same certificate (an answer was lost). With another key: a new one,
/// and the one that never connected is revoked.
/// @param with  more to write in the commit that makes it; called for the same certificate again,
/// too
/// @errors InvalidRequest  the request names another subject than the present certificate, if that
/// was issued here by a profile; Throttled  another key got one a moment ago; those of issue
Result<ca::Certificate> rotate_certificate(
    Service& service,
    const Rotation& rotation,
    const ca::Csr& csr,
    const std::function<Result<>(store::Tx&, const ca::Certificate&)>& with,
    Time now);

}  // namespace hatchery::flows
