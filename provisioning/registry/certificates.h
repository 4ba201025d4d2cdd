// Device certificates, registered CA certificates, the registration code and ownership tokens.
#pragma once

#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "ca/issuer.h"
#include "provisioning/registry/account.h"
#include "provisioning/registry/ledger.h"
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
    std::int64_t key = 0;
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
/// Of those with keys [first, last] that are ACTIVE or PENDING_TRANSFER: the ones with neither a
/// thing nor a policy.
Result<std::vector<CertificateId>> idle_certificates(store::Reader&,
                                                     std::int64_t first,
                                                     std::int64_t last);
/// Order: by creation, ascending or descending, as AWS lists them; `ca` registered or not.
Result<Page<DeviceCertificate>> list_certificates(store::Reader&,
                                                  const PageRequest&,
                                                  bool ascending,
                                                  std::optional<CertificateId> by_ca);
/// Idempotent. @errors CertificateState  REVOKED is final; InvalidRequest  a target status that
/// cannot be set
Result<> set_certificate_status(store::Tx&, const CertificateId&, CertificateStatus, Time now);
/// The same for a certificate that this write read or made; keeps it as its row is.
Result<> set_certificate_status(store::Tx&, DeviceCertificate&, CertificateStatus, Time now);
/// @errors CertificateState  ACTIVE; DeleteConflict  attached to a thing, or to a policy unless
/// `force` detaches it
Result<> delete_certificate(store::Tx&, const CertificateId&, bool force);

/// A certificate's way to another account, going on or over.
struct Transfer {
    std::string account;  ///< the recipient's
    std::optional<std::string> message, reject_reason;
    Time transferred;
    std::optional<Time> accepted, rejected;
};
struct OutgoingCertificate {
    CertificateId id;
    Time created;
    Transfer transfer;
};
/// Makes it PENDING_TRANSFER. @errors NotFound; CertificateState  not INACTIVE; Conflict  policies
/// or things are attached
Result<> transfer_certificate(store::Tx&,
                              const CertificateId&,
                              std::string_view target_account,
                              std::optional<std::string> message,
                              Time now);
/// Each: @errors NotFound  the certificate, or a transfer to `account`; Conflict  it is not
/// PENDING_TRANSFER
Result<> accept_transfer(store::Tx&, const Account&, const CertificateId&, bool active, Time now);
Result<> reject_transfer(
    store::Tx&, const Account&, const CertificateId&, std::optional<std::string> reason, Time now);
/// The sender takes it back: INACTIVE again, as if nothing had been.
Result<> cancel_transfer(store::Tx&, const CertificateId&, Time now);
/// The last transfer of a certificate, if there was one.
Result<std::optional<Transfer>> find_transfer(store::Reader&, const CertificateId&);
/// Certificates that are PENDING_TRANSFER, by creation.
Result<Page<OutgoingCertificate>> list_outgoing(store::Reader&, const PageRequest&, bool ascending);

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

/// A trusted user's claim certificate: for one template, for a few minutes. It is no certificate of
/// the account (no list shows it, nothing can be attached to it).
struct ProvisioningClaim {
    std::string template_name;
    Time expires;
};
/// @errors NotFound  the template
Result<> add_provisioning_claim(store::Tx&, const CertificateId&, const ProvisioningClaim&);
/// @errors NotFound  unknown, or expired at `now`
Result<ProvisioningClaim> find_provisioning_claim(store::Reader&, const CertificateId&, Time now);
/// Deletes those that expired before `now`; how many.
Result<std::int64_t> delete_expired_claims(store::Tx&, Time now);

}  // namespace hatchery::registry
