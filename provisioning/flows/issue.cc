#include "provisioning/flows/issue.h"

namespace hatchery::flows {

Result<ca::Certificate> sign_recorded(registry::StoreLedger& ledger,
                                      const ca::Issuer& issuer,
                                      ca::Recorded recorded,
                                      std::string_view requester,
                                      Time now) {
    const Bytes serial_number = recorded.prepared().serial_number();
    auto certificate = issuer.sign(std::move(recorded));
    if (!certificate) {
        // Should this fail, too, the row stays and counts: never too little.
        static_cast<void>(ledger.give_up(issuer.certificate().id(), serial_number, requester, now));
    }
    return certificate;
}

Result<ca::Certificate> issue(
    store::Store& store,
    registry::StoreLedger& ledger,
    const ca::Issuer& issuer,
    const ca::Csr& csr,
    const ca::Profile& profile,
    std::string_view requester,
    Time now,
    const std::function<Result<>(store::Tx&, const ca::Certificate&)>& with) {
    auto prepared = issuer.prepare(csr, profile, now);
    if (!prepared) return std::move(prepared).error();
    auto recorded = ledger.record(std::move(*prepared), requester, now);
    if (!recorded) return std::move(recorded).error();
    auto certificate = sign_recorded(ledger, issuer, std::move(*recorded), requester, now);
    if (!certificate) return certificate;

    const auto store_it = [&](store::Tx& tx) -> Result<> {
        auto completed = registry::StoreLedger::complete_in(tx, *certificate, now);
        if (!completed || !with) return completed;
        return with(tx, *certificate);
    };
    auto stored = store.write(store_it, ledger.terms().patience);
    if (stored) return certificate;
    // The signature exists, so the ledger must know the certificate even though its registration
    // was refused; should this fail too, the recorded tbs still names its serial number.
    if (with && stored.error().code != Code::Unavailable) {
        if (auto completed = ledger.complete(*certificate, now); !completed) {
            return std::move(completed).error();
        }
    }
    return std::move(stored).error();
}

}  // namespace hatchery::flows
