// RegisterThing of the control plane (iot 2015-05-28): the certificate comes from the template.
#include "provisioning/flows/certificate_source.h"
#include "provisioning/flows/fleet_profile.h"
#include "provisioning/flows/issue.h"
#include "provisioning/flows/plan.h"

namespace hatchery::flows {

namespace {

Result<HttpRegistration> register_by_csr(Service& service,
                                         const templates::Plan& plan,
                                         const ca::Csr& csr,
                                         Time now) {
    const auto with = [&](store::Tx& tx, const ca::Certificate& made) {
        return apply_issued(tx, service.settings.account, plan, made, now);
    };
    auto certificate = issue(service.store,
                             service.ledger,
                             service.issuer,
                             csr,
                             fleet_profile(service, now),
                             "api:RegisterThing",
                             now,
                             with);
    if (!certificate) return std::move(certificate).error();
    return HttpRegistration{certificate->pem(),
                            arns_of(service.settings.account, plan, certificate->id())};
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
    auto source = find_source(service, *plan, now);
    if (!source) return std::move(source).error();
    if (source->request) return register_by_csr(service, *plan, *source->request, now);
    auto applied = service.store.write([&](store::Tx& tx) {
        return apply_with_source(tx, service.settings.account, *plan, *source, now);
    });
    if (!applied) return std::move(applied).error();
    return HttpRegistration{std::move(source->pem),
                            arns_of(service.settings.account, *plan, source->id)};
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
