// Certificates on their way to another account. A transfer to this account itself is allowed, so
// that a self-hosted server can play both sides.
#include "provisioning/registry/certificate_rows.h"

namespace hatchery::registry {

namespace {

Error transfer_is_over(const CertificateId& id) {
    return fail(Code::Conflict, "certificate " + id.hex() + " is not being transferred");
}

Result<CertificateRow> pending_certificate(store::Reader& reader, const CertificateId& id) {
    auto row = find_certificate_row(reader, id);
    if (row && row->status != CertificateStatus::PendingTransfer) return transfer_is_over(id);
    return row;
}

/// Ends the transfer: the certificate gets `status`, its row in certificate_transfers `ended_sql`.
Result<> end_transfer(store::Tx& tx,
                      const CertificateRow& row,
                      CertificateStatus status,
                      store::Statement ended,
                      Time now) {
    if (auto done = ended.run(); !done) return done;
    return write_status(tx, row.key, status, now);
}

/// @errors NotFound  the transfer goes to another account than `account`
Result<> expect_recipient(store::Reader& reader,
                          const CertificateRow& row,
                          const Account& account) {
    auto transfer =
        reader.query("SELECT account FROM certificate_transfers WHERE certificate = ?", row.key);
    auto there = transfer.step();
    if (!there) return std::move(there).error();
    if (*there && transfer.text(0) == account.id) return {};
    return fail(Code::NotFound,
                "no transfer of certificate " + row.id.hex() + " to account " + account.id);
}

Transfer make_transfer(const store::Statement& row, int first) {
    Transfer transfer;
    transfer.account = row.text(first);
    transfer.message = row.optional_text(first + 1);
    transfer.reject_reason = row.optional_text(first + 2);
    transfer.transferred = time_of(row, first + 3);
    if (!row.is_null(first + 4)) transfer.accepted = time_of(row, first + 4);
    if (!row.is_null(first + 5)) transfer.rejected = time_of(row, first + 5);
    return transfer;
}

}  // namespace

Result<> transfer_certificate(store::Tx& tx,
                              const CertificateId& id,
                              std::string_view target_account,
                              std::optional<std::string> message,
                              Time now) {
    auto row = find_certificate_row(tx, id);
    if (!row) return std::move(row).error();
    if (row->status != CertificateStatus::Inactive) {
        return fail(Code::CertificateState,
                    "certificate " + id.hex() + " is " + std::string(to_string(row->status)) +
                        ", only an INACTIVE one can be transferred");
    }
    auto attached =
        has_row(tx.query("SELECT 1 FROM certificate_policies WHERE certificate = ?1 UNION ALL "
                         "SELECT 1 FROM thing_principals WHERE certificate = ?1 LIMIT 1",
                         row->key));
    if (!attached) return std::move(attached).error();
    if (*attached) {
        return fail(Code::Conflict,
                    "certificate " + id.hex() + " still has policies or things attached");
    }
    auto made = tx.run(
        "INSERT OR REPLACE INTO certificate_transfers(certificate, account, message, "
        "transferred) VALUES(?, ?, ?, ?)",
        row->key,
        target_account,
        message,
        seconds(now));
    if (!made) return made;
    return write_status(tx, row->key, CertificateStatus::PendingTransfer, now);
}

Result<> accept_transfer(
    store::Tx& tx, const Account& account, const CertificateId& id, bool active, Time now) {
    auto row = pending_certificate(tx, id);
    if (!row) return std::move(row).error();
    if (auto mine = expect_recipient(tx, *row, account); !mine) return mine;
    return end_transfer(tx,
                        *row,
                        active ? CertificateStatus::Active : CertificateStatus::Inactive,
                        tx.query("UPDATE certificate_transfers SET accepted = ? "
                                 "WHERE certificate = ?",
                                 seconds(now),
                                 row->key),
                        now);
}

Result<> reject_transfer(store::Tx& tx,
                         const Account& account,
                         const CertificateId& id,
                         std::optional<std::string> reason,
                         Time now) {
    auto row = pending_certificate(tx, id);
    if (!row) return std::move(row).error();
    if (auto mine = expect_recipient(tx, *row, account); !mine) return mine;
    return end_transfer(tx,
                        *row,
                        CertificateStatus::Inactive,
                        tx.query("UPDATE certificate_transfers SET rejected = ?, reject_reason = ? "
                                 "WHERE certificate = ?",
                                 seconds(now),
                                 reason,
                                 row->key),
                        now);
}

Result<> cancel_transfer(store::Tx& tx, const CertificateId& id, Time now) {
    auto row = pending_certificate(tx, id);
    if (!row) return std::move(row).error();
    return end_transfer(
        tx,
        *row,
        CertificateStatus::Inactive,
        tx.query("DELETE FROM certificate_transfers WHERE certificate = ?", row->key),
        now);
}

Result<std::optional<Transfer>> find_transfer(store::Reader& reader, const CertificateId& id) {
    auto row = reader.query(
        "SELECT t.account, t.message, t.reject_reason, t.transferred, t.accepted, t.rejected "
        "FROM certificate_transfers t JOIN certificates c ON c.key = t.certificate "
        "WHERE c.id = ?",
        id.view());
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return std::optional<Transfer>();
    return std::optional(make_transfer(row, 0));
}

Result<Page<OutgoingCertificate>> list_outgoing(store::Reader& reader,
                                                const PageRequest& request,
                                                bool ascending) {
    auto after = key_position(request, ascending);
    if (!after) return std::move(after).error();
    std::string sql =
        "SELECT c.key, c.id, c.created, t.account, t.message, t.reject_reason, t.transferred, "
        "t.accepted, t.rejected FROM certificate_transfers t "
        "JOIN certificates c ON c.key = t.certificate WHERE c.status = ?3 AND t.certificate ";
    sql += ascending ? "> ?1 ORDER BY t.certificate LIMIT ?2"
                     : "< ?1 ORDER BY t.certificate DESC LIMIT ?2";
    return read_page(
        reader.query(sql,
                     *after,
                     page_limit(request) + 1,
                     static_cast<int>(CertificateStatus::PendingTransfer)),
        request,
        Position::Key,
        [](const store::Statement& row) {
            return OutgoingCertificate{id_of(row, 1), time_of(row, 2), make_transfer(row, 3)};
        });
}

}  // namespace hatchery::registry
