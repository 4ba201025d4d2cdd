// Where the certificate of a registration by RegisterThing or in bulk comes from.
#pragma once

#include "provisioning/flows/register.h"

#include <optional>
#include <string>

namespace hatchery::flows {

/// Found before the write: a certificate that is known, one that is given and will be added, or a
/// request that is still to be signed.
struct CertificateSource {
    struct Added {
        ca::Certificate leaf;
        CertificateId ca;
        registry::CertificateMode mode;
    };
    CertificateId id{};  ///< zero: the plan has no certificate, or only a request
    std::string pem;
    std::optional<Added> added;
    std::optional<ca::Csr> request;
};

/// @errors those of the certificate, its CA or the request; `where` = the template's property
Result<CertificateSource> find_source(Service& service, const templates::Plan& plan, Time now);

/// `apply` for a source that is no request.
Result<> apply_with_source(store::Tx& tx,
                           const registry::Account& account,
                           const templates::Plan& plan,
                           const CertificateSource& source,
                           Time now);

}  // namespace hatchery::flows
