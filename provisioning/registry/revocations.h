// What is revoked, what may never be certified again, and the published lists. A revocation is a
// row here (for CRLs and OCSP), a row of the ledger (for good), and the REVOKED status of the
// registered certificate (for the gateway), in one commit.
#pragma once

#include "ca/crl.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/ledger.h"

namespace hatchery::registry {

struct Revocation {
    CertificateId issuer;
    Bytes serial_number;
    ca::RevocationReason reason = ca::RevocationReason::Unspecified;
    Time revoked;
};

/// Revokes what the ledger says was (or may have been) signed. A certificate on hold can be revoked
/// for good; keyCompromise blocks its key; the registered certificate becomes REVOKED (INACTIVE for
/// a hold), unregistered ones are registered so, so that no first connect takes them in.
/// @errors NotFound  never issued here; Conflict  revoked already
Result<> revoke(store::Tx&,
                const CertificateId& issuer,
                ByteView serial_number,
                ca::RevocationReason reason,
                std::string_view requester,
                Time now);
/// Ends a hold; the registered certificate gets the status back that it had.
/// @errors NotFound  not revoked; Conflict  revoked for another reason than certificateHold
Result<> release(store::Tx&,
                 const CertificateId& issuer,
                 ByteView serial_number,
                 std::string_view requester,
                 Time now);
/// Where a registered certificate stands in the ledger; nothing: it was not issued here.
struct IssuedSerial {
    CertificateId issuer;
    Bytes serial_number;
};
Result<std::optional<IssuedSerial>> find_serial(store::Reader&, const CertificateId& certificate);
/// revoke, or nothing if it is revoked already.
Result<> revoke_once(store::Tx&,
                     const IssuedSerial& serial,
                     ca::RevocationReason reason,
                     std::string_view requester,
                     Time now);
/// Brings the ledger and the lists up to a registered certificate that was just made REVOKED by
/// other means; nothing if it was not issued here.
Result<> note_revoked(store::Tx&,
                      const CertificateId& certificate,
                      std::string_view requester,
                      Time now);
Result<std::optional<Revocation>> find_revocation(store::Reader&,
                                                  const CertificateId& issuer,
                                                  ByteView serial_number);
/// Of one shard, or of all; by time of entry.
Result<std::vector<Revocation>> revocations_of(store::Reader&,
                                               const CertificateId& issuer,
                                               std::optional<unsigned> shard);

/// The revocation of a CA certificate by a CA of ours that issued it, if there is one.
Result<std::optional<Revocation>> revocation_of_ca(store::Reader&, const CaCertificate&);
/// A CA that a CA of ours has issued and revoked.
struct RevokedAuthority {
    CertificateId id;
    Revocation revocation;
};
Result<std::vector<RevokedAuthority>> revoked_authorities(store::Reader&);
/// Certificates that the CA issued by our ledger and that are ACTIVE or PENDING_TRANSFER, by time
/// of issue; without those that the registry has as the CA's (list_certificates).
Result<Page<CertificateId>> list_active_issued(store::Reader&,
                                               const PageRequest&,
                                               const CertificateId& authority);

/// A registered certificate that is revoked, whatever its status says.
struct RevokedCertificate {
    CertificateId id;
    CertificateStatus status = CertificateStatus::Revoked;
    Revocation revocation;
};
/// By time of entry.
Result<Page<RevokedCertificate>> list_revoked_certificates(store::Reader&, const PageRequest&);

/// `public_key_der` will not be certified again. Idempotent.
Result<> block_key(store::Tx&,
                   ByteView public_key_der,
                   std::string_view why,
                   std::string_view requester,
                   Time now);
Result<bool> is_key_blocked(store::Reader&, ByteView public_key_der);

struct StoredCrl {
    std::int64_t number = 0;
    Time this_update, next_update;
    bool is_stale = false;  ///< something was revoked or released since; store_crl finds out
    Bytes der;
    std::int64_t as_of = 0;  ///< for store_crl: the ledger's head when its content was read
};
/// @param shard  nothing: the list of all shards
Result<std::optional<StoredCrl>> find_crl(store::Reader&,
                                          const CertificateId& issuer,
                                          std::optional<unsigned> shard);
/// The same without its bytes (`der` is empty).
Result<std::optional<StoredCrl>> find_crl_dates(store::Reader&,
                                                const CertificateId& issuer,
                                                std::optional<unsigned> shard);
/// The number for the next list: above the last one, and not below the milliseconds of the clock,
/// so that it is above every earlier one even when an old backup is restored.
Result<std::int64_t> next_crl_number(store::Reader&,
                                     const CertificateId& issuer,
                                     std::optional<unsigned> shard,
                                     std::chrono::sys_time<std::chrono::milliseconds> now);
/// @errors Conflict  its number is not above the stored one
Result<> store_crl(store::Tx&,
                   const CertificateId& issuer,
                   std::optional<unsigned> shard,
                   const StoredCrl& crl);

/// Remembers a URL pattern that certificates of `issuer` name. Idempotent.
Result<> add_crl_url(store::Tx&, const CertificateId& issuer, std::string_view pattern);
Result<std::vector<std::string>> crl_urls(store::Reader&, const CertificateId& issuer);

/// A renewed certificate waits for its first connect, when the one before it retires.
struct Renewal {
    CertificateId certificate;  ///< the new one
    CertificateId replaced;
    Time made;
};
/// Earlier renewals of `replaced` that never connected are revoked (superseded): the device has
/// lost them.
Result<> add_renewal(store::Tx&, const Renewal&, std::string_view requester, Time now);
/// Did `certificate` come from a renewal whose predecessor still lives? @errors NotFound
Result<Renewal> find_renewal(store::Reader&, const CertificateId& certificate);
/// The latest renewal of `certificate`, while it waits for its first connect.
Result<std::optional<Renewal>> last_renewal_of(store::Reader&, const CertificateId& certificate);
/// Revokes what `certificate` has replaced (superseded), once, and takes it off its things.
Result<> retire_replaced(store::Tx&, const CertificateId& certificate, Time now);

}  // namespace hatchery::registry
