#include "provisioning/audit/checks.h"

#include "ca/certificate_key.h"
#include "provisioning/audit/inspection.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/revocations.h"
#include "provisioning/registry/things.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace hatchery::audit {
namespace {

using registry::CertificateStatus;
using registry::ConnectConflict;
using registry::DeviceCertificate;
using std::chrono::days;

constexpr std::string_view kDevice = "DEVICE_CERTIFICATE", kCa = "CA_CERTIFICATE",
                           kPolicy = "IOT_POLICY", kClient = "CLIENT_ID",
                           kAccount = "ACCOUNT_SETTINGS";
constexpr days kExpiresSoon{30};
constexpr days kConflictWindow{31};
// A device that lost its network comes back before its old connection is given up; twins never
// stop.
constexpr std::int64_t kTakeoversOfTwins = 3;
constexpr int kDefaultAge = 365, kLeastAge = 30, kMostAge = 3652;
constexpr const char* kAgeSetting = "CERT_AGE_THRESHOLD_IN_DAYS";

// AWS IoT Device Defender, "Audit checks"; the two of our own begin with HATCHERY_.
constexpr std::array<Check, 15> kChecks{{
    {"CA_CERTIFICATE_EXPIRING_CHECK", "MEDIUM", kCa},
    {"CA_CERTIFICATE_KEY_QUALITY_CHECK", "CRITICAL", kCa},
    {"CONFLICTING_CLIENT_IDS_CHECK", "HIGH", kClient},
    {"DEVICE_CERTIFICATE_AGE_CHECK", "LOW", kDevice},
    {"DEVICE_CERTIFICATE_EXPIRING_CHECK", "MEDIUM", kDevice},
    {"DEVICE_CERTIFICATE_KEY_QUALITY_CHECK", "CRITICAL", kDevice},
    {"DEVICE_CERTIFICATE_SHARED_CHECK", "CRITICAL", kDevice},
    {"HATCHERY_UNUSED_CERTIFICATE_CHECK", "LOW", kDevice},
    {"HATCHERY_UNUSED_POLICY_CHECK", "LOW", kPolicy},
    {"INTERMEDIATE_CA_REVOKED_FOR_ACTIVE_DEVICE_CERTIFICATES_CHECK", "CRITICAL", kDevice},
    {"IOT_POLICY_OVERLY_PERMISSIVE_CHECK", "CRITICAL", kPolicy},
    {"IOT_POLICY_POTENTIAL_MISCONFIGURATION_CHECK", "MEDIUM", kPolicy},
    {"LOGGING_DISABLED_CHECK", "LOW", kAccount},
    {"REVOKED_CA_CERTIFICATE_STILL_ACTIVE_CHECK", "CRITICAL", kCa},
    {"REVOKED_DEVICE_CERTIFICATE_STILL_ACTIVE_CHECK", "MEDIUM", kDevice},
}};

/// Certificate checks look at those that can connect, or soon could elsewhere.
bool is_audited(const DeviceCertificate& certificate) {
    return certificate.status == CertificateStatus::Active ||
           certificate.status == CertificateStatus::PendingTransfer;
}

Result<registry::Page<DeviceCertificate>> list_by_age(store::Reader& reader,
                                                      const registry::PageRequest& request) {
    return registry::list_certificates(reader, request, true, std::nullopt);
}

template <class Look>
Result<> walk_certificates(const Inspection& in, Look look) {
    return walk(in, list_by_age, [&](const DeviceCertificate& certificate) -> Result<> {
        return is_audited(certificate) ? look(certificate) : Result<>();
    });
}

template <class Look>
Result<> walk_cas(const Inspection& in, Look look) {
    return walk(
        in,
        [](store::Reader& reader, const registry::PageRequest& request) {
            return registry::list_cas(reader, request, true);
        },
        [&](const registry::CaCertificate& ca) -> Result<> {
            return ca.active ? look(ca) : Result<>();
        });
}

Result<> check_expiry(const Check& check,
                      const Inspection& in,
                      std::string resource,
                      Time not_after) {
    if (not_after > in.now + kExpiresSoon) return {};
    const bool is_over = not_after < in.now;
    return report(check,
                  in,
                  {std::move(resource),
                   (is_over ? "expired on " : "expires on ") + to_iso8601(not_after),
                   is_over ? "CERTIFICATE_PAST_EXPIRATION" : "CERTIFICATE_APPROACHING_EXPIRATION",
                   {{"NOT_AFTER", to_iso8601(not_after)}}});
}

Result<> check_key(const Check& check, const Inspection& in, std::string resource, ByteView der) {
    if (auto good = ca::check_certificate_key(der, in.surroundings.weak_keys.get()); !good) {
        if (good.error().code == Code::Internal) return good;
        const std::string& why = good.error().message;
        std::string code = "CERTIFICATE_KEY_WEAK";
        for (const std::string_view known : {"CVE-2017-15361", "CVE-2008-0166"}) {
            if (why.find(known) == std::string::npos) continue;
            code = "CERTIFICATE_KEY_VULNERABILITY_" + std::string(known);
        }
        return report(check, in, {std::move(resource), why, std::move(code)});
    }
    auto good = ca::check_certificate_signature(der);
    if (good) return {};
    return report(
        check, in, {std::move(resource), good.error().message, "CERTIFICATE_SIGNATURE_WEAK"});
}

Result<> ca_expiring(const Check& check, const Inspection& in) {
    return walk_cas(in, [&](const registry::CaCertificate& ca) {
        return check_expiry(check, in, ca_identifier(ca.id), ca.not_after);
    });
}
Result<> ca_key_quality(const Check& check, const Inspection& in) {
    return walk_cas(in, [&](const registry::CaCertificate& ca) {
        return check_key(check, in, ca_identifier(ca.id), ca.der);
    });
}
Result<> device_expiring(const Check& check, const Inspection& in) {
    return walk_certificates(in, [&](const DeviceCertificate& certificate) {
        return check_expiry(check, in, device_identifier(certificate.id), certificate.not_after);
    });
}
Result<> device_key_quality(const Check& check, const Inspection& in) {
    return walk_certificates(in, [&](const DeviceCertificate& certificate) {
        return check_key(check, in, device_identifier(certificate.id), certificate.der);
    });
}

int age_threshold(const Inspection& in) {
    const auto set = in.configuration.find(kAgeSetting);
    return set == in.configuration.end() ? kDefaultAge : std::atoi(set->second.c_str());
}
Result<> device_age(const Check& check, const Inspection& in) {
    const days most(age_threshold(in));
    return walk_certificates(in, [&](const DeviceCertificate& certificate) -> Result<> {
        const auto age = std::chrono::floor<days>(in.now - certificate.not_before);
        if (age <= most) return {};
        return report(check,
                      in,
                      {device_identifier(certificate.id),
                       "is " + std::to_string(age.count()) + " days old, more than " +
                           std::to_string(most.count()),
                       "CERTIFICATE_PAST_AGE_THRESHOLD"});
    });
}

/// Conflicts of one kind that the gateway saw lately, in the order of what `by` gives.
template <class By>
Result<std::vector<ConnectConflict>> recent_conflicts(const Inspection& in,
                                                      ConnectConflict::Kind kind,
                                                      By by) {
    auto all = in.store.read([&](store::Reader& reader) {
        return registry::connect_conflicts(reader, kind, in.now - kConflictWindow);
    });
    if (!all) return all;
    std::stable_sort(
        all->begin(), all->end(), [&](const auto& a, const auto& b) { return by(a) < by(b); });
    return all;
}

Result<> device_shared(const Check& check, const Inspection& in) {
    const auto certificate = [](const ConnectConflict& one) { return one.certificate.hex(); };
    auto all = recent_conflicts(in, ConnectConflict::Kind::SharedCertificate, certificate);
    if (!all) return std::move(all).error();
    for (auto from = all->begin(); from != all->end();) {
        auto to = std::find_if(from, all->end(), [&](const auto& one) {
            return one.certificate != from->certificate;
        });
        std::vector<registry::AuditResource> clients;
        for (auto one = from; one != to; ++one) {
            clients.push_back({std::string(kClient),
                               identifier({{"clientId", one->client_id}}),
                               {{"CONNECTION_TIME", to_iso8601(one->last)}}});
        }
        auto done =
            report(check,
                   in,
                   {device_identifier(from->certificate),
                    std::to_string(clients.size()) + " client ids were connected with it at once",
                    "CERTIFICATE_SHARED_BY_MULTIPLE_DEVICES",
                    {},
                    std::move(clients)});
        if (!done) return done;
        from = to;
    }
    return in.looked_at(static_cast<std::int64_t>(all->size()));
}

Result<> conflicting_client_ids(const Check& check, const Inspection& in) {
    const auto client = [](const ConnectConflict& one) { return one.client_id; };
    auto all = recent_conflicts(in, ConnectConflict::Kind::ClientId, client);
    if (!all) return std::move(all).error();
    for (auto from = all->begin(); from != all->end();) {
        auto to = std::find_if(
            from, all->end(), [&](const auto& one) { return one.client_id != from->client_id; });
        std::int64_t count = 0;
        std::vector<registry::AuditResource> certificates;
        for (auto one = from; one != to; ++one) {
            count += one->count;
            certificates.push_back({std::string(kDevice), device_identifier(one->certificate), {}});
        }
        if (certificates.size() == 1 && count < kTakeoversOfTwins) {
            from = to;
            continue;
        }
        auto done =
            report(check,
                   in,
                   {identifier({{"clientId", from->client_id}}),
                    "was taken over by another connection " + std::to_string(count) + " times",
                    "DUPLICATE_CLIENT_ID_ACROSS_CONNECTIONS",
                    {},
                    std::move(certificates)});
        if (!done) return done;
        from = to;
    }
    return in.looked_at(static_cast<std::int64_t>(all->size()));
}

/// Revocations are few and certificates many: each is looked at the other way round.
Result<> report_revoked(const Check& check,
                        const Inspection& in,
                        std::string resource,
                        const registry::Revocation& revocation) {
    return report(check,
                  in,
                  {std::move(resource),
                   "was revoked by its issuer on " + to_iso8601(revocation.revoked),
                   "CERTIFICATE_REVOKED_BY_ISSUER",
                   {{"REVOCATION_TIME", to_iso8601(revocation.revoked)}}});
}

Result<> ca_revoked(const Check& check, const Inspection& in) {
    return walk_cas(in, [&](const registry::CaCertificate& ca) -> Result<> {
        auto revoked = in.store.read(
            [&](store::Reader& reader) { return registry::revocation_of_ca(reader, ca); });
        if (!revoked) return std::move(revoked).error();
        if (!*revoked) return {};
        return report_revoked(check, in, ca_identifier(ca.id), **revoked);
    });
}

Result<> device_revoked(const Check& check, const Inspection& in) {
    return walk(
        in,
        [](store::Reader& reader, const registry::PageRequest& request) {
            return registry::list_revoked_certificates(reader, request);
        },
        [&](const registry::RevokedCertificate& revoked) -> Result<> {
            if (revoked.status != CertificateStatus::Active &&
                revoked.status != CertificateStatus::PendingTransfer) {
                return {};
            }
            return report_revoked(check, in, device_identifier(revoked.id), revoked.revocation);
        });
}

/// Certificates that a revoked CA issued, in use all the same. Revoked CAs are few.
Result<> intermediate_revoked(const Check& check, const Inspection& in) {
    auto revoked = in.store.read(registry::revoked_authorities);
    if (!revoked) return std::move(revoked).error();
    for (const auto& [ca, revocation] : *revoked) {
        const registry::AuditResource issuer{
            "ISSUER_CERTIFICATE",
            identifier({{"issuerCertificateIdentifier",
                         {{"issuerId", ca.hex()},
                          {"issuerCertificateSerialNumber", to_hex(revocation.serial_number)}}}}),
            {}};
        const auto report_below = [&, &when = revocation.revoked](const CertificateId& id) {
            return report(check,
                          in,
                          {device_identifier(id),
                           "its CA was revoked on " + to_iso8601(when),
                           "INTERMEDIATE_CA_REVOKED_BY_ISSUER",
                           {{"REVOCATION_TIME", to_iso8601(when)}},
                           {issuer}});
        };
        auto walked = walk(
            in,
            [&, &id = ca](store::Reader& reader, const registry::PageRequest& request) {
                return registry::list_certificates(reader, request, true, id);
            },
            [&](const DeviceCertificate& certificate) -> Result<> {
                return is_audited(certificate) ? report_below(certificate.id) : Result<>();
            });
        if (!walked) return walked;
        walked = walk(
            in,
            [&, &id = ca](store::Reader& reader, const registry::PageRequest& request) {
                return registry::list_active_issued(reader, request, id);
            },
            report_below);
        if (!walked) return walked;
    }
    return {};
}

/// The log cannot be turned off; with level "error" it has nothing of what devices did.
Result<> logging_disabled(const Check& check, const Inspection& in) {
    if (!in.surroundings.logs_events) {
        auto reported =
            report(check,
                   in,
                   {identifier({{"account", in.account.id}}),
                    "[log] level leaves out what devices do: connects, refusals, registrations",
                    "LOGGING_DISABLED"});
        if (!reported) return reported;
    }
    return in.looked_at(1);
}

Result<> certificate_unused(const Check& check, const Inspection& in) {
    // A question a certificate would take five times as long as the whole page in one.
    return walk_pages(in, list_by_age, [&](const auto& certificates) -> Result<> {
        auto idle = in.store.read([&](store::Reader& reader) {
            return registry::idle_certificates(
                reader, certificates.front().key, certificates.back().key);
        });
        if (!idle) return std::move(idle).error();
        for (const auto& id : *idle) {
            auto reported = report(check,
                                   in,
                                   {device_identifier(id),
                                    "is attached to no thing and has no policy",
                                    "CERTIFICATE_WITHOUT_THING_OR_POLICY"});
            if (!reported) return reported;
        }
        return {};
    });
}

using Inspect = Result<> (*)(const Check&, const Inspection&);
constexpr std::array<Inspect, kChecks.size()> kInspections{ca_expiring,
                                                           ca_key_quality,
                                                           conflicting_client_ids,
                                                           device_age,
                                                           device_expiring,
                                                           device_key_quality,
                                                           device_shared,
                                                           certificate_unused,
                                                           policy_unused,
                                                           intermediate_revoked,
                                                           policy_permissive,
                                                           policy_misconfigured,
                                                           logging_disabled,
                                                           ca_revoked,
                                                           device_revoked};

}  // namespace

std::span<const Check> all_checks() {
    return kChecks;
}

const Check* find_check(std::string_view name) {
    const auto found = std::find_if(
        kChecks.begin(), kChecks.end(), [&](const Check& check) { return check.name == name; });
    return found == kChecks.end() ? nullptr : &*found;
}

Result<> check_names(const std::vector<std::string>& names) {
    for (const auto& name : names) {
        if (find_check(name) != nullptr) continue;
        return fail(Code::InvalidRequest,
                    "expected the name of an audit check, found '" + name + "'",
                    "targetCheckNames");
    }
    if (names.empty()) {
        return fail(Code::InvalidRequest,
                    "expected at least one audit check, found none",
                    "targetCheckNames");
    }
    return {};
}

Result<> check_setting(std::string_view check,
                       const std::map<std::string, std::string>& configuration) {
    for (const auto& [name, value] : configuration) {
        if (check != "DEVICE_CERTIFICATE_AGE_CHECK" || name != kAgeSetting) {
            return fail(Code::InvalidRequest,
                        std::string(check) + " has no setting '" + name + "'",
                        "auditCheckConfigurations");
        }
        int age = 0;
        const auto read = std::from_chars(value.data(), value.data() + value.size(), age);
        if (read.ec != std::errc() || read.ptr != value.data() + value.size() || age < kLeastAge ||
            age > kMostAge) {
            return fail(Code::InvalidRequest,
                        "expected 30 to 3652 days, found '" + value + "'",
                        "auditCheckConfigurations");
        }
    }
    return {};
}

Result<> inspect(const Check& check, const Inspection& inspection) {
    const auto index = static_cast<std::size_t>(&check - kChecks.data());
    return kInspections.at(index)(check, inspection);
}

}  // namespace hatchery::audit
