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

templates::Parameters parameters_of(const ca::Certificate& certificate,
                                    templates::SerialNumberSource source) {
    templates::CertificateFacts facts{certificate.id().hex(), certificate.serial_decimal(), {}};
    for (const auto& attribute : certificate.fields().subject.attributes) {
        if (attribute.text) facts.subject.emplace_back(attribute.oid, attribute.value);
    }
    return templates::certificate_parameters(facts, source);
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

Result<> FirstConnect::choose(Trace& trace) {
    const auto& registration = *ca_.record.registration;
    trace.begin("template", "enabled, of type JITP, and without mistakes");
    trace.template_name(registration.template_name.value_or(""));
    if (registration.template_name) {
        template_name_ = *registration.template_name;
        auto chosen = find_template(service_, template_name_, templates::Kind::Jitp);
        if (!chosen) return std::move(chosen).error();
        template_ = std::move(chosen->compiled);
        hook_ = std::move(chosen->record.hook_target_arn);
    } else {
        auto compiled = service_.compiled.provisioning_template(
            registration.template_body.value_or(""), templates::Kind::Jitp);
        if (!compiled) return std::move(compiled).error();
        template_ = std::move(*compiled);
    }
    trace.found(template_name_.empty() ? "the CA's own template body" : template_name_);
    return {};
}

Result<> FirstConnect::plan(Trace& trace) {
    const auto& id = request_.certificate.id();
    auto parameters = parameters_of(request_.certificate, service_.settings.serial_number_source);
    // AWS has hooks for fleet provisioning only; a JITP template that names one means it.
    if (hook_) {
        const hooks::HookEvent event{
            {},
            id.hex(),
            request_.certificate.pem(),
            service_.settings.account.arn("provisioningtemplate", template_name_),
            request_.client_id,
            {parameters.begin(), parameters.end()},
            now_};
        auto decided = ask_hook(service_, *hook_, *template_, event, reserved_, trace);
        if (!decided) return std::move(decided).error();
        parameters = std::move(*decided);
    }
    auto plan = make_plan(service_, *template_, std::move(parameters), id, trace);
    if (!plan) return std::move(plan).error();
    plan_ = std::move(*plan);
    if (plan_.thing) trace.thing(plan_.thing->thing_name);
    trace.begin("records", "everything that the plan names exists, and nothing is in its way");
    // Taken first: a commit between here and the write makes the session read again.
    generation_ = service_.store.identity_generation();
    return {};
}

Result<> FirstConnect::write(store::Tx& tx) {
    const auto& account = service_.settings.account;
    auto certificate = add_if_unknown(tx, account, request_.certificate, ca_, now_);
    if (!certificate) return std::move(certificate).error();
    // Otherwise another connect was faster, or an operator decided meanwhile.
    is_made_ = certificate->status == CertificateStatus::PendingActivation;
    if (is_made_) {
        auto applied = apply(tx, account, plan_, *certificate, now_);
        if (applied) applied = use_reservations(tx, reserved_, certificate->id, now_);
        if (!applied) return applied;
    }
    // Here, where the pages are at hand: a reader would fetch every one of them anew.
    auto identity = read_identity_in(tx, std::move(*certificate), request_.client_id);
    if (!identity) return std::move(identity).error();
    identity_ = std::move(*identity);
    return {};
}

void FirstConnect::written(Trace& trace) {
    identity_.generation = generation_;
    trace.found(is_made_ ? "written" : "another connect or an operator was faster");
    if (!is_made_) return;
    log()->info("device_provisioned how=jitp certificate={} ca={} thing={} client={}",
                request_.certificate.id().hex(),
                ca_.record.id.hex(),
                log_value(plan_.thing ? plan_.thing->thing_name : ""),
                log_value(request_.client_id));
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
