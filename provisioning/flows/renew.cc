#include "provisioning/flows/renew.h"

#include "provisioning/flows/issue.h"
#include "provisioning/flows/succession.h"
#include "provisioning/registry/revocations.h"

namespace hatchery::flows {

namespace {

Result<> check_dates(const ca::Certificate& present, const ca::Profile& profile, Time now) {
    const auto& fields = present.fields();
    if (!profile.renewal) {
        return fail(Code::Forbidden, "profile \"" + profile.name + "\" does not renew");
    }
    if (now < fields.not_before) {
        return fail(Code::Forbidden,
                    "the certificate is valid from " + to_iso8601(fields.not_before) + " on");
    }
    if (now <= fields.not_after || now - fields.not_after <= profile.renew_after_expiry) return {};
    return fail(Code::Forbidden,
                "the certificate ended on " + to_iso8601(fields.not_after) +
                    ", longer ago than profile \"" + profile.name + "\" renews");
}

/// Revoked, on hold or switched off: no.
Result<> check_state(store::Reader& reader,
                     const registry::LedgerRow& row,
                     const CertificateId& id) {
    auto revoked = registry::find_revocation(reader, row.issuer, row.serial_number);
    if (!revoked) return std::move(revoked).error();
    if (*revoked) {
        return fail(
            Code::Forbidden,
            "the certificate is revoked: " + std::string(ca::to_string((*revoked)->reason)) +
                " since " + to_iso8601((*revoked)->revoked));
    }
    auto known = registry::find_certificate(reader, id);
    if (!known && known.error().code != Code::NotFound) return std::move(known).error();
    if (known && known->status != registry::CertificateStatus::Active) {
        return fail(Code::Forbidden,
                    "the certificate is " + std::string(registry::to_string(known->status)));
    }
    return {};
}

/// The certificate that this key got in place of the present one, when its answer was lost.
/// @errors NotFound  none; Throttled  another key got one a moment ago
Result<ca::Certificate> find_renewed(store::Reader& reader,
                                     const ca::Csr& csr,
                                     const registry::LedgerRow& row,
                                     std::string_view requester,
                                     const CertificateId& id,
                                     Time now) {
    auto again =
        registry::find_issued_for_key(reader, csr.fields().public_key_der, row.profile, requester);
    if (again) return ca::Certificate::from_der(again->certificate_der);
    if (again.error().code != Code::NotFound) return std::move(again).error();
    auto last = registry::last_renewal_of(reader, id);
    if (!last) return std::move(last).error();
    if (*last && now - (*last)->made < kLeastTimeBetweenSuccessors) {
        return fail(Code::Throttled, "the certificate was renewed a moment ago");
    }
    return std::move(again).error();
}

}  // namespace

Result<OwnCertificate> find_own_certificate(const Service& service,
                                            const ca::Certificate& certificate) {
    std::vector<const ca::Issuer*> issuers{&service.issuer};
    issuers.insert(issuers.end(), service.earlier_issuers.begin(), service.earlier_issuers.end());
    for (const ca::Issuer* issuer : issuers) {
        if (!certificate.verify_signed_by(issuer->certificate())) continue;
        auto row = service.store.read([&](store::Reader& reader) {
            return registry::find_issued(
                reader, issuer->certificate().id(), certificate.fields().serial_number);
        });
        if (!row && row.error().code != Code::NotFound) return std::move(row).error();
        if (row && row->certificate == certificate.id()) {
            return OwnCertificate{std::move(*row), issuer};
        }
    }
    return fail(Code::NotFound, "certificate " + certificate.id().hex() + " was not issued here");
}

Result<Renewed> renew(Service& service,
                      const ca::Certificate& present,
                      const ca::Csr& csr,
                      Time now) {
    auto own = find_own_certificate(service, present);
    if (!own) return std::move(own).error();
    const auto profile = service.profiles.find(own->row.profile);
    if (profile == service.profiles.end()) {
        return fail(Code::NotFound, "profile '" + own->row.profile + "' does not exist any more");
    }
    if (auto dates = check_dates(present, profile->second, now); !dates) {
        return std::move(dates).error();
    }
    if (auto names = check_same_names(present, csr); !names) return std::move(names).error();
    const CertificateId id = present.id();
    const std::string requester = "renewal:" + id.hex();
    auto again = service.store.read([&](store::Reader& reader) -> Result<ca::Certificate> {
        auto state = check_state(reader, own->row, id);
        if (!state) return std::move(state).error();
        return find_renewed(reader, csr, own->row, requester, id, now);
    });
    if (!again && again.error().code != Code::NotFound) return std::move(again).error();
    if (again) {
        if (auto proved = csr.verify_signature(); !proved) return std::move(proved).error();
        return Renewed{std::move(*again), false};
    }
    registry::StoreLedger ledger(service.store, {registry::Renews{id}});
    auto certificate =
        issue(service.store,
              ledger,
              service.issuer,
              csr,
              profile->second,
              requester,
              now,
              [&](store::Tx& tx, const ca::Certificate& next) -> Result<> {
                  auto taken = take_over(tx, service.settings.account, id, next, now);
                  if (!taken) return taken;
                  return registry::add_renewal(tx, {next.id(), id, now}, requester, now);
              });
    if (!certificate) return std::move(certificate).error();
    return Renewed{std::move(*certificate)};
}

Result<> retire_replaced(store::Store& store, const CertificateId& certificate, Time now) {
    auto waits = store.read(
        [&](store::Reader& reader) { return registry::find_renewal(reader, certificate); });
    if (!waits) return waits.error().code == Code::NotFound ? Result<>{} : std::move(waits).error();
    return store.write(
        [&](store::Tx& tx) -> Result<> { return registry::retire_replaced(tx, certificate, now); });
}

}  // namespace hatchery::flows
