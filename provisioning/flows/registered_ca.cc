#include "provisioning/flows/registered_ca.h"

namespace hatchery::flows {

namespace {

std::string name_of(const RegisteredCa& ca) {
    return "CA " + ca.record.id.hex() + " (" + ca.certificate.fields().subject.to_string() + ")";
}

Result<std::vector<registry::CaCertificate>> cas_of_issuer(store::Store& store,
                                                           const ca::Certificate& leaf) {
    return store.read([&](store::Reader& reader) {
        return registry::find_cas_by_subject(reader, leaf.fields().issuer_der);
    });
}

/// The ones of `records` whose key signed `leaf`.
Result<std::vector<RegisteredCa>> signers_among(Service& service,
                                                const std::vector<registry::CaCertificate>& records,
                                                const ca::Certificate& leaf) {
    if (records.empty()) {
        return fail(Code::Unauthenticated,
                    "no registered CA has the subject " + leaf.fields().issuer.to_string());
    }
    std::vector<RegisteredCa> signers;
    for (const auto& record : records) {
        auto certificate = service.compiled.ca_certificate(record);
        if (!certificate) return std::move(certificate).error();
        if (leaf.verify_signed_by(*certificate)) {
            signers.push_back({record, std::move(*certificate)});
        }
    }
    if (signers.empty()) {
        return fail(Code::Unauthenticated,
                    "certificate is not signed by any of the " + std::to_string(records.size()) +
                        " registered CAs with the subject " + leaf.fields().issuer.to_string());
    }
    return signers;
}

}  // namespace

Result<> check_usable(const RegisteredCa& ca,
                      const ca::Certificate& leaf,
                      Purpose purpose,
                      Time now) {
    if (auto dates = check_dates(ca.certificate, name_of(ca), now); !dates) return dates;
    if (!ca.record.active) return fail(Code::Forbidden, name_of(ca) + " is INACTIVE");
    if (purpose == Purpose::AutoRegistration && !ca.record.auto_registration) {
        return fail(Code::Forbidden, "auto registration is off for " + name_of(ca));
    }
    if (auto dates = check_dates(leaf, "certificate", now); !dates) return dates;
    return ca::check_issued_by(leaf, ca.certificate, now);
}

Result<> check_dates(const ca::Certificate& certificate, std::string_view what, Time now) {
    const auto& fields = certificate.fields();
    if (now > fields.not_after) {
        return fail(Code::CertificateInvalid,
                    std::string(what) + " expired on " + to_iso8601(fields.not_after));
    }
    if (now < fields.not_before) {
        return fail(Code::CertificateInvalid,
                    std::string(what) + " is not valid before " + to_iso8601(fields.not_before));
    }
    return {};
}

Result<std::vector<RegisteredCa>> signing_cas(Service& service, const ca::Certificate& leaf) {
    auto records = cas_of_issuer(service.store, leaf);
    if (!records) return std::move(records).error();
    return signers_among(service, *records, leaf);
}

Result<RegisteredCa> usable_ca(Service& service,
                               const ca::Certificate& leaf,
                               Purpose purpose,
                               Time now) {
    auto records = cas_of_issuer(service.store, leaf);
    if (!records) return std::move(records).error();
    return usable_ca_of(service, *records, leaf, purpose, now);
}

Result<RegisteredCa> usable_ca_of(Service& service,
                                  const std::vector<registry::CaCertificate>& named,
                                  const ca::Certificate& leaf,
                                  Purpose purpose,
                                  Time now) {
    // A CA that passes has signed it: check_usable verifies the signature too, once.
    for (const auto& record : named) {
        auto certificate = service.compiled.ca_certificate(record);
        if (!certificate) return std::move(certificate).error();
        RegisteredCa candidate{record, std::move(*certificate)};
        if (check_usable(candidate, leaf, purpose, now)) return candidate;
    }
    // None: which ones signed it, and what is wrong with the first of those?
    auto signers = signers_among(service, named, leaf);
    if (!signers) return std::move(signers).error();
    std::optional<Error> first;
    for (auto& signer : *signers) {
        auto usable = check_usable(signer, leaf, purpose, now);
        if (usable) return std::move(signer);
        if (!first) first = std::move(usable).error();
    }
    return std::move(*first);
}

}  // namespace hatchery::flows
