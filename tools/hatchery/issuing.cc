#include "tools/hatchery/issuing.h"

#include "ca/base/clock.h"
#include "tools/hatchery/options.h"

#include <utility>

namespace hatchery::command {

Result<OfflineIssuer> OfflineIssuer::open(const DataDirectory& data, const Secret& passphrase) {
    auto issuer = data.issuing_ca(passphrase);
    if (!issuer) return std::move(issuer).error();
    auto store = data.open_store();
    if (!store) return std::move(store).error();
    return OfflineIssuer(std::move(*issuer), std::move(*store));
}

Result<ca::Certificate> OfflineIssuer::issue(
    const ca::Csr& csr,
    const ca::Profile& profile,
    const std::function<Result<>(store::Tx&, const ca::Certificate&)>& with) {
    registry::StoreLedger ledger(*store_);
    return flows::issue(*store_, ledger, issuer_, csr, profile, requester(), clock_now(), with);
}

Result<ca::Csr> request_for(const ca::PrivateKey& key, std::string_view common_name) {
    const ca::CsrSubject subject{
        {{std::string(ca::oid::kCommonName), std::string(common_name)}}, {}, {}};
    auto pem = ca::make_csr(key, subject);
    if (!pem) return std::move(pem).error();
    return ca::Csr::parse(bytes_of(*pem));
}

}  // namespace hatchery::command
