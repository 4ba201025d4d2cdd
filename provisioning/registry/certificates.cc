#include "provisioning/registry/certificates.h"

#include "provisioning/registry/certificate_rows.h"
#include "provisioning/registry/escrow.h"
#include "provisioning/registry/revocations.h"

#include <strings.h>

#include <array>

namespace hatchery::registry {

namespace {

constexpr std::string_view kCertificate = "certificate";

constexpr std::string_view kCertificates =
    "SELECT c.key, c.id, c.der, c.status, a.id, c.mode, c.created, c.modified, c.not_before, "
    "c.not_after, c.customer_version, c.generation_id "
    "FROM certificates c LEFT JOIN authorities a ON a.key = c.ca ";

DeviceCertificate make_certificate(const store::Statement& row) {
    DeviceCertificate certificate;
    certificate.key = row.integer(0);
    certificate.id = id_of(row, 1);
    certificate.der = to_bytes(row.blob(2));
    certificate.status = static_cast<CertificateStatus>(row.integer(3));
    if (!row.is_null(4)) certificate.ca_id = id_of(row, 4);
    certificate.mode = static_cast<CertificateMode>(row.integer(5));
    certificate.created = time_of(row, 6);
    certificate.modified = time_of(row, 7);
    certificate.not_before = time_of(row, 8);
    certificate.not_after = time_of(row, 9);
    certificate.customer_version = row.integer(10);
    certificate.generation_id = uuid_text(row.blob(11));
    return certificate;
}

constexpr std::array<std::string_view, 6> kStatusNames{
    "ACTIVE", "INACTIVE", "REVOKED", "PENDING_TRANSFER", "REGISTER_INACTIVE", "PENDING_ACTIVATION"};

Error refused_state(const CertificateId& id, CertificateStatus status, std::string_view what) {
    return fail(Code::CertificateState,
                "certificate " + id.hex() + " is " + std::string(to_string(status)) + ", " +
                    std::string(what));
}

/// Refuses to delete what is still attached; with `force` takes policies off.
Result<> release_attachments(store::Tx& tx, const CertificateRow& row, bool force) {
    auto things =
        has_row(tx.query("SELECT 1 FROM thing_principals WHERE certificate = ? LIMIT 1", row.key));
    if (!things) return std::move(things).error();
    if (*things) {
        return fail(Code::DeleteConflict,
                    "certificate " + row.id.hex() + " is attached to a thing");
    }
    if (force) {
        return tx.run("DELETE FROM certificate_policies WHERE certificate = ?", row.key);
    }
    auto policies = has_row(
        tx.query("SELECT 1 FROM certificate_policies WHERE certificate = ? LIMIT 1", row.key));
    if (!policies) return std::move(policies).error();
    if (*policies) {
        return fail(Code::DeleteConflict, "certificate " + row.id.hex() + " has policies attached");
    }
    return {};
}

}  // namespace

std::string_view to_string(CertificateStatus status) {
    const auto index = static_cast<std::size_t>(status);
    return index < kStatusNames.size() ? kStatusNames.at(index) : "UNKNOWN";
}

Result<CertificateStatus> parse_certificate_status(std::string_view text) {
    for (std::size_t index = 0; index < kStatusNames.size(); ++index) {
        const std::string_view name = kStatusNames.at(index);
        if (text.size() == name.size() && strncasecmp(text.data(), name.data(), name.size()) == 0) {
            return static_cast<CertificateStatus>(index);
        }
    }
    return fail(Code::InvalidRequest,
                "expected ACTIVE, INACTIVE, REVOKED, PENDING_TRANSFER, REGISTER_INACTIVE or "
                "PENDING_ACTIVATION",
                "status");
}

std::string_view to_string(CertificateMode mode) {
    return mode == CertificateMode::SniOnly ? "SNI_ONLY" : "DEFAULT";
}

Result<std::int64_t> authority_key(store::Tx& tx, const CertificateId& id) {
    constexpr std::string_view kTable = "authorities";
    const std::string_view name = text_of(id.view());
    if (const auto* known = tx.recall<std::int64_t>(kTable, name)) return *known;
    auto key = read_count(tx.query("SELECT key FROM authorities WHERE id = ?", id.view()));
    if (!key) return key;
    if (*key != 0) {
        tx.remember(kTable, name, *key);
        return key;
    }
    auto made = tx.run("INSERT INTO authorities(id) VALUES(?)", id.view());
    if (!made) return std::move(made).error();
    return tx.last_insert_rowid();
}

Result<CertificateRow> find_certificate_row(store::Reader& reader, const CertificateId& id) {
    auto row = reader.query("SELECT key, status FROM certificates WHERE id = ?", id.view());
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return missing(kCertificate, id.hex());
    return CertificateRow{id, row.integer(0), static_cast<CertificateStatus>(row.integer(1))};
}

void touch_sessions_of(store::Tx& tx, const CertificateRow& certificate) {
    // A certificate that was not ACTIVE before this write, or not there at all, has no session.
    if (certificate.status == CertificateStatus::Active &&
        !tx.is_new(tag_of_policies(certificate.key))) {
        tx.touch_identities();
    }
}

Result<> write_status(store::Tx& tx, std::int64_t key, CertificateStatus status, Time now) {
    return tx.run("UPDATE certificates SET status = ?, modified = ? WHERE key = ?",
                  static_cast<int>(status),
                  seconds(now),
                  key);
}

Result<DeviceCertificate> add_certificate(store::Tx& tx,
                                          const Account& account,
                                          const ca::Certificate& certificate,
                                          CertificateStatus status,
                                          std::optional<CertificateId> ca_id,
                                          CertificateMode mode,
                                          Time now) {
    const ca::CertificateFields& fields = certificate.fields();
    std::optional<std::int64_t> ca;
    if (ca_id) {
        auto key = authority_key(tx, *ca_id);
        if (!key) return std::move(key).error();
        ca = *key;
    }
    const Bytes generation = new_uuid();
    auto made = tx.run(
        "INSERT INTO certificates(id, der, status, ca, mode, created, modified, not_before, "
        "not_after, customer_version, generation_id) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, 1, ?9) ON CONFLICT(id) DO NOTHING",
        fields.id.view(),
        fields.der,
        static_cast<int>(status),
        ca,
        static_cast<int>(mode),
        seconds(now),
        seconds(fields.not_before),
        seconds(fields.not_after),
        generation);
    if (!made) return std::move(made).error();
    if (tx.changes() == 0) {
        Error error =
            fail(Code::AlreadyExists, "certificate " + fields.id.hex() + " is registered already");
        error.resource = account.arn("cert", fields.id.hex());
        return error;
    }
    const std::int64_t key = tx.last_insert_rowid();
    tx.mark_new(tag_of_policies(key));
    tx.mark_new(tag_of_things(key));
    return DeviceCertificate{key,
                             fields.id,
                             fields.der,
                             status,
                             ca_id,
                             mode,
                             now,
                             now,
                             fields.not_before,
                             fields.not_after,
                             1,
                             uuid_text(generation)};
}

Result<DeviceCertificate> find_certificate(store::Reader& reader, const CertificateId& id) {
    static const std::string kSql = std::string(kCertificates) + "WHERE c.id = ?";
    auto row = reader.query(kSql, id.view());
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return missing(kCertificate, id.hex());
    return make_certificate(row);
}

Result<Page<DeviceCertificate>> list_certificates(store::Reader& reader,
                                                  const PageRequest& request,
                                                  bool ascending,
                                                  std::optional<CertificateId> by_ca) {
    auto after = key_position(request, ascending);
    if (!after) return std::move(after).error();
    std::string sql(kCertificates);
    sql += ascending ? "WHERE c.key > ?1 " : "WHERE c.key < ?1 ";
    sql += by_ca ? "AND c.ca = (SELECT key FROM authorities WHERE id = ?3) " : "AND ?3 IS NULL ";
    sql += ascending ? "ORDER BY c.key LIMIT ?2" : "ORDER BY c.key DESC LIMIT ?2";
    std::optional<ByteView> ca;
    if (by_ca) ca = by_ca->view();
    return read_page(reader.query(sql, *after, page_limit(request) + 1, ca),
                     request,
                     Position::Key,
                     make_certificate);
}

Result<std::vector<CertificateId>> idle_certificates(store::Reader& reader,
                                                     std::int64_t first,
                                                     std::int64_t last) {
    return read_all(
        reader.query(
            "SELECT id FROM certificates c WHERE key BETWEEN ? AND ? AND status IN (?, ?) "
            "AND NOT EXISTS (SELECT 1 FROM thing_principals WHERE certificate = c.key) "
            "AND NOT EXISTS (SELECT 1 FROM certificate_policies WHERE certificate = c.key) "
            "ORDER BY key",
            first,
            last,
            static_cast<int>(CertificateStatus::Active),
            static_cast<int>(CertificateStatus::PendingTransfer)),
        [](const store::Statement& row) { return id_of(row, 0); });
}

namespace {

Result<> check_settable(CertificateStatus status) {
    if (status == CertificateStatus::Active || status == CertificateStatus::Inactive ||
        status == CertificateStatus::Revoked) {
        return {};
    }
    return fail(Code::InvalidRequest,
                "expected ACTIVE, INACTIVE or REVOKED, found " + std::string(to_string(status)),
                "newStatus");
}

Result<> change_status(store::Tx& tx,
                       const CertificateRow& row,
                       CertificateStatus status,
                       Time now) {
    if (row.status == status) return {};
    if (row.status == CertificateStatus::Revoked)
        return refused_state(row.id, row.status, "which is final");
    if (row.status == CertificateStatus::PendingTransfer)
        return refused_state(
            row.id, row.status, "which only accepting or ending the transfer changes");
    touch_sessions_of(tx, row);
    auto set = write_status(tx, row.key, status, now);
    if (!set || status != CertificateStatus::Revoked) return set;
    return note_revoked(tx, row.id, "registry", now);
}

}  // namespace

Result<> set_certificate_status(store::Tx& tx,
                                const CertificateId& id,
                                CertificateStatus status,
                                Time now) {
    if (auto good = check_settable(status); !good) return good;
    auto row = find_certificate_row(tx, id);
    if (!row) return std::move(row).error();
    return change_status(tx, *row, status, now);
}

Result<> set_certificate_status(store::Tx& tx,
                                DeviceCertificate& certificate,
                                CertificateStatus status,
                                Time now) {
    if (auto good = check_settable(status); !good) return good;
    const bool is_change = certificate.status != status;
    auto set = change_status(tx, row_of(certificate), status, now);
    if (!set) return set;
    certificate.status = status;
    if (is_change) certificate.modified = now;
    return {};
}

Result<> delete_certificate(store::Tx& tx, const CertificateId& id, bool force) {
    auto row = find_certificate_row(tx, id);
    if (!row) return std::move(row).error();
    if (row->status == CertificateStatus::Active)
        return refused_state(id, row->status, "make it INACTIVE before deleting it");
    if (auto released = release_attachments(tx, *row, force); !released) return released;
    if (auto gone = delete_escrowed_key(tx, id); !gone) return gone;
    return tx.run("DELETE FROM certificates WHERE key = ?", row->key);
}

}  // namespace hatchery::registry
