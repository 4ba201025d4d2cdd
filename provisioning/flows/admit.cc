#include "provisioning/flows/admit.h"

#include "provisioning/flows/identity.h"
#include "provisioning/flows/jitp.h"
#include "provisioning/flows/registered_ca.h"
#include "provisioning/registry/access.h"

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
    }
    return admission;
}

Error denied(const policy::Decision& decision,
             const policy::Request& request,
             const Identity& identity) {
    std::string message =
        std::string(policy::to_string(request.action)) + " on " + request.resource + " is denied: ";
    if (decision.effect == policy::Effect::ExplicitDeny) {
        message += "EXPLICIT_DENY by /Statement/" + std::to_string(decision.statement) +
                   " of policy " + identity.policies.at(decision.document).name;
        if (!decision.sid.empty()) message += " (" + decision.sid + ")";
    } else if (identity.policies.empty()) {
        message += "IMPLICIT_DENY, no policy is attached";
    } else {
        message += "IMPLICIT_DENY, no statement of the attached policies allows it:";
        for (const auto& policy : identity.policies)
            message += " " + policy.name;
    }
    return fail(Code::Forbidden, std::move(message));
}

// iot:Connect, and what a will needs; these alone see the keys of the CONNECT packet.
Result<> check_connect(const Service& service,
                       const ConnectRequest& request,
                       const Admission& admission,
                       const Identity& identity) {
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
        const auto decision = policy::evaluate(admission.policies, one, context);
        if (decision.effect != policy::Effect::Allowed) return denied(decision, one, identity);
    }
    return {};
}

// A certificate that the registry knows.
Result<Admission> enter(Service& service, const ConnectRequest& request, Time now) {
    auto identity = read_identity(service.store, request.certificate.id(), request.client_id);
    if (!identity) return std::move(identity).error();
    if (auto active = check_active(*identity, request, now); !active) {
        return std::move(active).error();
    }
    auto admission = make_admission(service, request, *identity);
    if (!admission) return admission;
    if (auto allowed = check_connect(service, request, *admission, *identity); !allowed) {
        return std::move(allowed).error();
    }
    return admission;
}

AdmitOutcome enter_known(Service& service,
                         const ConnectRequest& request,
                         bool provisioned_now,
                         Time now) {
    auto admission = enter(service, request, now);
    if (!admission) return refuse(std::move(admission).error());
    admission->provisioned_now = provisioned_now;
    AdmitOutcome outcome;
    outcome.admission = std::move(*admission);
    return outcome;
}

// JITR: an operator's rule decides, by the event; the device comes back later.
AdmitOutcome register_first_connect(Service& service,
                                    const ConnectRequest& request,
                                    const RegisteredCa& ca,
                                    Time now) {
    auto status = register_pending(service, request.certificate, ca, now);
    if (!status) return refuse(std::move(status).error());
    if (*status != CertificateStatus::PendingActivation) {
        return enter_known(service, request, false, now);
    }
    auto outcome = refuse(fail(Code::Forbidden,
                               "certificate is PENDING_ACTIVATION: registered just in time, it "
                               "waits to be activated"));
    outcome.events.push_back(
        registration_event(service.settings.account, request.certificate.id(), ca.record.id, now));
    return outcome;
}

// The issuing CA signs factory stations too: where it is registered as a device CA, they must not
// become things.
Result<> check_no_station(Service& service, const CertificateId& id) {
    auto station = service.store.read(
        [&](store::Reader& reader) { return registry::find_station(reader, id); });
    if (station) {
        return fail(
            Code::Forbidden,
            "certificate belongs to factory station " + station->name + ", expected a device's");
    }
    if (station.error().code != Code::NotFound) return std::move(station).error();
    return {};
}

// A certificate that is unknown, or known and still PENDING_ACTIVATION from a registered CA.
AdmitOutcome first_connect(Service& service,
                           const ConnectRequest& request,
                           bool is_pending,
                           Time now) {
    auto ca = usable_ca(service.store, request.certificate, Purpose::AutoRegistration, now);
    if (!ca) {
        Error error = std::move(ca).error();
        if (is_pending) error.message = "certificate is PENDING_ACTIVATION: " + error.message;
        return refuse(std::move(error));
    }
    if (!has_template(ca->record)) return register_first_connect(service, request, *ca, now);
    auto made = provision_first_connect(service, request, *ca, now);
    if (!made) return refuse(std::move(made).error());
    return enter_known(service, request, *made, now);
}

}  // namespace

AdmitOutcome admit(Service& service, const ConnectRequest& request, Time now) {
    auto known = service.store.read([&](store::Reader& reader) {
        return registry::find_certificate(reader, request.certificate.id());
    });
    if (!known) {
        if (known.error().code != Code::NotFound) return refuse(std::move(known).error());
        if (auto device = check_no_station(service, request.certificate.id()); !device) {
            return refuse(std::move(device).error());
        }
        return first_connect(service, request, false, now);
    }
    if (known->status != CertificateStatus::PendingActivation) {
        return enter_known(service, request, false, now);
    }
    if (!known->ca_id) {
        return refuse(fail(Code::Forbidden,
                           "certificate is PENDING_ACTIVATION: it waits for RegisterThing with "
                           "its ownership token"));
    }
    return first_connect(service, request, true, now);
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
