// CreateProvisioningClaim: a trusted user (an installer with an app) gets a claim certificate for
// one template, for five minutes, and hands it to the device in front of them.
#pragma once

#include "provisioning/flows/service.h"

#include <string>
#include <string_view>

namespace hatchery::flows {

/// AWS IoT Developer Guide, "Provisioning by trusted user": five minutes.
inline constexpr std::chrono::minutes kTrustedClaimLifetime{5};

struct TrustedClaim {
    CertificateId id;
    std::string certificate_pem;
    std::string public_key_pem;
    Secret private_key_pem;
    Time expires;
};
/// Issues through prepare -> ledger -> sign; the certificate is valid for five minutes, is no
/// certificate of the account, and may only use the provisioning topics of this template.
/// @param requester  of the ledger, "api:KEY"
/// @errors NotFound  the template; InvalidRequest  it is of type JITP
Result<TrustedClaim> create_trusted_claim(Service&,
                                          std::string_view template_name,
                                          std::string_view requester,
                                          Time now);

/// The policy that a trusted claim for `template_name` has: its topics in JSON and CBOR, nothing
/// else (the guide's policy for claim certificates, narrowed to one template).
std::string trusted_claim_policy(std::string_view template_name);

}  // namespace hatchery::flows
