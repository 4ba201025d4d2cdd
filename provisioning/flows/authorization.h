// What policies say of somebody who is not connected: TestAuthorization, GetEffectivePolicies and
// `hatchery policy test`.
#pragma once

#include "provisioning/flows/service.h"
#include "provisioning/registry/policies.h"

#include <optional>
#include <string>
#include <vector>

namespace hatchery::flows {

/// Whose policies: a certificate, a thing group, or nobody (the added policies alone).
struct AuthorizationSubject {
    std::optional<CertificateId> certificate;
    std::optional<std::string> thing_group;
    std::string client_id;  ///< empty: not known, so thing variables are unset
    std::optional<std::string>
        group_policies_of;  ///< a thing; its groups' policies count in any case
};

struct SubjectPolicies {
    std::vector<registry::Policy> policies;   ///< none twice
    std::vector<policy::Document> documents;  ///< of `policies`, in their order
    policy::Context context;
};

/// As a connection of the subject would have them; a certificate's status does not matter.
/// @param add, skip  policy names
/// @errors NotFound  the certificate, group, thing or an added policy
Result<SubjectPolicies> read_subject(Service&,
                                     const AuthorizationSubject&,
                                     const std::vector<std::string>& add,
                                     const std::vector<std::string>& skip);

}  // namespace hatchery::flows
