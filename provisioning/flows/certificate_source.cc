// What a plan's certificate resource stands for (iot 2015-05-28, RegisterThing).
#include "provisioning/flows/certificate_source.h"

#include "provisioning/flows/plan.h"
#include "provisioning/flows/registered_ca.h"

namespace hatchery::flows {

namespace {

Error at(Error error, const templates::CertificateRecord& record, std::string_view property) {
    error.where = property_pointer(record.logical_name, property);
    return error;
}

Result<CertificateSource> known_certificate(Service& service,
                                            const templates::CertificateRecord& record) {
    auto id = CertificateId::parse(*record.certificate_id);
    if (!id) return at(std::move(id).error(), record, "CertificateId");
    auto known = service.store.read(
        [&](store::Reader& reader) { return registry::find_certificate(reader, *id); });
    if (!known) return at(std::move(known).error(), record, "CertificateId");
    CertificateSource source;
    source.id = *id;
    source.pem = ca::certificate_pem(known->der);
    return source;
}

// The CA that the template gives, or the only one registered that signed the certificate.
Result<RegisteredCa> ca_of(Service& service,
                           const templates::CertificateRecord& record,
                           const ca::Certificate& leaf,
                           Time now) {
    if (!record.ca_certificate_pem) {
        auto same_subject = service.store.read([&](store::Reader& reader) {
            return registry::find_cas_by_subject(reader, leaf.fields().issuer_der);
        });
        if (!same_subject) return std::move(same_subject).error();
        if (same_subject->size() > 1) {
            return fail(Code::CertificateConflict,
                        "several registered CAs have the subject " +
                            leaf.fields().issuer.to_string() + ": CACertificatePem is needed");
        }
        return usable_ca(service, leaf, Purpose::ApiRegistration, now);
    }
    auto given = ca::Certificate::from_pem(*record.ca_certificate_pem);
    if (!given) return at(std::move(given).error(), record, "CACertificatePem");
    auto signers = signing_cas(service, leaf);
    if (!signers) return std::move(signers).error();
    for (auto& signer : *signers) {
        if (signer.record.id != given->id()) continue;
        if (auto usable = check_usable(signer, leaf, Purpose::ApiRegistration, now); !usable) {
            return std::move(usable).error();
        }
        return std::move(signer);
    }
    return fail(Code::CertificateInvalid,
                "CACertificatePem is not a registered CA that signed the certificate",
                property_pointer(record.logical_name, "CACertificatePem"));
}

Result<CertificateSource> given_certificate(Service& service,
                                            const templates::CertificateRecord& record,
                                            Time now) {
    auto leaf = ca::Certificate::from_pem(*record.certificate_pem);
    if (!leaf) return at(std::move(leaf).error(), record, "CertificatePem");
    auto ca = ca_of(service, record, *leaf, now);
    if (!ca) {
        Error error = std::move(ca).error();
        // A certificate that cannot be used is the caller's mistake here, not a failed login.
        if (error.code == Code::Unauthenticated) error.code = Code::CertificateInvalid;
        if (!error.where.empty()) return error;
        return at(std::move(error), record, "CertificatePem");
    }
    CertificateSource source;
    source.id = leaf->id();
    source.pem = leaf->pem();
    source.added = CertificateSource::Added{std::move(*leaf), ca->record.id, ca->record.mode};
    return source;
}

}  // namespace

Result<CertificateSource> find_source(Service& service, const templates::Plan& plan, Time now) {
    // A thing alone, or a policy alone: nothing to attach, nothing to hand back.
    if (!plan.certificate) return CertificateSource{};
    const auto& record = *plan.certificate;
    if (record.certificate_id) return known_certificate(service, record);
    if (record.certificate_pem) return given_certificate(service, record, now);
    const auto& text = record.certificate_signing_request;
    auto csr = ca::Csr::parse(text ? bytes_of(*text) : ByteView());
    if (!csr) return at(std::move(csr).error(), record, "CertificateSigningRequest");
    CertificateSource source;
    source.request = std::move(*csr);
    return source;
}

Result<> apply_with_source(store::Tx& tx,
                           const registry::Account& account,
                           const templates::Plan& plan,
                           const CertificateSource& source,
                           Time now) {
    if (!source.added) return apply(tx, account, plan, source.id, now);
    const auto& [leaf, ca, mode] = *source.added;
    auto certificate = registry::find_certificate(tx, leaf.id());
    if (!certificate && certificate.error().code == Code::NotFound) {
        certificate = registry::add_certificate(
            tx, account, leaf, registry::CertificateStatus::PendingActivation, ca, mode, now);
    }
    if (!certificate) return std::move(certificate).error();
    return apply(tx, account, plan, *certificate, now);
}

}  // namespace hatchery::flows
