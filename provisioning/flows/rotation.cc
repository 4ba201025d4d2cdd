#include "provisioning/flows/rotation.h"

#include "provisioning/flows/fleet_profile.h"
#include "provisioning/flows/issue.h"
#include "provisioning/flows/log.h"
#include "provisioning/flows/renew.h"
#include "provisioning/flows/succession.h"
#include "provisioning/registry/revocations.h"
#include "provisioning/registry/things.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace hatchery::flows {

namespace {

/// What the holder's thing has to do. A certificate that several things share is nobody's to
/// exchange: it would be taken from the others.
Result<std::optional<registry::JobExecution>> rotation_of(store::Reader& reader,
                                                          const CertificateId& certificate) {
    using Found = std::optional<registry::JobExecution>;
    auto things = registry::things_of_principal(reader, certificate);
    if (!things && things.error().code == Code::NotFound) return Found();  // a trusted user's claim
    if (!things) return std::move(things).error();
    for (const auto& attached : *things) {
        auto thing = registry::find_thing(reader, attached.name);
        if (!thing) return std::move(thing).error();
        auto execution = registry::open_rotation(reader, thing->key);
        if (!execution) return execution;
        if (*execution && things->size() > 1) {
            return fail(Code::Conflict,
                        "job " + (*execution)->job_id + " asks for another certificate, but " +
                            std::to_string(things->size()) + " things share this one");
        }
        if (*execution) return execution;
    }
    return Found();
}

/// The successor for the same key that has not connected yet: its answer was lost.
/// @errors Throttled  another key got one a moment ago
Result<std::optional<ca::Certificate>> waiting_successor(const Service& service,
                                                         const CertificateId& present,
                                                         ByteView public_key_der,
                                                         Time now) {
    using Found = std::optional<ca::Certificate>;
    return service.store.read([&](store::Reader& reader) -> Result<Found> {
        auto renewal = registry::last_renewal_of(reader, present);
        if (!renewal) return std::move(renewal).error();
        if (!*renewal) return Found();
        auto stored = registry::find_certificate(reader, (*renewal)->certificate);
        if (!stored && stored.error().code == Code::NotFound) return Found();
        if (!stored) return std::move(stored).error();
        auto certificate = ca::Certificate::from_der(stored->der);
        if (!certificate) return std::move(certificate).error();
        const bool is_active = stored->status == registry::CertificateStatus::Active;
        if (is_active && std::ranges::equal(certificate->fields().public_key_der, public_key_der)) {
            return Found(std::move(*certificate));
        }
        if (now - (*renewal)->made < kLeastTimeBetweenSuccessors) {
            return fail(Code::Throttled, "the certificate was exchanged a moment ago");
        }
        return Found();
    });
}

/// The profile of the present certificate if it was issued here by one that is still there.
Result<ca::Profile> successor_profile(const Service& service,
                                      const ca::Certificate& present,
                                      const ca::Csr& csr,
                                      Time now) {
    auto own = find_own_certificate(service, present);
    if (!own && own.error().code != Code::NotFound) return std::move(own).error();
    if (own) {
        const auto profile = service.profiles.find(own->row.profile);
        if (profile != service.profiles.end()) {
            if (auto same = check_same_names(present, csr); !same) return std::move(same).error();
            return profile->second;
        }
    }
    return fleet_profile(service, now);
}

}  // namespace

Result<std::optional<Rotation>> find_rotation(const Service& service,
                                              const CertificateId& certificate) {
    using Found = std::optional<Rotation>;
    return service.store.read([&](store::Reader& reader) -> Result<Found> {
        auto execution = rotation_of(reader, certificate);
        if (!execution) return std::move(execution).error();
        if (!*execution) return Found();
        auto stored = registry::find_certificate(reader, certificate);
        if (!stored) return std::move(stored).error();
        auto present = ca::Certificate::from_der(stored->der);
        if (!present) return std::move(present).error();
        return Found(Rotation{std::move(*present), std::move(**execution)});
    });
}

Result<ca::Certificate> rotate_certificate(
    Service& service,
    const Rotation& rotation,
    const ca::Csr& csr,
    const std::function<Result<>(store::Tx&, const ca::Certificate&)>& with,
    Time now) {
    const CertificateId present = rotation.present.id();
    auto waiting = waiting_successor(service, present, csr.fields().public_key_der, now);
    if (!waiting) return std::move(waiting).error();
    if (*waiting) {
        if (auto proved = csr.verify_signature(); !proved) return std::move(proved).error();
        auto noted =
            service.store.write([&](store::Tx& tx) -> Result<> { return with(tx, **waiting); });
        if (!noted) return std::move(noted).error();
        return std::move(**waiting);
    }
    auto profile = successor_profile(service, rotation.present, csr, now);
    if (!profile) return std::move(profile).error();
    registry::StoreLedger ledger(service.store, {registry::Renews{present}});
    const std::string requester = "rotation:" + rotation.execution.job_id;
    auto made =
        issue(service.store,
              ledger,
              service.issuer,
              csr,
              *profile,
              requester,
              now,
              [&](store::Tx& tx, const ca::Certificate& next) -> Result<> {
                  auto taken = take_over(tx, service.settings.account, present, next, now);
                  if (!taken) return taken;
                  auto added = registry::add_renewal(tx, {next.id(), present, now}, requester, now);
                  if (!added) return added;
                  return with(tx, next);
              });
    if (!made) return made;
    log()->info("certificate_rotated job={} thing={} certificate={} replaces={}",
                rotation.execution.job_id,
                log_value(rotation.execution.thing_name),
                made->id().hex(),
                present.hex());
    return made;
}

}  // namespace hatchery::flows
