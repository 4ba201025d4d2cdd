#include "provisioning/flows/claim.h"

#include "ca/digest.h"
#include "provisioning/flows/escrow.h"
#include "provisioning/flows/fleet_profile.h"
#include "provisioning/flows/issue.h"
#include "provisioning/flows/key_pool.h"
#include "provisioning/flows/log.h"
#include "provisioning/flows/plan.h"
#include "provisioning/flows/register.h"
#include "provisioning/flows/rotation.h"
#include "provisioning/registry/templates.h"

#include <spdlog/spdlog.h>

namespace hatchery::flows {

namespace {

using registry::CertificateStatus;

constexpr std::string_view kTokenMember = "certificateOwnershipToken";
constexpr std::size_t kMaxCsrBytes = 4096;  // certificateSigningRequest, iot 2015-05-28

Error token_error(std::string message) {
    return fail(Code::InvalidRequest, std::move(message), std::string(kTokenMember));
}

// Issues for `csr` and stores certificate and token in the commit that completes the ledger.
Result<NewCertificate> issue_to_claimant(Service& service,
                                         const Claimant& claimant,
                                         const ca::Csr& csr,
                                         std::string_view escrowed_key,
                                         Time now) {
    // 256 random bits; only their digest is stored, so the database gives nobody a token.
    std::string token = to_hex(ca::random_bytes(32));
    const auto digest = ca::sha256(bytes_of(token));
    const auto with = [&](store::Tx& tx, const ca::Certificate& made) -> Result<> {
        auto added = add_issued(tx, service.settings.account, made, now);
        if (!added) return std::move(added).error();
        if (auto kept = keep_escrow(tx, made.id(), escrowed_key); !kept) return kept;
        return registry::add_ownership_token(
            tx,
            digest,
            {made.id(), claimant.certificate, now + service.settings.ownership_token_lifetime});
    };
    registry::StoreLedger ledger(service.store, {.patience = kWaitsForCompany});
    auto certificate = issue(service.store,
                             ledger,
                             service.issuer,
                             csr,
                             fleet_profile(service, now),
                             "claim:" + claimant.certificate.hex(),
                             now,
                             with);
    if (!certificate) return std::move(certificate).error();
    log()->info("certificate_issued how=claim certificate={} serial={} claim={} client={}",
                certificate->id().hex(),
                certificate->serial_hex(),
                claimant.certificate.hex(),
                log_value(claimant.client_id));
    return NewCertificate{certificate->id(), certificate->pem(), {}, std::move(token)};
}

// The certificate that the token owns, if this claimant may register it now.
Result<registry::DeviceCertificate> owned_certificate(store::Reader& reader,
                                                      ByteView token_digest,
                                                      const Claimant& claimant,
                                                      Time now) {
    auto token = registry::find_ownership_token(reader, token_digest, now);
    if (!token) {
        if (token.error().code != Code::NotFound) return std::move(token).error();
        return token_error("Certificate ownership token is unknown, used or expired");
    }
    if (token->claim_certificate != claimant.certificate) {
        return token_error("Certificate ownership token belongs to another claim certificate");
    }
    auto certificate = registry::find_certificate(reader, token->certificate);
    if (!certificate) {
        if (certificate.error().code != Code::NotFound) return certificate;
        return token_error("Certificate of the ownership token was deleted");
    }
    const auto status = certificate->status;
    if (status != CertificateStatus::PendingActivation && status != CertificateStatus::Active) {
        return fail(Code::CertificateState,
                    "certificate is " + std::string(registry::to_string(status)));
    }
    return certificate;
}

Result<templates::Plan> plan_registration(Service& service,
                                          const Claimant& claimant,
                                          const RegisterThingRequest& request,
                                          const UsableTemplate& chosen,
                                          const registry::DeviceCertificate& owned,
                                          Reservations& reserved,
                                          Trace& trace,
                                          Time now) {
    templates::Parameters parameters(request.parameters.begin(), request.parameters.end());
    if (chosen.record.hook_target_arn) {
        auto certificate = ca::Certificate::from_der(owned.der);
        if (!certificate) return std::move(certificate).error();
        const hooks::HookEvent event{
            claimant.certificate.hex(),
            owned.id.hex(),
            certificate->pem(),
            service.settings.account.arn("provisioningtemplate", chosen.record.name),
            claimant.client_id,
            request.parameters,
            now};
        auto decided = ask_hook(
            service, *chosen.record.hook_target_arn, chosen.compiled, event, reserved, trace);
        if (!decided) return std::move(decided).error();
        parameters = std::move(*decided);
    }
    return make_plan(service, chosen.compiled, std::move(parameters), owned.id, trace);
}

Result<NewCertificate> create_keys(Service& service,
                                   const Claimant& claimant,
                                   Trace& trace,
                                   Time now) {
    trace.begin("key");
    const auto kind = service.settings.device_key;
    const bool has_stock = service.key_pool != nullptr && service.key_pool->kind() == kind;
    auto key = has_stock ? service.key_pool->take() : ca::PrivateKey::generate(kind);
    if (!key) return std::move(key).error();
    auto csr = ca::Csr::for_own_key(*key);
    if (!csr) return std::move(csr).error();
    auto private_key = key->to_plain_pem();
    if (!private_key) return std::move(private_key).error();
    auto escrowed = escrow(service.settings, *key);
    if (!escrowed) return std::move(escrowed).error();

    trace.begin("issue");
    auto made = issue_to_claimant(service, claimant, *csr, *escrowed, now);
    if (made) made->private_key = std::move(*private_key);
    return made;
}

/// The device's next certificate. Its token is of no use to it, but clients expect one.
Result<NewCertificate> rotate(Service& service,
                              const Claimant& claimant,
                              const Rotation& rotation,
                              const ca::Csr& csr,
                              Time now) {
    std::string token = to_hex(ca::random_bytes(32));
    const auto digest = ca::sha256(bytes_of(token));
    const auto add_token = [&](store::Tx& tx, const ca::Certificate& made) -> Result<> {
        return registry::add_ownership_token(
            tx,
            digest,
            {made.id(), claimant.certificate, now + service.settings.ownership_token_lifetime});
    };
    auto certificate = rotate_certificate(service, rotation, csr, add_token, now);
    if (!certificate) return std::move(certificate).error();
    return NewCertificate{certificate->id(), certificate->pem(), {}, std::move(token), true};
}

Result<NewCertificate> create_from_csr(
    Service& service, const Claimant& claimant, std::string_view csr_pem, Trace& trace, Time now) {
    trace.begin("CSR", "readable, signed by its own key, and a key of an accepted kind");
    if (csr_pem.empty() || csr_pem.size() > kMaxCsrBytes) {
        return fail(Code::InvalidRequest,
                    "expected a certificate signing request of 1 to " +
                        std::to_string(kMaxCsrBytes) + " bytes, found " +
                        std::to_string(csr_pem.size()),
                    "CSR");
    }
    auto csr = ca::Csr::parse(bytes_of(csr_pem));
    if (!csr) return std::move(csr).error();
    auto rotation = find_rotation(service, claimant.certificate);
    if (!rotation) return std::move(rotation).error();
    if (*rotation) {
        trace.begin("rotate", "the subject of the present certificate");
        return rotate(service, claimant, **rotation, *csr, now);
    }
    trace.begin("issue");
    return issue_to_claimant(service, claimant, *csr, {}, now);
}

Result<RegisteredThing> register_traced(Service& service,
                                        const Claimant& claimant,
                                        const RegisterThingRequest& request,
                                        Trace& trace,
                                        Time now) {
    trace.begin("token", "the certificateOwnershipToken of the certificate to be registered");
    if (request.ownership_token.empty()) {
        return token_error("Certificate ownership token cannot be empty.");  // AWS's own words
    }
    trace.begin("template", "enabled, of type FLEET_PROVISIONING, and without mistakes");
    auto chosen = find_template(service, request.template_name, templates::Kind::Claim);
    if (!chosen) return std::move(chosen).error();
    trace.begin("token", "known, not spent, not expired, asked for by this claim certificate");
    const auto digest = ca::sha256(bytes_of(request.ownership_token));
    auto owned = service.store.read(
        [&](store::Reader& reader) { return owned_certificate(reader, digest, claimant, now); });
    if (!owned) return std::move(owned).error();
    trace.found("certificate " + owned->id.hex());
    trace.name(owned->id.hex());

    // No transaction is open here: a hook may call the control plane while it decides.
    Reservations reserved;
    auto plan =
        plan_registration(service, claimant, request, *chosen, *owned, reserved, trace, now);
    if (!plan) return std::move(plan).error();
    if (plan->thing) trace.thing(plan->thing->thing_name);
    trace.begin("records", "everything that the plan names exists, and nothing is in its way");

    auto applied = service.store.write(
        [&](store::Tx& tx) -> Result<> {
            // Again, inside the write: the token may be spent, the certificate revoked meanwhile.
            auto still = owned_certificate(tx, digest, claimant, now);
            if (!still) return std::move(still).error();
            if (auto spent = registry::spend_ownership_token(tx, digest); !spent) {
                return std::move(spent).error();
            }
            if (auto used = use_reservations(tx, reserved, owned->id, now); !used) {
                return std::move(used).error();
            }
            return apply(tx, service.settings.account, *plan, *still, now);
        },
        kWaitsForCompany);
    if (!applied) return std::move(applied).error();
    RegisteredThing registered{{}, std::move(plan->device_configuration)};
    if (plan->thing) registered.thing_name = plan->thing->thing_name;
    log()->info("device_provisioned how=claim certificate={} template={} thing={} claim={}",
                owned->id.hex(),
                chosen->record.name,
                log_value(registered.thing_name.value_or("")),
                claimant.certificate.hex());
    return registered;
}

// Ends the trace of one request of a claim connection.
template <class T>
Result<T> traced(Service& service, const Claimant& claimant, Trace& trace, Result<T> outcome) {
    trace.asker(claimant.certificate);
    trace.client(claimant.client_id);
    record(service.traces, trace, outcome ? nullptr : &outcome.error());
    return outcome;
}

void describe_new(Trace& trace, const Result<NewCertificate>& made) {
    if (!made) return;
    trace.found("certificate " + made->id.hex() +
                (made->is_successor ? ", ACTIVE in place of the present one once it connects"
                                    : ", PENDING_ACTIVATION"));
    trace.name(made->id.hex());
}

}  // namespace

Result<NewCertificate> create_keys_and_certificate(Service& service,
                                                   const Claimant& claimant,
                                                   Time now) {
    Trace trace(registry::AttemptKind::CreateKeys, now);
    auto made = create_keys(service, claimant, trace, now);
    describe_new(trace, made);
    return traced(service, claimant, trace, std::move(made));
}

Result<NewCertificate> create_certificate_from_csr(Service& service,
                                                   const Claimant& claimant,
                                                   std::string_view csr_pem,
                                                   Time now) {
    Trace trace(registry::AttemptKind::CreateFromCsr, now);
    auto made = create_from_csr(service, claimant, csr_pem, trace, now);
    describe_new(trace, made);
    return traced(service, claimant, trace, std::move(made));
}

Result<RegisteredThing> register_thing(Service& service,
                                       const Claimant& claimant,
                                       const RegisterThingRequest& request,
                                       Time now) {
    Trace trace(registry::AttemptKind::RegisterThing, now);
    trace.template_name(request.template_name);
    // What people call the serial number is one of few parameters, under any name.
    for (const auto& [name, value] : request.parameters)
        trace.name(value);
    return traced(
        service, claimant, trace, register_traced(service, claimant, request, trace, now));
}

}  // namespace hatchery::flows
