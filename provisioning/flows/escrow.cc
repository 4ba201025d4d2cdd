#include "provisioning/flows/escrow.h"

#include "ca/key_container.h"
#include "provisioning/registry/escrow.h"

namespace hatchery::flows {

Result<std::string> escrow(const Settings& settings, const ca::PrivateKey& key) {
    if (settings.escrow_recipient.empty()) return std::string();
    auto pem = key.to_plain_pem();
    if (!pem) return std::move(pem).error();
    return ca::encrypt_to(pem->text(), settings.escrow_recipient);
}

Result<> keep_escrow(store::Tx& tx, const CertificateId& certificate, std::string_view cms) {
    return cms.empty() ? Result<>() : registry::add_escrowed_key(tx, certificate, cms);
}

}  // namespace hatchery::flows
