// Device certificates, registered CA certificates, the registration code, ownership tokens and the
// issuing ledger.
#pragma once

#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "ca/issuer.h"
#include "provisioning/registry/account.h"
#include "provisioning/registry/page.h"
#include "provisioning/store/store.h"

namespace hatchery::registry {

enum class CertificateStatus {
    Active,
    Inactive,
    Revoked,
    PendingTransfer,
    RegisterInactive,
    PendingActivation
};
std::string_view to_string(CertificateStatus status);  ///< AWS's spelling, "PENDING_ACTIVATION"
/// Without regard to case. @errors InvalidRequest
Result<CertificateStatus> parse_certificate_status(std::string_view text);

enum class CertificateMode { Default, SniOnly };
std::string_view to_string(CertificateMode mode);  ///< "DEFAULT", "SNI_ONLY"

struct DeviceCertificate {
    CertificateId id;
    Bytes der;
    CertificateStatus status = CertificateStatus::Inactive;
    std::optional<CertificateId>
        ca_id;  ///< the registered CA, or nothing for our own issuing CA and CA-less ones
    CertificateMode mode = CertificateMode::Default;
    Time created, modified;
    Time not_before, not_after;
    std::int64_t customer_version = 1;
    std::string generation_id;
};
/// Stores a new certificate. @errors AlreadyExists  (`resource` = ARN)
Result<DeviceCertificate> add_certificate(store::Tx&,
                                          const Account&,
                                          const ca::Certificate&,
                                          CertificateStatus,
                                          std::optional<CertificateId> ca_id,
                                          CertificateMode,
                                          Time now);
Result<DeviceCertificate> find_certificate(store::Reader&, const CertificateId&);
/// Order: by creation, ascending or descending, as AWS lists them; `ca` registered or not.
Result<Page<DeviceCertificate>> list_certificates(store::Reader&,
                                                  const PageRequest&,
                                                  bool ascending,
                                                  std::optional<CertificateId> by_ca);
/// Idempotent. @errors CertificateState  REVOKED is final; InvalidRequest  a target status that
/// cannot be set
Result<> set_certificate_status(store::Tx&, const CertificateId&, CertificateStatus, Time now);
/// @errors CertificateState  ACTIVE; DeleteConflict  attached to a thing, or to a policy unless
/// `force` detaches it
Result<> delete_certificate(store::Tx&, const CertificateId&, bool force);

struct RegistrationConfig {
    std::optional<std::string> template_name;
    std::optional<std::string> template_body;
    std::optional<std::string> role_arn;
};
struct CaCertificate {
    CertificateId id;
    Bytes der;
    Bytes subject_der;
    bool active = false;
    bool auto_registration = false;
    CertificateMode mode = CertificateMode::Default;
    std::optional<RegistrationConfig> registration;
    Time created, modified, not_before, not_after;
    std::int64_t customer_version = 1;
    std::string generation_id;
};
/// @errors AlreadyExists; LimitExceeded  an 11th CA with the same subject
Result<CaCertificate> add_ca(
    store::Tx&, const Account&, const ca::Certificate&, const CaCertificate& settings, Time now);
Result<CaCertificate> find_ca(store::Reader&, const CertificateId&);
/// Every registered CA whose subject is exactly `subject_der`, any status.
Result<std::vector<CaCertificate>> find_cas_by_subject(store::Reader&, ByteView subject_der);
Result<Page<CaCertificate>> list_cas(store::Reader&, const PageRequest&, bool ascending);
struct CaUpdate {
    std::optional<bool> active, auto_registration;
    std::optional<RegistrationConfig> registration;
    bool remove_registration = false;
};
Result<> update_ca(store::Tx&, const CertificateId&, const CaUpdate&, Time now);
/// @errors CertificateState  ACTIVE
Result<> delete_ca(store::Tx&, const CertificateId&);

/// 64 hexadecimal characters, stable until deleted; made on first demand.
Result<std::string> registration_code(store::Tx&);
Result<> delete_registration_code(store::Tx&);

/// Ownership tokens of fleet provisioning: only the SHA-256 of a token is kept.
struct OwnershipToken {
    CertificateId certificate;        ///< the new certificate
    CertificateId claim_certificate;  ///< who asked for it
    Time expires;
};
Result<> add_ownership_token(store::Tx&, ByteView token_sha256, const OwnershipToken&);
/// @errors NotFound  unknown, used or expired at `now`
Result<OwnershipToken> find_ownership_token(store::Reader&, ByteView token_sha256, Time now);
/// Removes it, once. @errors NotFound  already spent
Result<> spend_ownership_token(store::Tx&, ByteView token_sha256);
/// Deletes expired tokens, a thousand at most a call, and their certificates that are still
/// PENDING_ACTIVATION and attached to nothing; the number of tokens.
Result<std::int64_t> delete_expired_tokens(store::Tx&, Time now);

/// The issuing ledger: hash-chained rows of what was about to be signed, and what was signed.
/// Thread-safe.
class StoreLedger : public ca::Ledger {
  public:
    explicit StoreLedger(store::Store& store) : store_(store) {}
    Result<> complete(const ca::Certificate& certificate, Time now) override;
    /// The same inside a write of the caller, so that it commits with the certificate's
    /// registration. Idempotent.
    /// @errors NotFound  its serial number is not in the ledger; Conflict  the ledger recorded
    /// other bytes to be signed under it, or it was signed already
    static Result<> complete_in(store::Tx&, const ca::Certificate& certificate, Time now);

  protected:
    Result<> append(const ca::Prepared& prepared, std::string_view requester, Time now) override;

  private:
    store::Store& store_;
};
struct LedgerRow {
    std::int64_t sequence = 0;
    Bytes serial_number, tbs, previous_hash, hash;
    std::string profile, requester;
    Time recorded;
    std::optional<CertificateId> certificate;  ///< once signed and stored
    Bytes certificate_der;                     ///< empty until then
    CertificateId issuer;
    std::string device_serial;  ///< subject serialNumber, or empty
};
/// Rows after `after_sequence`, oldest first.
Result<std::vector<LedgerRow>> ledger_rows(store::Reader&, std::int64_t after_sequence, int limit);
/// Recomputes the chain and the ids of what was signed; the number of rows.
/// @errors Conflict  names the first row that is wrong
Result<std::int64_t> verify_ledger(store::Reader&);

}  // namespace hatchery::registry
