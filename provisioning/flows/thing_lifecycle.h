// A thing with everything that belongs to it, made or unmade in one step.
#pragma once

#include "provisioning/flows/register.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::flows {

/// What a new thing gets.
struct ThingWish {
    std::string name;
    std::optional<std::string> thing_type, billing_group;
    std::map<std::string, std::string> attributes;
    std::vector<std::string> thing_groups, policies;
};

/// Issues a certificate for `csr` and, in the commit that stores it, makes the thing with its
/// policies attached to the ACTIVE certificate. @param escrowed_key  the device's key, encrypted to
/// an operator (ca::encrypt_to), kept with the certificate; empty: none
/// @errors AlreadyExists  the thing; NotFound  a type, group or policy; and those of `issue`.
/// Checked before anything is signed, too
Result<ca::Certificate> create_thing_with_certificate(Service& service,
                                                      const ThingWish& wish,
                                                      const ca::Csr& csr,
                                                      const ca::Profile& profile,
                                                      std::string_view requester,
                                                      std::string_view escrowed_key,
                                                      Time now);

/// What became of a thing's certificates.
struct DeletedThing {
    std::vector<CertificateId> deleted;  ///< certificates that were the thing's alone
    std::vector<CertificateId> kept;     ///< other things use them
};
/// Deactivates each certificate that is the thing's alone, detaches its policies and the thing, and
/// deletes it; then the thing. One commit: all or nothing.
/// @errors NotFound  there is no such thing
Result<DeletedThing> delete_thing_with_certificates(store::Store& store,
                                                    std::string_view name,
                                                    Time now);

}  // namespace hatchery::flows
