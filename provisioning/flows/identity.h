// What the registry knows of a connection's certificate, and the policy variables it gives.
#pragma once

#include "provisioning/flows/admit.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/things.h"

#include <optional>
#include <vector>

namespace hatchery::flows {

/// One consistent view. Policies and thing are read only for an ACTIVE certificate.
struct Identity {
    registry::DeviceCertificate certificate;
    std::optional<registry::Thing> thing;  ///< attached and named like the client id, or exclusive
    bool is_exclusive = false;             ///< the thing is attached exclusively
    std::vector<registry::Policy> policies;  ///< of the certificate, then of the thing's groups
    bool is_for_any_client_id = false;       ///< no thing is attached that one could name
    bool is_renewal = false;                 ///< the certificate before it is still to be retired
    std::uint64_t generation = 0;  ///< Store::identity_generation before the view was taken
};

/// A trusted user's claim certificate (trusted_claim.h) has an identity too: ACTIVE, one policy.
/// @errors NotFound  the certificate is unknown
Result<Identity> read_identity(store::Store& store,
                               const CertificateId& id,
                               std::string_view client_id);

/// The same inside a view, for a certificate of any status; its generation is not set.
Result<Identity> read_identity_in(store::Reader& reader,
                                  registry::DeviceCertificate certificate,
                                  std::string_view client_id);

/// The values of policy variables that hold for the whole connection.
policy::Context make_context(const ConnectRequest& request, const Identity& identity);

}  // namespace hatchery::flows
