// Private keys that the service makes, kept for the operator who asks for it: encrypted to his
// public key alone, in the commit that stores the certificate.
#pragma once

#include "ca/key.h"
#include "provisioning/flows/service.h"

#include <string>
#include <string_view>

namespace hatchery::flows {

/// `key`, encrypted to the settings' escrow_recipient; empty if there is none.
/// @errors InvalidRequest  the recipient is no key that can be encrypted to
Result<std::string> escrow(const Settings& settings, const ca::PrivateKey& key);

/// Keeps what `escrow` gave with its certificate; nothing if that is empty.
Result<> keep_escrow(store::Tx& tx, const CertificateId& certificate, std::string_view cms);

}  // namespace hatchery::flows
