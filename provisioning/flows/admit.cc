#include "provisioning/flows/admit.h"

#include "provisioning/flows/identity.h"
#include "provisioning/flows/identity_cache.h"
#include "provisioning/flows/jitp.h"
#include "provisioning/flows/log.h"
#include "provisioning/flows/look.h"
#include "provisioning/flows/registered_ca.h"
#include "provisioning/flows/renew.h"
#include "provisioning/flows/trace.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>

namespace hatchery::flows {

namespace {

using registry::CertificateStatus;

AdmitOutcome refuse(Error error) {
    AdmitOutcome outcome;
    outcome.refused = std::move(error);
    return outcome;
}

std::string resource_arn(const Service& service, policy::Action action, std::string_view name) {
    std::string_view type = "topic";
    if (action == policy::Action::Connect) type = "client";
    if (action == policy::Action::Subscribe) type = "topicfilter";
    if (action >= policy::Action::DescribeJobExecution) type = "thing";
    return service.settings.account.arn(type, name);
}

Result<> check_active(const Identity& identity, const ConnectRequest& request, Time now) {
    const auto status = identity.certificate.status;
    if (status != CertificateStatus::Active) {
        return fail(Code::Forbidden, "certificate is " + std::string(registry::to_string(status)));
    }
    return check_dates(request.certificate, "certificate", now);
}

Result<Admission> make_admission(Service& service,
                                 const ConnectRequest& request,
                                 const Identity& identity) {
    Admission admission;
    admission.certificate = identity.certificate;
    if (identity.thing) admission.thing = identity.thing->name;
    admission.is_exclusive = identity.is_exclusive;
    admission.context = make_context(request, identity);
    admission.generation = identity.generation;
    for (const auto& stored : identity.policies) {
        auto compiled = service.compiled.policy_document(stored.document);
        // A policy that cannot be read might hold the Deny that matters: closed, not open.
        if (!compiled) {
            return fail(
                Code::Internal,
                "policy " + stored.name + " does not compile: " + to_string(compiled.error()));
        }
        admission.policies.push_back(std::move(*compiled));
        admission.policy_names.push_back(stored.name);
    }
    return admission;
}

// The statement that decided.
std::string place_of(const policy::Decision& decision, const std::vector<std::string>& policies) {
    if (decision.effect == policy::Effect::ImplicitDeny) return {};
    std::string place = "policy " + policies.at(decision.document) + " /Statement/" +
                        std::to_string(decision.statement);
    if (!decision.sid.empty()) place += " (" + decision.sid + ")";
    return place;
}

Error denied(const policy::Decision& decision,
             std::string_view action,
             const std::string& resource,
             const std::vector<std::string>& policies) {
    std::string message = std::string(action) + " on " + resource + " is denied: ";
    if (decision.effect == policy::Effect::ExplicitDeny) {
        message += "EXPLICIT_DENY by /Statement/" + std::to_string(decision.statement) +
                   " of policy " + policies.at(decision.document);
        if (!decision.sid.empty()) message += " (" + decision.sid + ")";
    } else if (policies.empty()) {
        message += "IMPLICIT_DENY, no policy is attached";
    } else {
        message += "IMPLICIT_DENY, no statement of the attached policies allows it:";
        for (const auto& policy : policies)
            message += " " + policy;
    }
    return fail(Code::Forbidden, std::move(message));
}

// A certificate whose CA is registered in several accounts tells by the name which one it means.
Result<> check_server_name(const Service& service,
                           const ConnectRequest& request,
                           registry::CertificateMode mode) {
    if (mode != registry::CertificateMode::SniOnly) return {};
    const auto& wanted = service.settings.endpoint_host;
    const auto lower = [](unsigned char c) { return std::tolower(c); };
    const bool is_same = std::equal(wanted.begin(),
                                    wanted.end(),
                                    request.server_name.begin(),
                                    request.server_name.end(),
                                    [&](char a, char b) { return lower(a) == lower(b); });
    if (is_same) return {};
    return fail(Code::Forbidden,
                "a certificate of mode SNI_ONLY needs the server name (SNI) " + wanted +
                    ", found " + (request.server_name.empty() ? "none" : request.server_name));
}

// iot:Connect, and what a will needs; these alone see the keys of the CONNECT packet.
Result<> check_connect(const Service& service,
                       const ConnectRequest& request,
                       const Admission& admission,
                       Trace& trace) {
    policy::Context context = admission.context;
    std::vector<std::string> attributes;
    if (request.persistent) attributes.emplace_back("PersistentConnect");
    if (request.will_topic) {
        attributes.emplace_back("LastWill");
        context.set("iot:LastWillTopic", *request.will_topic);
    }
    if (!attributes.empty()) context.values["iot:ConnectAttributes"] = std::move(attributes);

    std::vector<policy::Request> asked{
        {policy::Action::Connect,
         resource_arn(service, policy::Action::Connect, request.client_id)}};
    if (request.will_topic) {
        const auto topic = resource_arn(service, policy::Action::Publish, *request.will_topic);
        asked.push_back({policy::Action::Publish, topic});
        if (request.will_retained) asked.push_back({policy::Action::RetainPublish, topic});
    }
    for (const auto& one : asked) {
        const auto action = policy::to_string(one.action);
        trace.begin(action, "ALLOWED on " + one.resource);
        const auto decision = policy::evaluate(admission.policies, one, context);
        auto place = place_of(decision, admission.policy_names);
        trace.found(std::string(policy::to_string(decision.effect)), std::move(place));
        if (decision.effect != policy::Effect::Allowed) {
            return denied(decision, action, one.resource, admission.policy_names);
        }
    }
    return {};
}

}  // namespace

/// A step leaves what comes next in `next` and, unless that is Done, `then`.
struct Admitting::State {
    using Step = void (State::*)();

    State(Service& service_used, const ConnectRequest& asked, Time time)
        : service(service_used),
          request(asked),
          now(time),
          trace(registry::AttemptKind::Connect, time) {}

    void go_on(Step step, Next how) {
        next = how;
        then = step;
    }

    void end(AdmitOutcome ended) {
        outcome = std::move(ended);
        outcome.is_known = is_known;
        next = Next::Done;
        // Whatever let a known device in needs no explanation, and there are many of those.
        const bool is_routine = outcome.admission && !outcome.admission->provisioned_now;
        if (is_routine || service.traces == nullptr) return;
        trace.asker(request.certificate);
        trace.client(request.client_id, request.source_ip);
        record(service.traces, trace, outcome.refused ? &*outcome.refused : nullptr);
    }

    void end_refused(Error error) { end(flows::refuse(std::move(error))); }

    void begin() {
        trace.begin("certificate");
        auto look = look_up(service, request, now);
        if (!look) return end_refused(std::move(look).error());
        if (look->is_trusted_claim) return enter_from_registry();
        if (look->station) {
            // The issuing CA signs factory stations too: where it is registered as a device CA,
            // they must not become things.
            return end_refused(fail(Code::Forbidden,
                                    "certificate belongs to factory station " + *look->station +
                                        ", expected a device's"));
        }
        is_known = look->known.has_value();
        if (!is_known) {
            trace.found("unknown to the registry");
            return begin_first_connect(*look->issuers);
        }
        const auto& certificate = look->known->certificate;
        trace.found(std::string(registry::to_string(certificate.status)));
        if (certificate.status != CertificateStatus::PendingActivation) {
            return enter(std::move(*look->known));
        }
        if (!certificate.ca_id) {
            return end_refused(fail(Code::Forbidden,
                                    "certificate is PENDING_ACTIVATION: it waits for "
                                    "RegisterThing with its ownership token"));
        }
        begin_first_connect(*look->issuers);
    }

    /// A certificate that is unknown, or known and still PENDING_ACTIVATION from a registered CA.
    void begin_first_connect(const std::vector<registry::CaCertificate>& issuers) {
        trace.begin("CA",
                    "a registered CA with the subject " +
                        request.certificate.fields().issuer.to_string() +
                        " that signed the certificate, ACTIVE, with auto registration on");
        auto ca =
            usable_ca_of(service, issuers, request.certificate, Purpose::AutoRegistration, now);
        if (!ca) {
            Error error = std::move(ca).error();
            if (is_known) error.message = "certificate is PENDING_ACTIVATION: " + error.message;
            return end_refused(std::move(error));
        }
        trace.found("CA " + ca->record.id.hex());
        if (auto named = check_server_name(service, request, ca->record.mode); !named) {
            return end_refused(std::move(named).error());
        }
        const bool is_jitp = has_template(ca->record);
        first.emplace(service, request, std::move(*ca), now);
        if (!is_jitp) return go_on(&State::register_only, Next::Wait);
        if (auto chosen = first->choose(trace); !chosen) return keep(std::move(chosen).error());
        if (first->has_hook()) return go_on(&State::plan, Next::Wait);
        plan();
    }

    /// JITR: an operator's rule decides, by the event; the device comes back later.
    void register_only() {
        trace.begin("registration", "an operator sets the certificate ACTIVE (no template: JITR)");
        const auto& ca = first->ca();
        auto status = register_pending(service, request.certificate, ca, now);
        if (!status) return end_refused(std::move(status).error());
        if (*status != CertificateStatus::PendingActivation) return enter_from_registry();
        auto refused = flows::refuse(fail(Code::Forbidden,
                                          "certificate is PENDING_ACTIVATION: registered just in "
                                          "time, it waits to be activated"));
        refused.events.push_back(registration_event(
            service.settings.account, request.certificate.id(), ca.record.id, now));
        end(std::move(refused));
    }

    void plan() {
        if (auto planned = first->plan(trace); !planned) return keep(std::move(planned).error());
        go_on(&State::enter_provisioned, Next::Write);
    }

    void enter_provisioned() {
        if (!write_outcome) return keep(std::move(write_outcome).error());
        first->written(trace);
        provisioned_now = first->is_made();
        enter(std::move(first->identity()));
    }

    /// JITP has failed.
    void keep(Error error) {
        trace.fail(error);
        failure = std::move(error);
        go_on(&State::keep_pending, Next::Wait);
    }

    /// So that an operator sees the device that failed; the next connect tries again.
    void keep_pending() {
        auto kept = register_pending(service, request.certificate, first->ca(), now);
        if (!kept) {
            log()->warn("certificate_not_kept certificate={} error={}",
                        request.certificate.id().hex(),
                        log_value(to_string(kept.error())));
        }
        end_refused(std::move(*failure));
    }

    /// A certificate that the registry knows.
    void enter(Identity known) {
        trace.begin("status", "ACTIVE and inside its validity");
        if (auto active = check_active(known, request, now); !active) {
            return end_refused(std::move(active).error());
        }
        if (known.thing) trace.thing(known.thing->name);
        trace.found(known.thing ? "ACTIVE" : "ACTIVE, no attached thing has the client id's name");
        if (auto named = check_server_name(service, request, known.certificate.mode); !named) {
            return end_refused(std::move(named).error());
        }
        auto admission = make_admission(service, request, known);
        if (!admission) return end_refused(std::move(admission).error());
        if (request.protocol == Protocol::Mqtt) {
            auto allowed = check_connect(service, request, *admission, trace);
            if (!allowed) return end_refused(std::move(allowed).error());
        }
        admission->provisioned_now = provisioned_now;
        admitted.admission = std::move(*admission);
        const bool is_renewal = known.is_renewal;
        known.certificate.der = {};  // the device shows it again
        admitted.identity = std::make_shared<Identity>(std::move(known));
        if (is_renewal) return go_on(&State::retire, Next::Wait);
        end(std::move(admitted));
    }

    void enter_from_registry() {
        auto known = read_identity(service.store, request.certificate.id(), request.client_id);
        if (!known) {
            trace.begin("status", "ACTIVE and inside its validity");
            return end_refused(std::move(known).error());
        }
        enter(std::move(*known));
    }

    /// The first connect of a renewed certificate: the one before it is not needed any more.
    void retire() {
        auto retired = retire_replaced(service.store, request.certificate.id(), now);
        if (!retired) return end_refused(std::move(retired).error());
        end(std::move(admitted));
    }

    Service& service;
    const ConnectRequest& request;
    const Time now;
    Trace trace;
    Next next = Next::Step;
    Step then = &State::begin;
    bool is_known = false;  // to the registry, before
    bool provisioned_now = false;
    std::optional<FirstConnect> first;
    Result<> write_outcome;
    std::optional<Error> failure;  // of the provisioning
    AdmitOutcome admitted;         // but for the renewal's end
    AdmitOutcome outcome;
};

Admitting::Admitting(Service& service, const ConnectRequest& request, Time now)
    : state_(std::make_unique<State>(service, request, now)) {}
Admitting::~Admitting() = default;

Admitting::Next Admitting::next() const {
    return state_->next;
}

void Admitting::step() {
    ((*state_).*state_->then)();
}

Result<> Admitting::write(store::Tx& tx) {
    return state_->first->write(tx);
}

void Admitting::written(Result<> done) {
    state_->write_outcome = std::move(done);
    state_->next = Next::Step;
}

void Admitting::refuse(Error error) {
    state_->outcome = flows::refuse(std::move(error));
    state_->next = Next::Done;
}

AdmitOutcome Admitting::outcome() {
    return std::move(state_->outcome);
}

AdmitOutcome admit(Service& service, const ConnectRequest& request, Time now) {
    Admitting device(service, request, now);
    while (device.next() != Admitting::Next::Done) {
        if (device.next() == Admitting::Next::Write) {
            device.written(service.store.write([&](store::Tx& tx) { return device.write(tx); },
                                               kWaitsForCompany));
        } else {
            device.step();
        }
    }
    return device.outcome();
}

std::optional<Admission> readmit(Service& service,
                                 IdentityCache& remembered,
                                 const ConnectRequest& request,
                                 Time now) {
    const auto identity = remembered.find(
        request.certificate.id(), request.client_id, service.store.identity_generation());
    if (!identity || !check_active(*identity, request, now) ||
        !check_server_name(service, request, identity->certificate.mode)) {
        return std::nullopt;
    }
    auto admission = make_admission(service, request, *identity);
    Trace unrecorded(registry::AttemptKind::Connect, now);
    if (!admission || !check_connect(service, request, *admission, unrecorded)) return std::nullopt;
    return std::move(*admission);
}

void trace_denial(const Service& service,
                  const ConnectRequest& request,
                  const Admission& admission,
                  policy::Action action,
                  std::string_view name,
                  Time now) {
    if (service.traces == nullptr) return;
    const auto resource = resource_arn(service, action, name);
    const auto decision =
        policy::evaluate(admission.policies, {action, resource}, admission.context);
    if (decision.effect == policy::Effect::Allowed) return;
    Trace trace(registry::AttemptKind::Packet, now);
    trace.asker(request.certificate);
    trace.client(request.client_id, request.source_ip);
    trace.thing(admission.thing);
    trace.begin(policy::to_string(action), "ALLOWED on " + resource);
    trace.found({}, place_of(decision, admission.policy_names));
    const Error error =
        denied(decision, policy::to_string(action), resource, admission.policy_names);
    record(service.traces, trace, &error);
}

Result<Admission> refresh(Service& service,
                          const ConnectRequest& request,
                          const Admission& previous,
                          Time now) {
    auto identity = read_identity(service.store, request.certificate.id(), request.client_id);
    if (!identity && identity.error().code == Code::NotFound) {
        return fail(Code::Forbidden, "certificate was deleted");
    }
    if (!identity) return std::move(identity).error();
    if (auto active = check_active(*identity, request, now); !active) {
        return fail(Code::Forbidden, std::move(active).error().message);
    }
    auto admission = make_admission(service, request, *identity);
    if (admission) admission->provisioned_now = previous.provisioned_now;
    return admission;
}

policy::Decision authorize(const Service& service,
                           const Admission& admission,
                           policy::Action action,
                           std::string_view name) {
    return policy::evaluate(
        admission.policies, {action, resource_arn(service, action, name)}, admission.context);
}

}  // namespace hatchery::flows
