// Certificates as the other functions of this box need them: keys and statuses. This box's own.
#pragma once

#include "provisioning/registry/certificates.h"
#include "provisioning/registry/rows.h"

namespace hatchery::registry {

struct CertificateRow {
    CertificateId id;
    std::int64_t key = 0;
    CertificateStatus status = CertificateStatus::Inactive;
};
inline CertificateRow row_of(const DeviceCertificate& certificate) {
    return {certificate.id, certificate.key, certificate.status};
}
/// @errors NotFound
Result<CertificateRow> find_certificate_row(store::Reader& reader, const CertificateId& id);

/// Says that sessions with this certificate must look again, unless there can be none: connected
/// devices have certificates that were ACTIVE before this write. So a fleet being provisioned does
/// not make every connected device's session read its identity again.
void touch_sessions_of(store::Tx& tx, const CertificateRow& certificate);

/// Writes the status alone: whether it may change, who must look again and what the ledger says is
/// the caller's.
Result<> write_status(store::Tx& tx, std::int64_t key, CertificateStatus status, Time now);

/// The key of a CA's id, registered or not.
Result<std::int64_t> authority_key(store::Tx& tx, const CertificateId& id);

}  // namespace hatchery::registry
