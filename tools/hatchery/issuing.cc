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

Result<OfflineIssuer> OfflineIssuer::open_root(const DataDirectory& data,
                                               const Secret& passphrase) {
    auto issuer = data.root_ca(passphrase);
    if (!issuer) return std::move(issuer).error();
    auto store = data.open_store();
    if (!store) return std::move(store).error();
    return OfflineIssuer(std::move(*issuer), std::move(*store));
}

Result<ca::Certificate> OfflineIssuer::find_earlier(store::Reader& reader,
                                                    const ca::Csr& csr,
                                                    const ca::Profile& profile) {
    auto row = registry::find_issued_for_key(
        reader, csr.fields().public_key_der, profile.name, requester());
    if (!row) return std::move(row).error();
    const auto serial = csr.fields().subject.first(ca::oid::kSerialNumber).value_or("");
    if (row->device_serial != serial) return fail(Code::NotFound, "another device");
    return ca::Certificate::from_der(row->certificate_der);
}

void OfflineIssuer::note_refusal(const ca::Csr& csr,
                                 const ca::Profile& profile,
                                 const Error& error) {
    registry::LedgerEvent event;
    event.kind = registry::LedgerKind::Refused;
    event.issuer = issuer_.certificate().id();
    event.detail =
        std::string(registry::refusal_word(error)) + ": " + to_string(error).substr(0, 300);
    event.profile = profile.name;
    event.requester = requester();
    event.device_serial = csr.fields().subject.first(ca::oid::kSerialNumber).value_or("");
    // A ledger that cannot be written has refused to sign, too: that is what the user sees.
    static_cast<void>(store_->write(
        [&](store::Tx& tx) -> Result<> { return registry::append_event(tx, event, clock_now()); }));
}

Result<ca::Certificate> OfflineIssuer::issue(
    const ca::Csr& csr,
    const ca::Profile& profile,
    const std::function<Result<>(store::Tx&, const ca::Certificate&)>& with) {
    registry::StoreLedger ledger(*store_);
    auto certificate =
        flows::issue(*store_, ledger, issuer_, csr, profile, requester(), clock_now(), with);
    if (!certificate && certificate.error().code != Code::Unavailable) {
        note_refusal(csr, profile, certificate.error());
    }
    return certificate;
}

Result<ca::Csr> request_for(const ca::PrivateKey& key, std::string_view common_name) {
    const ca::CsrSubject subject{
        {{std::string(ca::oid::kCommonName), std::string(common_name)}}, {}, {}};
    auto pem = ca::make_csr(key, subject);
    if (!pem) return std::move(pem).error();
    return ca::Csr::parse(bytes_of(*pem));
}

}  // namespace hatchery::command
