// The ledger: one hash chain of everything that may have been signed, was refused, or was revoked.
// Append-only. Rows of certificates live in `issued`, others in `ledger_events`; both take their
// number and the hash before them from `ledger_head`.
#pragma once

#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "ca/issuer.h"
#include "provisioning/store/store.h"

#include <optional>
#include <string>
#include <vector>

namespace hatchery::registry {

/// What a renewal takes the place of: lets one device have a second certificate.
struct Renews {
    CertificateId certificate;
};

/// A second certificate for one key, profile and requester: allowed, or refused while the first is
/// signed and not revoked, so that the requester is given that one again.
enum class Repeats { Allow, Refuse };
/// Is it that refusal? find_issued_for_key has the earlier row then.
bool is_repeat(const Error& error);

/// What one issue is allowed beyond the first certificate of a device or key, and how long each of
/// its commits may wait for others'.
struct IssueTerms {
    std::optional<Renews> renews{};
    Repeats repeats = Repeats::Allow;
    store::Store::Patience patience{};
};

/// The ledger of one store. Thread-safe.
class StoreLedger : public ca::Ledger {
  public:
    explicit StoreLedger(store::Store& store, IssueTerms terms = {})
        : store_(store), terms_(terms) {}
    const IssueTerms& terms() const { return terms_; }
    Result<> complete(const ca::Certificate& certificate, Time now) override;
    /// The same inside a write of the caller, so that it commits with the certificate's
    /// registration. Idempotent.
    /// @errors NotFound  its serial number is not in the ledger; Conflict  the ledger recorded
    /// other bytes to be signed under it, or it was signed already, or given up meanwhile
    static Result<> complete_in(store::Tx&, const ca::Certificate& certificate, Time now);
    /// Says that what was recorded will not be signed: the serial number is revoked, and does not
    /// count in its station's quota any more. @errors NotFound  it is not in the ledger
    Result<> give_up(const CertificateId& issuer,
                     ByteView serial_number,
                     std::string_view requester,
                     Time now);

  protected:
    /// Beside the chain it checks, in the same commit, what must hold over all certificates:
    /// @errors Conflict  where CSR.subject.serialNumber: the device has a certificate of this
    /// profile (one_per_device); where CSR.key: another device's serial number has this key
    /// @errors Forbidden  where CSR.key: the key is blocked; station.*: see check_station
    /// @errors LimitExceeded  where station.quota; AlreadyExists  is_repeat
    Result<> append(const ca::Prepared& prepared, std::string_view requester, Time now) override;
    std::vector<Result<>> append_all(const std::vector<Entry>& entries, Time now) override;

  private:
    store::Store& store_;
    IssueTerms terms_;
};

/// A fixed word for machines beside an error of issuing: "DeviceHasCertificate", "KeyInUse",
/// "KeyBlocked", "QuotaExhausted", "OutsideTimeWindow", "SerialNumberNotAllowed", "StationStopped";
/// otherwise the code's own spelling.
std::string_view refusal_word(const Error& error);

enum class LedgerKind {
    Issued,      ///< a certificate that may have been signed
    Refused,     ///< `detail` = the refusal
    Revoked,     ///< `detail` = RFC 5280's reason
    Held,        ///< certificateHold
    Released,    ///< the hold is over
    GivenUp,     ///< recorded but never completed: revoked, so that its device can have another
    KeyBlocked,  ///< `detail` = why
};
std::string_view to_string(LedgerKind kind);  ///< "issued", "refused", …
/// @errors InvalidRequest
Result<LedgerKind> parse_ledger_kind(std::string_view text);

struct LedgerRow {
    std::int64_t sequence = 0;
    Bytes serial_number, tbs, previous_hash, hash;
    std::string profile, requester;
    Time recorded;
    std::optional<CertificateId> certificate;  ///< once signed and stored
    Bytes certificate_der;                     ///< empty until then
    CertificateId issuer;
    std::string device_serial;  ///< subject serialNumber, or empty
    LedgerKind kind = LedgerKind::Issued;
    std::string detail;  ///< of any other kind than Issued
};
/// Rows after `after_sequence`, oldest first; `limit` at most 1,000.
Result<std::vector<LedgerRow>> ledger_rows(store::Reader&, std::int64_t after_sequence, int limit);
/// Recomputes the chain and the ids of what was signed; the number of rows.
/// @errors Conflict  names the first row that is wrong
Result<std::int64_t> verify_ledger(store::Reader&);

struct LedgerHead {
    std::int64_t sequence = 0;
    Bytes hash;  ///< 32 bytes
};
Result<LedgerHead> ledger_head(store::Reader&);
/// The row's hash. @errors NotFound
Result<Bytes> ledger_hash(store::Reader&, std::int64_t sequence);

/// A row that is no certificate.
struct LedgerEvent {
    LedgerKind kind = LedgerKind::Refused;
    CertificateId issuer;
    Bytes serial_number;
    std::string detail, profile, requester, device_serial;
};
Result<> append_event(store::Tx&, const LedgerEvent&, Time now);

/// The row of a certificate. @errors NotFound
Result<LedgerRow> find_issued(store::Reader&, const CertificateId& issuer, ByteView serial_number);
/// Rows by a certificate id, a serial number (hexadecimal) or a device's serial number, oldest
/// first; `limit` at most 1,000.
Result<std::vector<LedgerRow>> search_ledger(store::Reader&, std::string_view what, int limit);
/// The last certificate that was issued and stored for this key, profile and requester and is not
/// revoked: what a repeated request is answered with. @errors NotFound
Result<LedgerRow> find_issued_for_key(store::Reader&,
                                      ByteView public_key_der,
                                      std::string_view profile,
                                      std::string_view requester);

/// Writes a row of another copy of this ledger as it is, hash included, if it continues the chain;
/// and what follows from it (revocations, keys).
/// @errors Conflict  the row does not follow this ledger's head, or its content was changed
Result<> replay_row(store::Tx&, const LedgerRow& row);

}  // namespace hatchery::registry
