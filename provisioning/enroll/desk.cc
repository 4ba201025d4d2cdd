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

/// A device needs one request; a station that lost the answer asks again, and a loop for ever.
constexpr int kMaxRequestsForADevice = 20;  // a minute
constexpr std::size_t kThrottledAtOnce = 1U << 16U;
constexpr std::size_t kRememberedCallers = 4096;
/// Refusals are rows for ever: a station in a loop must not fill the disk with them.
constexpr int kMaxRefusalsAMinute = 60;
constexpr std::size_t kMaxDetail = 300;

std::string chain_above_leaf(const ca::Issuer& issuer) {
    const ca::Certificate& leaf = issuer.certificate();
    return issuer.chain_pem(leaf).substr(leaf.pem().size());
}

std::string device_serial_of(const ca::Csr& csr) {
    return std::string(csr.fields().subject.first(ca::oid::kSerialNumber).value_or(""));
}

/// Is `certificate` what `csr` asks for? Every attribute that both have is equal, and so are the
/// alternative names where the profile takes any.
bool is_answer_to(const ca::Certificate& certificate,
                  const ca::Csr& csr,
                  const ca::Profile& profile) {
    const auto& has = certificate.fields();
    const auto& asks = csr.fields();
    const bool same_names = has.dns_names == asks.dns_names &&
                            has.ip_addresses == asks.ip_addresses &&
                            has.email_addresses == asks.email_addresses && has.uris == asks.uris;
    if (!same_names && !profile.ignore_extensions) return false;
    return std::ranges::all_of(has.subject.attributes, [&](const auto& own) {
        const auto wanted = asks.subject.first(own.oid);
        return !wanted || *wanted == own.value;
    });
}

/// Whose requests are counted together: a device's, or one request's if it names no device.
std::string attempts_of(const Caller& caller, const ca::Csr& csr) {
    const std::string serial = device_serial_of(csr);
    return caller.name + "\n" +
           (serial.empty() ? to_hex(ca::sha256(csr.fields().public_key_der)) : "=" + serial);
}

/// Worth a row: somebody who is known was refused something.
bool is_refusal(Code code) {
    return code == Code::InvalidRequest || code == Code::Forbidden || code == Code::Conflict ||
           code == Code::LimitExceeded || code == Code::AlreadyExists;
}

}  // namespace

Desk::Desk(flows::Service& service)
    : service_(service),
      first_time_(service.store, {{}, registry::Repeats::Refuse}),
      line_(service.store, first_time_, service.issuer),
      chain_pem_(chain_above_leaf(service.issuer)),
      throttle_(kMaxRequestsForADevice, kThrottledAtOnce) {}

/// The CA of ours that signed it, or nothing. Verified once a certificate, not once a request.
const ca::Issuer* Desk::signer_of(const ca::Certificate& certificate) {
    {
        const std::lock_guard lock(mutex_);
        const auto known = known_.find(certificate.id());
        if (known != known_.end()) return known->second.signer;
    }
    std::vector<const ca::Issuer*> issuers{&service_.issuer};
    issuers.insert(issuers.end(), service_.earlier_issuers.begin(), service_.earlier_issuers.end());
    const auto found = std::ranges::find_if(issuers, [&](const ca::Issuer* issuer) {
        return certificate.verify_signed_by(issuer->certificate()).has_value();
    });
    if (found == issuers.end()) return nullptr;
    const std::lock_guard lock(mutex_);
    if (known_.size() >= kRememberedCallers) known_.clear();
    known_.emplace(certificate.id(), Known{*found, nullptr});
    return *found;
}

/// Null: it must be read. One that is stopped or revoked, by whatever process, raises the store's
/// generation; and the rules of a station are checked again in the commit that records.
std::shared_ptr<const registry::Station> Desk::remembered_station(const CertificateId& id,
                                                                  std::uint64_t generation) {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(id);
    if (known == known_.end() || known->second.generation != generation) return nullptr;
    return known->second.station;
}

namespace {

/// What the store says of a client certificate.
struct Standing {
    std::shared_ptr<const registry::Station> station;
    bool is_ours = false;  ///< the ledger has it
    std::optional<registry::Revocation> revoked;
};

Result<Standing> read_standing(store::Reader& reader,
                               const ca::Certificate& certificate,
                               const ca::Issuer* signer) {
    Standing standing;
    auto station = registry::find_station(reader, certificate.id());
    if (!station && station.error().code != Code::NotFound) return std::move(station).error();
    if (station) standing.station = std::make_shared<registry::Station>(std::move(*station));
    if (signer == nullptr) return standing;
    const CertificateId& issuer = signer->certificate().id();
    const Bytes& serial_number = certificate.fields().serial_number;
    if (!standing.station) {
        auto row = registry::find_issued(reader, issuer, serial_number);
        if (!row && row.error().code != Code::NotFound) return std::move(row).error();
        standing.is_ours = row && row->certificate == certificate.id();
    }
    auto revoked = registry::find_revocation(reader, issuer, serial_number);
    if (!revoked) return std::move(revoked).error();
    standing.revoked = std::move(*revoked);
    return standing;
}

std::string not_good(const registry::Station* station) {
    return "the certificate of " +
           (station != nullptr ? "station '" + station->name + "'" : std::string("the device")) +
           " is not good: ";
}

}  // namespace

/// The station, or null for a device of ours.
Result<std::shared_ptr<const registry::Station>> Desk::find_station(
    const ca::Certificate& certificate, const ca::Issuer* signer) {
    auto standing = service_.store.read(
        [&](store::Reader& reader) { return read_standing(reader, certificate, signer); });
    if (!standing) return std::move(standing).error();
    auto& station = standing->station;
    if (!station && !standing->is_ours) {
        return fail(
            Code::Forbidden,
            "expected a station's client certificate, found certificate " + certificate.id().hex());
    }
    // A station's row alone is not enough.
    if (signer == nullptr) {
        return fail(Code::Forbidden, not_good(station.get()) + "no CA of ours has signed it");
    }
    if (standing->revoked) {
        return fail(Code::Forbidden,
                    not_good(station.get()) +
                        "revoked: " + std::string(ca::to_string(standing->revoked->reason)));
    }
    if (station && !station->enabled) {
        return fail(Code::Forbidden, "station '" + station->name + "' is disabled");
    }
    return std::move(station);
}

Result<Caller> Desk::identify(const std::optional<ca::Certificate>& certificate, Time now) {
    if (!certificate) {
        return fail(Code::Unauthenticated, "expected a station's client certificate, found none");
    }
    // Read before what it stands for: what changes meanwhile is read again next time.
    const std::uint64_t generation = service_.store.identity_generation();
    const ca::Issuer* signer = signer_of(*certificate);
    auto station = remembered_station(certificate->id(), generation);
    if (!station) {
        auto found = find_station(*certificate, signer);
        if (!found) return std::move(found).error();
        if (!*found) return Caller{certificate->id().hex(), nullptr, *certificate};
        station = std::move(*found);
        const std::lock_guard lock(mutex_);
        known_[certificate->id()] = {signer, station, generation};
    }
    for (const ca::Certificate* valid : {&*certificate, &signer->certificate()}) {
        if (auto checked = ca::check_validity(*valid, now); !checked) {
            return fail(Code::Forbidden, not_good(station.get()) + checked.error().message);
        }
    }
    std::string name = station->name;
    return Caller{std::move(name), std::move(station), *certificate};
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

/// What this station got for this key before, in the first half of that certificate's life: after
/// that the same request is a new one, unless the device may have one certificate only.
Result<Issued> Desk::earlier(const Caller& station,
                             const ca::Profile& profile,
                             const ca::Csr& csr,
                             Time now) {
    auto row = service_.store.read([&](store::Reader& reader) {
        return registry::find_issued_for_key(
            reader, csr.fields().public_key_der, profile.name, "station:" + station.name);
    });
    if (!row) return std::move(row).error();
    auto certificate = ca::Certificate::from_der(row->certificate_der);
    if (!certificate) return std::move(certificate).error();
    const Time ends = certificate->fields().not_after;
    const bool is_fresh = now - row->recorded < (ends - row->recorded) / 2;
    if (row->device_serial != device_serial_of(csr) || (!is_fresh && !profile.one_per_device) ||
        !is_answer_to(*certificate, csr, profile)) {
        return fail(Code::NotFound, "another request");
    }
    if (auto proved = csr.verify_signature(); !proved) return std::move(proved).error();
    return Issued{std::move(*certificate), false};
}

/// @errors registry::is_repeat  this requester has a certificate for the key
Result<ca::Certificate> Desk::issue_first(const ca::Csr& csr,
                                          const ca::Profile& profile,
                                          std::string_view requester,
                                          Time now) {
    auto prepared = service_.issuer.prepare(csr, profile, now);
    if (!prepared) return std::move(prepared).error();
    return line_.issue(std::move(*prepared), requester, now);
}

Result<Issued> Desk::issue_once(const Caller& station,
                                const ca::Profile& profile,
                                const ca::Csr& csr,
                                Time now) {
    const auto turn = turns_.take(station.name + "\n" + profile.name + "\n" +
                                  std::string(text_of(csr.fields().public_key_der)));
    const std::string requester = "station:" + station.name;
    // Nearly every request is a new one, so the commit that records it looks for an earlier one.
    auto certificate = issue_first(csr, profile, requester, now);
    if (!certificate) {
        // What is remembered of a station may be older than another process's word on it.
        auto still = find_station(station.certificate, signer_of(station.certificate));
        if (!still) return std::move(still).error();
        auto known = earlier(station, profile, csr, now);
        if (known || known.error().code != Code::NotFound) return known;
        if (!registry::is_repeat(certificate.error())) return std::move(certificate).error();
        certificate = flows::issue(
            service_.store, service_.ledger, service_.issuer, csr, profile, requester, now);
    }
    if (!certificate) return std::move(certificate).error();
    return Issued{std::move(*certificate)};
}

Result<Issued> Desk::issue(const Caller& station,
                           const ca::Profile& profile,
                           const ca::Csr& csr,
                           Time now) {
    if (auto slow = throttle_.count(attempts_of(station, csr), now); !slow) {
        return std::move(slow).error();
    }
    auto issued = issue_once(station, profile, csr, now);
    if (!issued) note_refusal(station, profile.name, csr, issued.error(), now);
    return issued;
}

Result<Issued> Desk::renew(const Caller& device, const ca::Csr& csr, Time now) {
    if (auto slow = throttle_.count(device.name, now); !slow) return std::move(slow).error();
    const auto turn = turns_.take("renewal\n" + device.name);
    auto renewed = flows::renew(service_, device.certificate, csr, now);
    if (renewed) return Issued{std::move(renewed->certificate), renewed->is_new};
    note_refusal(device, "", csr, renewed.error(), now);
    return std::move(renewed).error();
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
