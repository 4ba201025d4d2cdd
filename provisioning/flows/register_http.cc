// RegisterThing of the control plane (iot 2015-05-28): the certificate comes from the template.
#include "provisioning/flows/fleet_profile.h"
#include "provisioning/flows/issue.h"
#include "provisioning/flows/plan.h"
#include "provisioning/flows/register.h"
#include "provisioning/flows/registered_ca.h"

namespace hatchery::flows {

namespace {

using registry::CertificateStatus;

Error at(Error error, const templates::CertificateRecord& record, std::string_view property) {
    error.where = property_pointer(record.logical_name, property);
    return error;
}

Result<HttpRegistration> apply_only(Service& service,
                                    const templates::Plan& plan,
                                    const CertificateId& id,
                                    std::string pem,
                                    Time now) {
    auto applied = service.store.write(
        [&](store::Tx& tx) { return apply(tx, service.settings.account, plan, id, now); });
    if (!applied) return std::move(applied).error();
    return HttpRegistration{std::move(pem), std::move(applied->resource_arns)};
}

Result<HttpRegistration> register_by_id(Service& service,
                                        const templates::Plan& plan,
                                        const std::string& hex,
                                        Time now) {
    auto id = CertificateId::parse(hex);
    if (!id) return at(std::move(id).error(), *plan.certificate, "CertificateId");
    auto known = service.store.read(
        [&](store::Reader& reader) { return registry::find_certificate(reader, *id); });
    if (!known) return at(std::move(known).error(), *plan.certificate, "CertificateId");
    auto certificate = ca::Certificate::from_der(known->der);
    if (!certificate) return std::move(certificate).error();
    return apply_only(service, plan, *id, certificate->pem(), now);
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

Result<HttpRegistration> register_by_pem(Service& service,
                                         const templates::Plan& plan,
                                         const std::string& pem,
                                         Time now) {
    const auto& record = *plan.certificate;
    auto leaf = ca::Certificate::from_pem(pem);
    if (!leaf) return at(std::move(leaf).error(), record, "CertificatePem");
    auto ca = ca_of(service, record, *leaf, now);
    if (!ca) {
        Error error = std::move(ca).error();
        // A certificate that cannot be used is the caller's mistake here, not a failed login.
        if (error.code == Code::Unauthenticated) error.code = Code::CertificateInvalid;
        if (!error.where.empty()) return error;
        return at(std::move(error), record, "CertificatePem");
    }
    auto applied = service.store.write([&](store::Tx& tx) -> Result<Applied> {
        auto known = registry::find_certificate(tx, leaf->id());
        if (!known) {
            if (known.error().code != Code::NotFound) return std::move(known).error();
            auto added = registry::add_certificate(tx,
                                                   service.settings.account,
                                                   *leaf,
                                                   CertificateStatus::PendingActivation,
                                                   ca->record.id,
                                                   ca->record.mode,
                                                   now);
            if (!added) return std::move(added).error();
        }
        return apply(tx, service.settings.account, plan, leaf->id(), now);
    });
    if (!applied) return std::move(applied).error();
    return HttpRegistration{leaf->pem(), std::move(applied->resource_arns)};
}

Result<HttpRegistration> register_by_csr(Service& service,
                                         const templates::Plan& plan,
                                         const std::string& text,
                                         Time now) {
    auto csr = ca::Csr::parse(bytes_of(text));
    if (!csr) return at(std::move(csr).error(), *plan.certificate, "CertificateSigningRequest");
    Applied applied;
    const auto with = [&](store::Tx& tx, const ca::Certificate& made) -> Result<> {
        if (auto added = add_issued(tx, service.settings.account, made, now); !added) return added;
        auto done = apply(tx, service.settings.account, plan, made.id(), now);
        if (!done) return std::move(done).error();
        applied = std::move(*done);
        return {};
    };
    auto certificate = issue(service.store,
                             service.ledger,
                             service.issuer,
                             *csr,
                             fleet_profile(service, now),
                             "api:RegisterThing",
                             now,
                             with);
    if (!certificate) return std::move(certificate).error();
    return HttpRegistration{certificate->pem(), std::move(applied.resource_arns)};
}

Result<HttpRegistration> register_traced_http(Service& service,
                                              std::string_view template_body,
                                              const std::map<std::string, std::string>& parameters,
                                              Trace& trace,
                                              Time now) {
    trace.begin("template", "without mistakes");
    auto compiled = service.compiled.provisioning_template(template_body, templates::Kind::Bulk);
    if (!compiled) return std::move(compiled).error();
    trace.begin("plan", "every value of the template has one");
    auto plan =
        templates::resolve(*compiled, templates::Parameters(parameters.begin(), parameters.end()));
    if (!plan) return std::move(plan).error();
    if (auto checked = check_policy_documents(service, *plan); !checked) {
        return std::move(checked).error();
    }
    trace.found(summary_of(*plan));
    if (plan->thing) trace.thing(plan->thing->thing_name);
    trace.begin("records", "everything that the plan names exists, and nothing is in its way");
    // A thing alone, or a policy alone: nothing to attach, nothing to hand back.
    if (!plan->certificate) return apply_only(service, *plan, CertificateId{}, {}, now);
    const auto& source = *plan->certificate;
    if (source.certificate_id) {
        return register_by_id(service, *plan, *source.certificate_id, now);
    }
    if (source.certificate_pem) {
        return register_by_pem(service, *plan, *source.certificate_pem, now);
    }
    return register_by_csr(service, *plan, source.certificate_signing_request.value_or(""), now);
}

}  // namespace

Result<HttpRegistration> register_thing_http(Service& service,
                                             std::string_view template_body,
                                             const std::map<std::string, std::string>& parameters,
                                             Time now) {
    Trace trace(registry::AttemptKind::RegisterThingApi, now);
    for (const auto& [name, value] : parameters)
        trace.name(value);
    auto made = register_traced_http(service, template_body, parameters, trace, now);
    if (made && !made->certificate_pem.empty()) {
        if (auto certificate = ca::Certificate::from_pem(made->certificate_pem)) {
            trace.names_of(*certificate);
        }
    }
    record(service.traces, trace, made ? nullptr : &made.error());
    return made;
}

}  // namespace hatchery::flows
