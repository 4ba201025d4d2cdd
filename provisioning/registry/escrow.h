// Private keys in escrow: encrypted to an operator's key before they come here, so that nobody
// reads them but him.
#pragma once

#include "ca/base/certificate_id.h"
#include "provisioning/store/store.h"

#include <string>
#include <string_view>

namespace hatchery::registry {

/// @param cms  "CMS" PEM. @errors AlreadyExists
Result<> add_escrowed_key(store::Tx&, const CertificateId& certificate, std::string_view cms);
/// @errors NotFound
Result<std::string> find_escrowed_key(store::Reader&, const CertificateId& certificate);
/// Succeeds when there is none.
Result<> delete_escrowed_key(store::Tx&, const CertificateId& certificate);

}  // namespace hatchery::registry
