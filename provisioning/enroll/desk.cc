#include "provisioning/enroll/desk.h"

#include "ca/csr.h"
#include "ca/digest.h"
#include "provisioning/enroll/log.h"
#include "provisioning/flows/issue.h"
#include "provisioning/flows/renew.h"
#include "provisioning/registry/revocations.h"

#include <spdlog/logger.h>

#include <algorithm>

namespace hatchery::enroll {
namespace {

constexpr std::size_t kRememberedCertificates = 4096;
constexpr std::chrono::minutes kRememberedFor{15};
/// Refusals are rows for ever: a station in a loop must not fill the disk with them.
constexpr int kMaxRefusalsAMinute = 60;
constexpr std::size_t kMaxDetail = 300;

Issued issued_of(const flows::Service& service, const ca::Certificate& certificate) {
    Issued issued;
    issued.certificate_id = certificate.id().hex();
    issued.certificate_pem = certificate.pem();
    issued.chain_pem = service.issuer.chain_pem(certificate).substr(issued.certificate_pem.size());
    issued.serial_number = certificate.serial_hex();
    issued.not_after = to_iso8601(certificate.fields().not_after);
    return issued;
}

std::string device_serial_of(const ca::Csr& csr) {
    return std::string(csr.fields().subject.first(ca::oid::kSerialNumber).value_or(""));
}

/// Is `certificate` what `csr` asks for? Every attribute that both have is equal.
bool is_answer_to(const ca::Certificate& certificate, const ca::Csr& csr) {
    return std::ranges::all_of(certificate.fields().subject.attributes, [&](const auto& own) {
        const auto wanted = csr.fields().subject.first(own.oid);
        return !wanted || *wanted == own.value;
    });
}

/// Worth a row: somebody who is known was refused something.
bool is_refusal(Code code) {
    return code == Code::InvalidRequest || code == Code::Forbidden || code == Code::Conflict ||
           code == Code::LimitExceeded || code == Code::AlreadyExists;
}

}  // namespace

Desk::Desk(flows::Service& service)
    : service_(service), recent_(kRememberedCertificates, kRememberedFor) {}

Result<Caller> Desk::identify(const std::optional<ca::Certificate>& certificate, Time now) {
    if (!certificate) {
        return fail(Code::Unauthenticated, "expected a station's client certificate, found none");
    }
    auto station = service_.store.read(
        [&](store::Reader& reader) { return registry::find_station(reader, certificate->id()); });
    if (!station && station.error().code != Code::NotFound) return std::move(station).error();
    auto own = flows::find_own_certificate(service_, *certificate);
    if (!own && own.error().code != Code::NotFound) return std::move(own).error();
    if (!station && !own) {
        return fail(Code::Forbidden,
                    "expected a station's client certificate, found certificate " +
                        certificate->id().hex());
    }
    const ca::Issuer& issuer = own ? *own->issuer : service_.issuer;
    const std::string bad = "the certificate of " +
                            (station ? "station '" + station->name + "'" : "the device") +
                            " is not good: ";
    auto revoked = service_.store.read([&](store::Reader& reader) {
        return registry::find_revocation(
            reader, issuer.certificate().id(), certificate->fields().serial_number);
    });
    if (!revoked) return std::move(revoked).error();
    if (*revoked) {
        return fail(Code::Forbidden,
                    bad + "revoked: " + std::string(ca::to_string((*revoked)->reason)));
    }
    if (!station) return Caller{certificate->id().hex(), std::nullopt, *certificate};
    if (!station->enabled) {
        return fail(Code::Forbidden, "station '" + station->name + "' is disabled");
    }
    if (auto issued = ca::check_issued_by(*certificate, issuer.certificate(), now); !issued) {
        return fail(Code::Forbidden, bad + issued.error().message);
    }
    std::string name = station->name;
    return Caller{std::move(name), std::move(*station), *certificate};
}

Result<const ca::Profile*> Desk::profile_for(const Caller& caller, const std::string& name) const {
    const auto& allowed = caller.station->profiles;
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
        return fail(Code::Forbidden,
                    "station '" + caller.name + "' may not use profile '" + name + "'",
                    "/profile");
    }
    const auto profile = service_.profiles.find(name);
    if (profile != service_.profiles.end()) return &profile->second;
    return fail(Code::NotFound, "profile '" + name + "' does not exist", "/profile");
}

/// What this station got for this key before a restart: memory is only the fast way.
Result<Issued> Desk::earlier(const Caller& station,
                             const ca::Profile& profile,
                             const ca::Csr& csr,
                             Time now) {
    auto row = service_.store.read([&](store::Reader& reader) {
        return registry::find_issued_for_key(
            reader, csr.fields().public_key_der, profile.name, "station:" + station.name);
    });
    if (!row) return std::move(row).error();
    const bool is_recent = now - row->recorded < kRememberedFor;
    if (row->device_serial != device_serial_of(csr) || (!is_recent && !profile.one_per_device)) {
        return fail(Code::NotFound, "another request");
    }
    auto certificate = ca::Certificate::from_der(row->certificate_der);
    if (!certificate) return std::move(certificate).error();
    if (!is_answer_to(*certificate, csr)) return fail(Code::NotFound, "another request");
    if (auto proved = csr.verify_signature(); !proved) return std::move(proved).error();
    return issued_of(service_, *certificate);
}

Result<RecentCertificates::Outcome> Desk::issue(const Caller& station,
                                                const ca::Profile& profile,
                                                const ca::Csr& csr,
                                                Time now) {
    // Over the DER: the same request as PEM with other line ends is the same request.
    const std::string key =
        station.name + "\n" + profile.name + "\n" + to_hex(ca::sha256(csr.fields().der));
    bool is_known = false;
    auto outcome = recent_.find_or_issue(key, now, [&]() -> Result<Issued> {
        auto known = earlier(station, profile, csr, now);
        is_known = known.has_value();
        if (known || known.error().code != Code::NotFound) return known;
        auto certificate = flows::issue(service_.store,
                                        service_.ledger,
                                        service_.issuer,
                                        csr,
                                        profile,
                                        "station:" + station.name,
                                        now);
        if (!certificate) return std::move(certificate).error();
        return issued_of(service_, *certificate);
    });
    if (!outcome) {
        note_refusal(station, profile.name, csr, outcome.error(), now);
        return outcome;
    }
    outcome->is_new = outcome->is_new && !is_known;
    return outcome;
}

Result<RecentCertificates::Outcome> Desk::renew(const Caller& device,
                                                const ca::Csr& csr,
                                                Time now) {
    const std::string key = "renewal\n" + device.name + "\n" + to_hex(ca::sha256(csr.fields().der));
    auto outcome = recent_.find_or_issue(key, now, [&]() -> Result<Issued> {
        auto certificate = flows::renew(service_, device.certificate, csr, now);
        if (!certificate) return std::move(certificate).error();
        return issued_of(service_, *certificate);
    });
    if (!outcome) note_refusal(device, "", csr, outcome.error(), now);
    return outcome;
}

void Desk::note_refusal(const Caller& caller,
                        std::string_view profile,
                        const ca::Csr& csr,
                        const Error& error,
                        Time now) {
    if (!is_refusal(error.code)) return;
    {
        const std::lock_guard lock(mutex_);
        if (now - minute_ >= std::chrono::minutes(1)) {
            minute_ = now;
            refusals_ = 0;
        }
        if (++refusals_ > kMaxRefusalsAMinute) return;
    }
    registry::LedgerEvent event;
    event.kind = registry::LedgerKind::Refused;
    event.issuer = service_.issuer.certificate().id();
    event.detail =
        std::string(registry::refusal_word(error)) + ": " + to_string(error).substr(0, kMaxDetail);
    event.profile = profile;
    event.requester = (caller.station ? "station:" : "renewal:") + caller.name;
    event.device_serial = device_serial_of(csr).substr(0, 64);
    auto written = service_.store.write(
        [&](store::Tx& tx) -> Result<> { return registry::append_event(tx, event, now); });
    if (!written)
        log()->error("refusal_not_recorded reason={}", log_value(written.error().message));
}

}  // namespace hatchery::enroll
