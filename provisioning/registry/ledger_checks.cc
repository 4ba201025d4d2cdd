// What must hold over all certificates of a CA before one more is recorded: over-production and
// cloning are refused here, in the commit that records, so that no two requests can both pass.
#include "ca/digest.h"
#include "provisioning/registry/certificate_rows.h"
#include "provisioning/registry/ledger_rows.h"
#include "provisioning/registry/revocations.h"

namespace hatchery::registry {

namespace {

constexpr std::string_view kSerialField = "CSR.subject.serialNumber";
constexpr std::string_view kKeyField = "CSR.key";
constexpr std::string_view kQuotaField = "station.quota";
constexpr std::string_view kWindowField = "station.window";
constexpr std::string_view kSerialsField = "station.serial_numbers";
constexpr std::string_view kEnabledField = "station.enabled";
constexpr std::string_view kStationPrefix = "station:";

Error refused_field(Code code, std::string message, std::string_view field) {
    return fail(code, std::move(message), std::string(field));
}

struct EarlierRow {
    CertificateId issuer;
    Bytes serial_number;
    bool is_signed = false;
    std::optional<CertificateId> certificate;
};

Result<std::vector<EarlierRow>> rows_of_device(store::Reader& reader,
                                               std::string_view device_serial,
                                               std::string_view profile) {
    return read_all(
        reader.query("SELECT a.id, i.serial_number, s.certificate FROM issued i "
                     "JOIN authorities a ON a.key = i.issuer "
                     "LEFT JOIN signed s ON s.sequence = i.sequence "
                     "WHERE i.device_serial = ? AND i.profile = ?",
                     device_serial,
                     profile),
        [](const store::Statement& row) {
            EarlierRow earlier{id_of(row, 0), to_bytes(row.blob(1)), !row.is_null(2), {}};
            if (earlier.is_signed) earlier.certificate = id_of(row, 2);
            return earlier;
        });
}

/// Does a certificate that was made for this device still count? One that is revoked for good does
/// not, nor the one that is being renewed, nor one that waits to be retired by that one. One that
/// was recorded but never completed (a crash between) is given up, so that it blocks nobody; should
/// its signature exist, it is on the CRL.
Result<bool> still_counts(store::Tx& tx,
                          const EarlierRow& earlier,
                          const std::optional<Renews>& renews,
                          std::string_view requester,
                          Time now) {
    auto revoked = find_revocation(tx, earlier.issuer, earlier.serial_number);
    if (!revoked) return std::move(revoked).error();
    if (*revoked && (*revoked)->reason != ca::RevocationReason::CertificateHold) return false;
    if (!earlier.is_signed) {
        auto given_up = give_up(tx, earlier.issuer, earlier.serial_number, requester, now);
        if (!given_up) return std::move(given_up).error();
        return false;
    }
    if (!renews || !earlier.certificate) return true;
    if (*earlier.certificate == renews->certificate) return false;
    return !has_row(tx.query("SELECT 1 FROM renewals WHERE certificate = ? AND replaced = ?",
                             earlier.certificate->view(),
                             renews->certificate.view()))
                .value_or(false);
}

/// One certificate for a device's serial number and profile.
Result<> check_device(store::Tx& tx,
                      const ca::Prepared& prepared,
                      const std::optional<Renews>& renews,
                      std::string_view requester,
                      Time now) {
    if (!prepared.one_per_device()) return {};
    if (prepared.device_serial().empty()) {
        return refused_field(
            Code::InvalidRequest,
            "profile " + prepared.profile() +
                " gives a device one certificate: expected a serialNumber in the subject",
            kSerialField);
    }
    auto earlier = rows_of_device(tx, prepared.device_serial(), prepared.profile());
    if (!earlier) return std::move(earlier).error();
    for (const auto& row : *earlier) {
        auto counts = still_counts(tx, row, renews, requester, now);
        if (!counts) return std::move(counts).error();
        if (*counts) {
            return refused_field(Code::Conflict,
                                 "device " + prepared.device_serial() +
                                     " already has a certificate of profile " + prepared.profile(),
                                 kSerialField);
        }
    }
    return {};
}

/// A key belongs to one device: the same key under two serial numbers is a clone, or a bad random
/// number generator. And to one certificate, if its requester does not want another.
Result<> check_key(store::Reader& reader,
                   const ca::Prepared& prepared,
                   Repeats repeats,
                   std::string_view requester) {
    auto row = reader.query(
        "SELECT EXISTS(SELECT 1 FROM blocked_keys WHERE public_key = ?1), i.device_serial, "
        "i.profile = ?2 AND i.requester = ?3 AND "
        "EXISTS(SELECT 1 FROM signed s WHERE s.sequence = i.sequence) AND NOT EXISTS(SELECT 1 FROM "
        "revocations r WHERE r.serial_number = i.serial_number AND r.issuer = i.issuer) "
        "FROM (SELECT 1) LEFT JOIN issued_keys k ON k.public_key = ?1 "
        "LEFT JOIN issued i ON i.sequence = k.sequence",
        key_mark(prepared.public_key_der()),
        prepared.profile(),
        requester);
    if (auto there = row.step(); !there) return std::move(there).error();
    if (row.integer(0) != 0) {
        return refused_field(
            Code::Forbidden, "the key is blocked or was revoked for compromise", kKeyField);
    }
    if (row.is_null(1)) return {};
    if (repeats == Repeats::Refuse && row.integer(2) != 0) {
        return refused_field(
            Code::AlreadyExists, "the requester has a certificate for this key", kKeyField);
    }
    const std::string_view owner = row.text(1), device = prepared.device_serial();
    if (device.empty() || owner.empty() || owner == device) return {};
    return refused_field(
        Code::Conflict,
        "expected a key of the device's own, found the key of device " + std::string(owner),
        kKeyField);
}

/// One entry of a station's list: a serial number, a beginning ("SN-26*"), or a range of one length
/// ("0001..0999").
bool allows_serial(std::string_view entry, std::string_view serial) {
    if (entry.ends_with('*')) return serial.starts_with(entry.substr(0, entry.size() - 1));
    const auto dots = entry.find("..");
    if (dots == std::string_view::npos) return entry == serial;
    const auto first = entry.substr(0, dots);
    const auto last = entry.substr(dots + 2);
    return serial.size() == first.size() && serial.size() == last.size() && first <= serial &&
           serial <= last;
}

Result<> check_station_rules(const store::Statement& row,
                             std::string_view name,
                             std::string_view serial,
                             Time now) {
    const std::string who = "station '" + std::string(name) + "' ";
    if (row.integer(0) == 0) {
        return refused_field(Code::Forbidden, who + "is stopped", kEnabledField);
    }
    const bool too_early = !row.is_null(5) && seconds(now) < row.integer(5);
    const bool too_late = !row.is_null(6) && seconds(now) >= row.integer(6);
    if (too_early || too_late) {
        return refused_field(Code::Forbidden,
                             who + "may sign " +
                                 (too_early ? "from " + to_iso8601(time_of(row, 5)) + " on"
                                            : "until " + to_iso8601(time_of(row, 6))),
                             kWindowField);
    }
    const auto allowed = list_of(row.text(7));
    const bool is_allowed =
        allowed.empty() || std::ranges::any_of(allowed, [&](const std::string& entry) {
            return allows_serial(entry, serial);
        });
    if (is_allowed) return {};
    return refused_field(Code::Forbidden,
                         who + "may not sign for serial number \"" + std::string(serial) + "\"",
                         kSerialsField);
}

/// A station's count, time window and serial numbers. A certificate counts when it is recorded.
Result<> check_station(store::Tx& tx,
                       std::string_view name,
                       std::string_view device_serial,
                       Time now) {
    auto row = tx.query(
        "SELECT enabled, quota, period, period_start, used, not_before, not_after, serial_numbers "
        "FROM stations WHERE name = ?",
        name);
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return {};  // the front knows its stations; nothing is kept of this one
    if (auto rules = check_station_rules(row, name, device_serial, now); !rules) return rules;
    const std::int64_t period = row.integer(2);
    const bool begins_anew = period > 0 && seconds(now) >= row.integer(3) + period;
    const std::int64_t used = begins_anew ? 0 : row.integer(4);
    const std::int64_t start = begins_anew ? seconds(now) : row.integer(3);
    if (!row.is_null(1) && used >= row.integer(1)) {
        const std::string until =
            period > 0 ? " until " + to_iso8601(Time(std::chrono::seconds(start + period))) : "";
        return refused_field(Code::LimitExceeded,
                             "station '" + std::string(name) + "' has used its quota of " +
                                 std::to_string(row.integer(1)) + " certificates" + until,
                             kQuotaField);
    }
    return tx.run(
        "UPDATE stations SET used = ?, period_start = ? WHERE name = ?", used + 1, start, name);
}

}  // namespace

Bytes key_mark(ByteView public_key_der) {
    const auto digest = ca::sha256(public_key_der);
    return {digest.begin(), digest.begin() + 16};
}

Result<> note_issued_key(store::Tx& tx,
                         ByteView public_key_der,
                         std::string_view device_serial,
                         std::int64_t sequence) {
    // A row that names a device is not replaced by one that names none.
    return tx.run(
        "INSERT INTO issued_keys(public_key, sequence) VALUES(?1, ?2) "
        "ON CONFLICT(public_key) DO UPDATE SET sequence = ?2 WHERE ?3 <> '' OR "
        "(SELECT device_serial FROM issued WHERE sequence = issued_keys.sequence) = ''",
        key_mark(public_key_der),
        sequence,
        device_serial);
}

Result<> uncount_station(store::Tx& tx, const LedgerRow& row) {
    if (!row.requester.starts_with(kStationPrefix)) return {};
    // A count that began anew since does not have this row.
    return tx.run(
        "UPDATE stations SET used = used - 1 WHERE name = ? AND used > 0 AND period_start <= ?",
        std::string_view(row.requester).substr(kStationPrefix.size()),
        seconds(row.recorded));
}

Result<> check_issue(store::Tx& tx,
                     const ca::Prepared& prepared,
                     const IssueTerms& terms,
                     std::string_view requester,
                     Time now) {
    if (auto key = check_key(tx, prepared, terms.repeats, requester); !key) return key;
    if (auto device = check_device(tx, prepared, terms.renews, requester, now); !device) {
        return device;
    }
    if (!requester.starts_with(kStationPrefix)) return {};
    return check_station(
        tx, requester.substr(kStationPrefix.size()), prepared.device_serial(), now);
}

bool is_repeat(const Error& error) {
    return error.code == Code::AlreadyExists && error.where == kKeyField;
}

std::string_view refusal_word(const Error& error) {
    const std::string_view where = error.where;
    if (error.code == Code::Conflict && where == kSerialField) return "DeviceHasCertificate";
    if (error.code == Code::Conflict && where == kKeyField) return "KeyInUse";
    if (error.code == Code::Forbidden && where == kKeyField) return "KeyBlocked";
    if (where == kQuotaField) return "QuotaExhausted";
    if (where == kWindowField) return "OutsideTimeWindow";
    if (where == kSerialsField) return "SerialNumberNotAllowed";
    if (where == kEnabledField) return "StationStopped";
    return to_string(error.code);
}

}  // namespace hatchery::registry
