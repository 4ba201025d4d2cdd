#include "provisioning/flows/admit.h"

#include "provisioning/flows/identity.h"
#include "provisioning/flows/identity_cache.h"
#include "provisioning/flows/jitp.h"
#include "provisioning/flows/registered_ca.h"
#include "provisioning/flows/renew.h"
#include "provisioning/flows/trace.h"

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

// A certificate that the registry knows.
struct Entry {
    Admission admission;
    std::shared_ptr<const Identity> identity;
};
/// @param known  what was read of it already, if anything
Result<Entry> enter(Service& service,
                    const ConnectRequest& request,
                    std::optional<Identity> known,
                    Trace& trace,
                    Time now) {
    trace.begin("status", "ACTIVE and inside its validity");
    Result<Identity> identity =
        known ? Result<Identity>(std::move(*known))
              : read_identity(service.store, request.certificate.id(), request.client_id);
    if (!identity) return std::move(identity).error();
    if (auto active = check_active(*identity, request, now); !active) {
        return std::move(active).error();
    }
    if (identity->thing) trace.thing(identity->thing->name);
    trace.found(identity->thing ? "ACTIVE" : "ACTIVE, no attached thing has the client id's name");
    if (auto named = check_server_name(service, request, identity->certificate.mode); !named) {
        return std::move(named).error();
    }
    auto admission = make_admission(service, request, *identity);
    if (!admission) return std::move(admission).error();
    if (request.protocol == Protocol::Mqtt) {
        auto allowed = check_connect(service, request, *admission, trace);
        if (!allowed) return std::move(allowed).error();
    }
    if (identity->is_renewal) {
        // The first connect of a renewed certificate: the one before it is not needed any more.
        auto retired = retire_replaced(service.store, request.certificate.id(), now);
        if (!retired) return std::move(retired).error();
    }
    identity->certificate.der = {};  // the device shows it again
    return Entry{std::move(*admission), std::make_shared<Identity>(std::move(*identity))};
}

AdmitOutcome enter_known(Service& service,
                         const ConnectRequest& request,
                         bool provisioned_now,
                         Trace& trace,
                         Time now,
                         std::optional<Identity> known = {}) {
    auto entry = enter(service, request, std::move(known), trace, now);
    if (!entry) return refuse(std::move(entry).error());
    AdmitOutcome outcome;
    outcome.admission = std::move(entry->admission);
    outcome.admission->provisioned_now = provisioned_now;
    outcome.identity = std::move(entry->identity);
    return outcome;
}

// JITR: an operator's rule decides, by the event; the device comes back later.
AdmitOutcome register_first_connect(Service& service,
                                    const ConnectRequest& request,
                                    const RegisteredCa& ca,
                                    Trace& trace,
                                    Time now) {
    trace.begin("registration", "an operator sets the certificate ACTIVE (no template: JITR)");
    auto status = register_pending(service, request.certificate, ca, now);
    if (!status) return refuse(std::move(status).error());
    if (*status != CertificateStatus::PendingActivation) {
        return enter_known(service, request, false, trace, now);
    }
    auto outcome = refuse(fail(Code::Forbidden,
                               "certificate is PENDING_ACTIVATION: registered just in time, it "
                               "waits to be activated"));
    outcome.events.push_back(
        registration_event(service.settings.account, request.certificate.id(), ca.record.id, now));
    return outcome;
}

// What the registry holds for a certificate that connects: one view of the store.
struct Look {
    std::optional<Identity> known;
    bool is_trusted_claim = false;       ///< of a trusted user (identity.h)
    std::optional<std::string> station;  ///< whose certificate it is
    CaRecords issuers;                   ///< for one that is still to be registered
};

// An absent row is no error.
template <class T>
Result<std::optional<T>> if_there(Result<T> found) {
    if (found) return std::optional<T>(std::move(*found));
    if (found.error().code == Code::NotFound) return std::optional<T>{};
    return std::move(found).error();
}

Result<> look_for_issuers(Service& service,
                          store::Reader& reader,
                          const ConnectRequest& request,
                          Look& look) {
    auto generation = reader.identity_generation();
    if (!generation) return std::move(generation).error();
    auto issuers = service.compiled.cas_by_subject(
        reader, request.certificate.fields().issuer_der, *generation);
    if (!issuers) return std::move(issuers).error();
    look.issuers = std::move(*issuers);
    return {};
}

Result<> look_for_others(
    Service& service, store::Reader& reader, const ConnectRequest& request, Time now, Look& look) {
    const auto& id = request.certificate.id();
    auto claim = if_there(registry::find_provisioning_claim(reader, id, now));
    if (!claim) return std::move(claim).error();
    look.is_trusted_claim = claim->has_value();
    if (look.is_trusted_claim) return {};
    auto generation = reader.identity_generation();
    if (!generation) return std::move(generation).error();
    auto station = service.compiled.station_of(reader, id, *generation);
    if (!station) return std::move(station).error();
    look.station = std::move(*station);
    return look_for_issuers(service, reader, request, look);
}

Result<Look> look_up(Service& service, const ConnectRequest& request, Time now) {
    const std::uint64_t generation = service.store.identity_generation();
    return service.store.read([&](store::Reader& reader) -> Result<Look> {
        Look look;
        auto certificate = if_there(registry::find_certificate(reader, request.certificate.id()));
        if (!certificate) return std::move(certificate).error();
        if (!*certificate) {
            auto others = look_for_others(service, reader, request, now, look);
            return others ? Result<Look>(std::move(look)) : std::move(others).error();
        }
        auto identity = read_identity_in(reader, std::move(**certificate), request.client_id);
        if (!identity) return std::move(identity).error();
        identity->generation = generation;
        look.known = std::move(*identity);
        if (look.known->certificate.status == CertificateStatus::PendingActivation) {
            auto found = look_for_issuers(service, reader, request, look);
            if (!found) return std::move(found).error();
        }
        return look;
    });
}

// A certificate that is unknown, or known and still PENDING_ACTIVATION from a registered CA.
AdmitOutcome first_connect(
    Service& service, const ConnectRequest& request, const Look& look, Trace& trace, Time now) {
    trace.begin("CA",
                "a registered CA with the subject " +
                    request.certificate.fields().issuer.to_string() +
                    " that signed the certificate, ACTIVE, with auto registration on");
    auto ca =
        usable_ca_of(service, *look.issuers, request.certificate, Purpose::AutoRegistration, now);
    if (!ca) {
        Error error = std::move(ca).error();
        if (look.known) error.message = "certificate is PENDING_ACTIVATION: " + error.message;
        return refuse(std::move(error));
    }
    trace.found("CA " + ca->record.id.hex());
    if (auto named = check_server_name(service, request, ca->record.mode); !named) {
        return refuse(std::move(named).error());
    }
    if (!has_template(ca->record)) {
        return register_first_connect(service, request, *ca, trace, now);
    }
    auto made = provision_first_connect(service, request, *ca, trace, now);
    if (!made) return refuse(std::move(made).error());
    return enter_known(service, request, made->is_made, trace, now, std::move(made->identity));
}

AdmitOutcome admit_known(
    Service& service, const ConnectRequest& request, Look look, Trace& trace, Time now) {
    const auto& certificate = look.known->certificate;
    trace.found(std::string(registry::to_string(certificate.status)));
    if (certificate.status != CertificateStatus::PendingActivation) {
        return enter_known(service, request, false, trace, now, std::move(look.known));
    }
    if (!certificate.ca_id) {
        return refuse(fail(Code::Forbidden,
                           "certificate is PENDING_ACTIVATION: it waits for RegisterThing with "
                           "its ownership token"));
    }
    return first_connect(service, request, look, trace, now);
}

AdmitOutcome admit_traced(Service& service, const ConnectRequest& request, Trace& trace, Time now) {
    trace.begin("certificate");
    auto look = look_up(service, request, now);
    if (!look) return refuse(std::move(look).error());
    if (look->is_trusted_claim) return enter_known(service, request, false, trace, now);
    if (look->station) {
        // The issuing CA signs factory stations too: where it is registered as a device CA, they
        // must not become things.
        return refuse(fail(
            Code::Forbidden,
            "certificate belongs to factory station " + *look->station + ", expected a device's"));
    }
    if (!look->known) {
        trace.found("unknown to the registry");
        return first_connect(service, request, *look, trace, now);
    }
    auto outcome = admit_known(service, request, std::move(*look), trace, now);
    outcome.is_known = true;
    return outcome;
}

}  // namespace

AdmitOutcome admit(Service& service, const ConnectRequest& request, Time now) {
    Trace trace(registry::AttemptKind::Connect, now);
    auto outcome = admit_traced(service, request, trace, now);
    // Whatever let a known device in needs no explanation, and there are many of those.
    const bool is_routine = outcome.admission && !outcome.admission->provisioned_now;
    if (!is_routine && service.traces != nullptr) {
        trace.asker(request.certificate);
        trace.client(request.client_id, request.source_ip);
        record(service.traces, trace, outcome.refused ? &*outcome.refused : nullptr);
    }
    return outcome;
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
