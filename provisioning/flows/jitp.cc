#include "provisioning/flows/jitp.h"

#include "provisioning/flows/log.h"
#include "provisioning/flows/plan.h"
#include "provisioning/flows/register.h"
#include "provisioning/registry/templates.h"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace hatchery::flows {

namespace {

using registry::CertificateStatus;

struct JitpTemplate {
    templates::Template compiled;
    std::string name;  ///< empty for a body on the CA itself
    std::optional<std::string> hook;
};

Result<JitpTemplate> load_named(Service& service, const std::string& name) {
    auto found =
        service.store.read([&](store::Reader& reader) -> Result<registry::ProvisioningTemplate> {
            auto generation = reader.identity_generation();
            if (!generation) return std::move(generation).error();
            return service.compiled.named_template(reader, name, *generation);
        });
    if (!found) return std::move(found).error();
    if (!found->is_jitp) {
        return fail(Code::InvalidRequest,
                    "provisioning template " + name + " is of type FLEET_PROVISIONING, not JITP");
    }
    if (!found->enabled) {
        return fail(Code::InvalidRequest, "provisioning template " + name + " is not enabled");
    }
    auto compiled = service.compiled.provisioning_template(found->body, templates::Kind::Jitp);
    if (!compiled) return std::move(compiled).error();
    return JitpTemplate{std::move(*compiled), name, found->hook_target_arn};
}

Result<JitpTemplate> load(Service& service, const registry::RegistrationConfig& registration) {
    if (registration.template_name) return load_named(service, *registration.template_name);
    auto compiled = service.compiled.provisioning_template(registration.template_body.value_or(""),
                                                           templates::Kind::Jitp);
    if (!compiled) return std::move(compiled).error();
    return JitpTemplate{std::move(*compiled), {}, {}};
}

templates::Parameters parameters_of(const ca::Certificate& certificate,
                                    templates::SerialNumberSource source) {
    templates::CertificateFacts facts{certificate.id().hex(), certificate.serial_decimal(), {}};
    for (const auto& attribute : certificate.fields().subject.attributes) {
        if (attribute.text) facts.subject.emplace_back(attribute.oid, attribute.value);
    }
    return templates::certificate_parameters(facts, source);
}

Result<templates::Plan> plan_first_connect(Service& service,
                                           const ConnectRequest& request,
                                           const RegisteredCa& ca,
                                           Reservations& reserved,
                                           Trace& trace,
                                           Time now) {
    const auto& registration = *ca.record.registration;
    trace.begin("template", "enabled, of type JITP, and without mistakes");
    trace.template_name(registration.template_name.value_or(""));
    auto chosen = load(service, registration);
    if (!chosen) return std::move(chosen).error();
    trace.found(chosen->name.empty() ? "the CA's own template body" : chosen->name);
    auto parameters = parameters_of(request.certificate, service.settings.serial_number_source);
    // AWS has hooks for fleet provisioning only; a JITP template that names one means it.
    if (chosen->hook) {
        const hooks::HookEvent event{
            {},
            request.certificate.id().hex(),
            request.certificate.pem(),
            service.settings.account.arn("provisioningtemplate", chosen->name),
            request.client_id,
            {parameters.begin(), parameters.end()},
            now};
        auto decided = ask_hook(service, *chosen->hook, chosen->compiled, event, reserved, trace);
        if (!decided) return std::move(decided).error();
        parameters = std::move(*decided);
    }
    return make_plan(
        service, chosen->compiled, std::move(parameters), request.certificate.id(), trace);
}

// The certificate as it is, PENDING_ACTIVATION if nobody knew it.
Result<registry::DeviceCertificate> add_if_unknown(store::Tx& tx,
                                                   const registry::Account& account,
                                                   const ca::Certificate& certificate,
                                                   const RegisteredCa& ca,
                                                   Time now) {
    auto added = registry::add_certificate(tx,
                                           account,
                                           certificate,
                                           CertificateStatus::PendingActivation,
                                           ca.record.id,
                                           ca.record.mode,
                                           now);
    if (added || added.error().code != Code::AlreadyExists) return added;
    return registry::find_certificate(tx, certificate.id());
}

// What the certificate and everything about it are after the write of its plan.
Result<FirstConnect> write_first_connect(store::Tx& tx,
                                         const registry::Account& account,
                                         const templates::Plan& plan,
                                         const Reservations& reserved,
                                         const ConnectRequest& request,
                                         const RegisteredCa& ca,
                                         Time now) {
    FirstConnect made;
    auto certificate = add_if_unknown(tx, account, request.certificate, ca, now);
    if (!certificate) return std::move(certificate).error();
    // Otherwise another connect was faster, or an operator decided meanwhile.
    made.is_made = certificate->status == CertificateStatus::PendingActivation;
    if (made.is_made) {
        auto applied = apply(tx, account, plan, *certificate, now);
        if (applied) applied = use_reservations(tx, reserved, certificate->id, now);
        if (!applied) return std::move(applied).error();
    }
    // Here, where the pages are at hand: a reader would fetch every one of them anew.
    auto identity = read_identity_in(tx, std::move(*certificate), request.client_id);
    if (!identity) return std::move(identity).error();
    made.identity = std::move(*identity);
    return made;
}

Result<FirstConnect> plan_and_write(Service& service,
                                    const ConnectRequest& request,
                                    const RegisteredCa& ca,
                                    Trace& trace,
                                    Time now) {
    Reservations reserved;
    const auto plan = plan_first_connect(service, request, ca, reserved, trace, now);
    if (!plan) return plan.error();
    if (plan->thing) trace.thing(plan->thing->thing_name);
    trace.begin("records", "everything that the plan names exists, and nothing is in its way");
    // Taken first: a commit between here and the write makes the session read again.
    const std::uint64_t generation = service.store.identity_generation();
    auto made = service.store.write(
        [&](store::Tx& tx) {
            return write_first_connect(
                tx, service.settings.account, *plan, reserved, request, ca, now);
        },
        kWaitsForCompany);
    if (made) made->identity.generation = generation;
    if (made) trace.found(made->is_made ? "written" : "another connect or an operator was faster");
    if (made && made->is_made) {
        log()->info("device_provisioned how=jitp certificate={} ca={} thing={} client={}",
                    request.certificate.id().hex(),
                    ca.record.id.hex(),
                    log_value(plan->thing ? plan->thing->thing_name : ""),
                    log_value(request.client_id));
    }
    return made;
}

}  // namespace

bool has_template(const registry::CaCertificate& ca) {
    return ca.registration && (ca.registration->template_name || ca.registration->template_body);
}

Result<registry::CertificateStatus> register_pending(Service& service,
                                                     const ca::Certificate& certificate,
                                                     const RegisteredCa& ca,
                                                     Time now) {
    // Devices that wait for their activation come back every few seconds: those cost no write.
    auto known = service.store.read([&](store::Reader& reader) {
        return registry::find_certificate(reader, certificate.id());
    });
    if (known) return known->status;
    return service.store.write([&](store::Tx& tx) -> Result<CertificateStatus> {
        auto kept = add_if_unknown(tx, service.settings.account, certificate, ca, now);
        if (!kept) return std::move(kept).error();
        return kept->status;
    });
}

Result<FirstConnect> provision_first_connect(Service& service,
                                             const ConnectRequest& request,
                                             const RegisteredCa& ca,
                                             Trace& trace,
                                             Time now) {
    auto made = plan_and_write(service, request, ca, trace, now);
    if (made) return made;
    trace.fail(made.error());
    // Kept so that an operator sees the device that failed; the next connect tries again.
    if (auto kept = register_pending(service, request.certificate, ca, now); !kept) {
        log()->warn("certificate_not_kept certificate={} error={}",
                    request.certificate.id().hex(),
                    log_value(to_string(kept.error())));
    }
    return made;
}

Event registration_event(const registry::Account& account,
                         const CertificateId& certificate,
                         const CertificateId& ca,
                         Time now) {
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    nlohmann::ordered_json payload;
    payload["certificateId"] = certificate.hex();
    payload["caCertificateId"] = ca.hex();
    payload["timestamp"] = milliseconds;
    payload["certificateStatus"] = registry::to_string(CertificateStatus::PendingActivation);
    payload["awsAccountId"] = account.id;
    payload["certificateRegistrationTimestamp"] = nullptr;
    return {"$aws/events/certificates/registered/" + ca.hex(), payload.dump()};
}

}  // namespace hatchery::flows
