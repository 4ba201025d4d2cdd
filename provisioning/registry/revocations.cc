#include "provisioning/registry/revocations.h"

#include "ca/certificate.h"
#include "provisioning/registry/certificate_rows.h"
#include "provisioning/registry/ledger_rows.h"

namespace hatchery::registry {

namespace {

constexpr int kAllShards = -1;

int shard_key(std::optional<unsigned> shard) {
    return shard ? static_cast<int>(*shard) : kAllShards;
}

/// Sets the registered certificate's status without a word to the ledger; the status it had.
Result<std::optional<CertificateStatus>> put_status(store::Tx& tx,
                                                    const LedgerRow& row,
                                                    CertificateStatus status,
                                                    Time now) {
    std::optional<CertificateStatus> before;
    if (!row.certificate) return before;  // never handed out
    auto known = find_certificate_row(tx, *row.certificate);
    if (!known && known.error().code != Code::NotFound) return std::move(known).error();
    if (!known) {
        auto certificate = ca::Certificate::from_der(row.certificate_der);
        if (!certificate) return std::move(certificate).error();
        auto added = add_certificate(
            tx, Account{}, *certificate, status, std::nullopt, CertificateMode::Default, now);
        if (!added) return std::move(added).error();
        return before;
    }
    before = known->status;
    touch_sessions_of(tx, *known);
    auto set = write_status(tx, known->key, status, now);
    if (!set) return std::move(set).error();
    return before;
}

Result<> make_lists_stale(store::Tx& tx, std::int64_t issuer, unsigned shard) {
    return tx.run("UPDATE crls SET is_stale = 1 WHERE issuer = ? AND shard IN (?, ?)",
                  issuer,
                  static_cast<int>(shard),
                  kAllShards);
}

/// The factory line's front keeps what it read of a station.
Result<> touch_station(store::Tx& tx, const LedgerRow& row) {
    if (!row.certificate) return {};
    auto there =
        has_row(tx.query("SELECT 1 FROM stations WHERE certificate = ?", row.certificate->view()));
    if (!there) return std::move(there).error();
    if (*there) tx.touch_identities();
    return {};
}

/// Everything that a revocation changes but the ledger.
Result<> apply_revocation(store::Tx& tx,
                          const LedgerRow& row,
                          ca::RevocationReason reason,
                          Time now) {
    auto issuer = authority_key(tx, row.issuer);
    if (!issuer) return std::move(issuer).error();
    const bool is_hold = reason == ca::RevocationReason::CertificateHold;
    auto before = put_status(
        tx, row, is_hold ? CertificateStatus::Inactive : CertificateStatus::Revoked, now);
    if (!before) return std::move(before).error();
    if (auto touched = touch_station(tx, row); !touched) return touched;
    const unsigned shard = ca::crl_shard(row.serial_number);
    std::optional<std::int64_t> prior;
    if (*before) prior = static_cast<int>(**before);
    auto kept = tx.run(
        "INSERT INTO revocations(issuer, shard, serial_number, reason, revoked, "
        "prior_status) VALUES(?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT(serial_number, issuer) DO UPDATE SET reason = ?4, revoked = ?5",
        *issuer,
        static_cast<int>(shard),
        row.serial_number,
        static_cast<int>(reason),
        seconds(now),
        prior);
    if (!kept) return kept;
    return make_lists_stale(tx, *issuer, shard);
}

/// @param mark  key_mark of the public key
Result<> put_blocked_key(store::Tx& tx, ByteView mark, std::string_view why, Time now) {
    return tx.run("INSERT OR IGNORE INTO blocked_keys(public_key, blocked, why) VALUES(?, ?, ?)",
                  mark,
                  seconds(now),
                  why);
}

/// A certificate revoked for compromise takes its key along.
Result<> block_compromised(store::Tx& tx,
                           const LedgerRow& row,
                           ca::RevocationReason reason,
                           Time now) {
    if (reason != ca::RevocationReason::KeyCompromise || row.certificate_der.empty()) return {};
    auto certificate = ca::Certificate::from_der(row.certificate_der);
    if (!certificate) return std::move(certificate).error();
    const auto mark = key_mark(certificate->fields().public_key_der);
    return put_blocked_key(tx, mark, "keyCompromise", now);
}

Result<> apply_release(store::Tx& tx, const LedgerRow& row, Time now) {
    auto held = tx.query(
        "SELECT r.key, r.prior_status, r.issuer, r.shard FROM revocations r JOIN authorities a "
        "ON a.key = r.issuer WHERE r.serial_number = ? AND a.id = ?",
        row.serial_number,
        row.issuer.view());
    if (auto there = expect_row(held, "revocation of", to_hex(row.serial_number)); !there) {
        return there;
    }
    const std::int64_t key = held.integer(0);
    const std::int64_t issuer = held.integer(2);
    const auto shard = static_cast<unsigned>(held.integer(3));
    if (held.is_null(1)) {
        // The registry did not know it before: its first connect is still to come.
        if (row.certificate) {
            auto gone = tx.run("DELETE FROM certificates WHERE id = ?", row.certificate->view());
            if (!gone) return gone;
        }
    } else {
        const auto prior = static_cast<CertificateStatus>(held.integer(1));
        if (auto put = put_status(tx, row, prior, now); !put) return std::move(put).error();
    }
    auto gone = tx.run("DELETE FROM revocations WHERE key = ?", key);
    if (!gone) return gone;
    return make_lists_stale(tx, issuer, shard);
}

LedgerEvent event_of(const LedgerRow& row,
                     LedgerKind kind,
                     std::string_view detail,
                     std::string_view requester) {
    return {kind,
            row.issuer,
            row.serial_number,
            std::string(detail),
            row.profile,
            std::string(requester),
            row.device_serial};
}

Revocation make_revocation(const store::Statement& row) {
    return {id_of(row, 0),
            to_bytes(row.blob(1)),
            static_cast<ca::RevocationReason>(row.integer(2)),
            time_of(row, 3)};
}

/// The row goes to the end of the chain as it is; then what it says is done again.
Result<> replay_event(store::Tx& tx, const LedgerRow& row) {
    auto appended =
        append_event(tx, event_of(row, row.kind, row.detail, row.requester), row.recorded);
    if (!appended || row.kind == LedgerKind::Refused) return appended;
    if (row.kind == LedgerKind::KeyBlocked) {
        const std::string_view detail = row.detail;
        auto mark = from_hex(detail.substr(0, detail.find(' ')));
        if (!mark) return std::move(mark).error();
        return put_blocked_key(tx, *mark, detail, row.recorded);
    }
    auto issued = find_issued(tx, row.issuer, row.serial_number);
    if (!issued) return std::move(issued).error();
    if (row.kind == LedgerKind::Released) return apply_release(tx, *issued, row.recorded);
    auto reason = ca::parse_revocation_reason(row.detail);
    if (!reason) return std::move(reason).error();
    auto applied = apply_revocation(tx, *issued, *reason, row.recorded);
    if (!applied) return applied;
    return block_compromised(tx, *issued, *reason, row.recorded);
}

Result<> replay_issued(store::Tx& tx, const LedgerRow& row) {
    auto issuer = authority_key(tx, row.issuer);
    if (!issuer) return std::move(issuer).error();
    const LedgerFields fields{row.sequence,
                              row.issuer.view(),
                              row.serial_number,
                              row.tbs,
                              row.profile,
                              row.requester,
                              row.device_serial,
                              seconds(row.recorded)};
    auto made = insert_issued(tx, fields, *issuer, row.previous_hash, row.hash);
    if (!made || !row.certificate) return made;
    auto certificate = ca::Certificate::from_der(row.certificate_der);
    if (!certificate) return std::move(certificate).error();
    auto completed = StoreLedger::complete_in(tx, *certificate, row.recorded);
    if (!completed) return completed;
    return note_issued_key(
        tx, certificate->fields().public_key_der, row.device_serial, row.sequence);
}

constexpr std::string_view kCrlWithBytes =
    "SELECT c.number, c.this_update, c.next_update, c.is_stale, c.der FROM crls c "
    "JOIN authorities a ON a.key = c.issuer WHERE a.id = ? AND c.shard = ?";
/// A list may be megabytes: who asks for its dates alone does not read it.
constexpr std::string_view kCrlDates =
    "SELECT c.number, c.this_update, c.next_update, c.is_stale, x'' FROM crls c "
    "JOIN authorities a ON a.key = c.issuer WHERE a.id = ? AND c.shard = ?";

Result<std::optional<StoredCrl>> read_crl(store::Reader& reader,
                                          std::string_view sql,
                                          const CertificateId& issuer,
                                          std::optional<unsigned> shard) {
    auto row = reader.query(sql, issuer.view(), shard_key(shard));
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return std::optional<StoredCrl>{};
    return std::optional<StoredCrl>{StoredCrl{row.integer(0),
                                              time_of(row, 1),
                                              time_of(row, 2),
                                              row.integer(3) != 0,
                                              to_bytes(row.blob(4))}};
}

constexpr std::string_view kRevocationColumns =
    "SELECT a.id, r.serial_number, r.reason, r.revoked FROM revocations r "
    "JOIN authorities a ON a.key = r.issuer ";

}  // namespace

Result<> revoke(store::Tx& tx,
                const CertificateId& issuer,
                ByteView serial_number,
                ca::RevocationReason reason,
                std::string_view requester,
                Time now) {
    auto row = find_issued(tx, issuer, serial_number);
    if (!row) return std::move(row).error();
    auto earlier = find_revocation(tx, issuer, serial_number);
    if (!earlier) return std::move(earlier).error();
    const bool is_hold = reason == ca::RevocationReason::CertificateHold;
    if (*earlier && ((*earlier)->reason != ca::RevocationReason::CertificateHold || is_hold)) {
        return fail(Code::Conflict,
                    "serial number " + to_hex(serial_number) +
                        " is revoked already: " + std::string(ca::to_string((*earlier)->reason)) +
                        " since " + to_iso8601((*earlier)->revoked));
    }
    if (auto applied = apply_revocation(tx, *row, reason, now); !applied) return applied;
    if (auto blocked = block_compromised(tx, *row, reason, now); !blocked) return blocked;
    const auto kind = is_hold ? LedgerKind::Held : LedgerKind::Revoked;
    return append_event(tx, event_of(*row, kind, ca::to_string(reason), requester), now);
}

Result<> give_up(store::Tx& tx,
                 const CertificateId& issuer,
                 ByteView serial_number,
                 std::string_view requester,
                 Time now) {
    auto row = find_issued(tx, issuer, serial_number);
    if (!row) return std::move(row).error();
    auto applied = apply_revocation(tx, *row, ca::RevocationReason::Superseded, now);
    if (!applied) return applied;
    if (auto counted = uncount_station(tx, *row); !counted) return counted;
    return append_event(tx, event_of(*row, LedgerKind::GivenUp, "superseded", requester), now);
}

Result<> release(store::Tx& tx,
                 const CertificateId& issuer,
                 ByteView serial_number,
                 std::string_view requester,
                 Time now) {
    auto row = find_issued(tx, issuer, serial_number);
    if (!row) return std::move(row).error();
    auto held = find_revocation(tx, issuer, serial_number);
    if (!held) return std::move(held).error();
    if (!*held) return missing("revocation of", to_hex(serial_number));
    if ((*held)->reason != ca::RevocationReason::CertificateHold) {
        return fail(Code::Conflict,
                    "expected a certificate on hold, found one revoked for " +
                        std::string(ca::to_string((*held)->reason)) + ", which is final");
    }
    if (auto applied = apply_release(tx, *row, now); !applied) return applied;
    return append_event(tx, event_of(*row, LedgerKind::Released, "", requester), now);
}

Result<std::optional<IssuedSerial>> find_serial(store::Reader& reader,
                                                const CertificateId& certificate) {
    auto known = find_certificate(reader, certificate);
    if (!known) return std::move(known).error();
    auto parsed = ca::Certificate::from_der(known->der);
    if (!parsed) return std::move(parsed).error();
    // The issuer by the ledger: the registry knows registered CAs only.
    auto row = reader.query(
        "SELECT a.id FROM issued i JOIN authorities a ON a.key = i.issuer JOIN signed s "
        "ON s.sequence = i.sequence WHERE i.serial_number = ? AND s.certificate = ?",
        parsed->fields().serial_number,
        certificate.view());
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return std::optional<IssuedSerial>{};
    return std::optional<IssuedSerial>{{id_of(row, 0), parsed->fields().serial_number}};
}

Result<> note_revoked(store::Tx& tx,
                      const CertificateId& certificate,
                      std::string_view requester,
                      Time now) {
    auto serial = find_serial(tx, certificate);
    if (!serial) return std::move(serial).error();
    if (!*serial) return {};
    return revoke_once(tx, **serial, ca::RevocationReason::Unspecified, requester, now);
}

Result<> revoke_once(store::Tx& tx,
                     const IssuedSerial& serial,
                     ca::RevocationReason reason,
                     std::string_view requester,
                     Time now) {
    auto revoked = revoke(tx, serial.issuer, serial.serial_number, reason, requester, now);
    return !revoked && revoked.error().code == Code::Conflict ? Result<>{} : revoked;
}

Result<std::optional<Revocation>> find_revocation(store::Reader& reader,
                                                  const CertificateId& issuer,
                                                  ByteView serial_number) {
    static const std::string kSql =
        std::string(kRevocationColumns) + "WHERE r.serial_number = ? AND a.id = ?";
    auto row = reader.query(kSql, serial_number, issuer.view());
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return std::optional<Revocation>{};
    return std::optional<Revocation>{make_revocation(row)};
}

Result<std::vector<Revocation>> revocations_of(store::Reader& reader,
                                               const CertificateId& issuer,
                                               std::optional<unsigned> shard) {
    static const std::string kSql =
        std::string(kRevocationColumns) +
        "WHERE r.issuer = (SELECT key FROM authorities WHERE id = ?1) AND (?2 < 0 OR r.shard = ?2) "
        "ORDER BY r.key";
    return read_all(reader.query(kSql, issuer.view(), shard_key(shard)), make_revocation);
}

Result<std::optional<Revocation>> revocation_of_ca(store::Reader& reader, const CaCertificate& ca) {
    static const std::string kSql =
        std::string(kRevocationColumns) +
        "JOIN issued i ON i.serial_number = r.serial_number AND i.issuer = r.issuer "
        "JOIN signed s ON s.sequence = i.sequence "
        "WHERE r.serial_number = ? AND s.certificate = ?";
    auto parsed = ca::Certificate::from_der(ca.der);
    if (!parsed) return std::move(parsed).error();
    auto row = reader.query(kSql, parsed->fields().serial_number, ca.id.view());
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return std::optional<Revocation>{};
    return std::optional<Revocation>{make_revocation(row)};
}

Result<std::vector<RevokedAuthority>> revoked_authorities(store::Reader& reader) {
    static const std::string kSql =
        "SELECT c.id, a.id, r.serial_number, r.reason, r.revoked "
        "FROM revocations r JOIN authorities a ON a.key = r.issuer "
        "JOIN issued i ON i.serial_number = r.serial_number AND i.issuer = r.issuer "
        "JOIN signed s ON s.sequence = i.sequence JOIN authorities c ON c.id = s.certificate";
    return read_all(reader.query(kSql), [](const store::Statement& row) {
        return RevokedAuthority{id_of(row, 0),
                                {id_of(row, 1),
                                 to_bytes(row.blob(2)),
                                 static_cast<ca::RevocationReason>(row.integer(3)),
                                 time_of(row, 4)}};
    });
}

Result<Page<CertificateId>> list_active_issued(store::Reader& reader,
                                               const PageRequest& request,
                                               const CertificateId& authority) {
    auto after = key_position(request);
    if (!after) return std::move(after).error();
    return read_page(
        reader.query("SELECT i.sequence, c.id FROM issued i JOIN signed s ON s.sequence = "
                     "i.sequence JOIN certificates c ON c.id = s.certificate "
                     "WHERE i.sequence > ?1 AND i.issuer = (SELECT key FROM authorities WHERE id = "
                     "?2) AND c.status IN (?3, ?4) AND c.ca IS NOT i.issuer "
                     "ORDER BY i.sequence LIMIT ?5",
                     *after,
                     authority.view(),
                     static_cast<int>(CertificateStatus::Active),
                     static_cast<int>(CertificateStatus::PendingTransfer),
                     page_limit(request) + 1),
        request,
        Position::Key,
        [](const store::Statement& row) { return id_of(row, 1); });
}

Result<Page<RevokedCertificate>> list_revoked_certificates(store::Reader& reader,
                                                           const PageRequest& request) {
    auto after = key_position(request);
    if (!after) return std::move(after).error();
    return read_page(
        reader.query(
            "SELECT r.key, c.id, c.status, a.id, r.serial_number, r.reason, r.revoked "
            "FROM revocations r JOIN authorities a ON a.key = r.issuer "
            "JOIN issued i ON i.serial_number = r.serial_number AND i.issuer = r.issuer "
            "JOIN signed s ON s.sequence = i.sequence JOIN certificates c ON c.id = s.certificate "
            "WHERE r.key > ? ORDER BY r.key LIMIT ?",
            *after,
            page_limit(request) + 1),
        request,
        Position::Key,
        [](const store::Statement& row) {
            return RevokedCertificate{id_of(row, 1),
                                      static_cast<CertificateStatus>(row.integer(2)),
                                      {id_of(row, 3),
                                       to_bytes(row.blob(4)),
                                       static_cast<ca::RevocationReason>(row.integer(5)),
                                       time_of(row, 6)}};
        });
}

Result<> block_key(store::Tx& tx,
                   ByteView public_key_der,
                   std::string_view why,
                   std::string_view requester,
                   Time now) {
    auto blocked = is_key_blocked(tx, public_key_der);
    if (!blocked) return std::move(blocked).error();
    if (*blocked) return {};
    const auto mark = key_mark(public_key_der);
    if (auto put = put_blocked_key(tx, mark, why, now); !put) return put;
    LedgerEvent event;
    event.kind = LedgerKind::KeyBlocked;
    event.detail = to_hex(mark) + " " + std::string(why);
    event.requester = requester;
    return append_event(tx, event, now);
}

Result<bool> is_key_blocked(store::Reader& reader, ByteView public_key_der) {
    return has_row(
        reader.query("SELECT 1 FROM blocked_keys WHERE public_key = ?", key_mark(public_key_der)));
}

Result<> replay_row(store::Tx& tx, const LedgerRow& row) {
    auto head = ledger_head(tx);
    if (!head) return std::move(head).error();
    const std::string name = "ledger row " + std::to_string(row.sequence) + ": ";
    if (auto fault = ledger_fault(row, head->sequence + 1, head->hash); !fault.empty()) {
        return fail(Code::Conflict, name + std::string(fault));
    }
    return row.kind == LedgerKind::Issued ? replay_issued(tx, row) : replay_event(tx, row);
}

Result<std::optional<StoredCrl>> find_crl(store::Reader& reader,
                                          const CertificateId& issuer,
                                          std::optional<unsigned> shard) {
    return read_crl(reader, kCrlWithBytes, issuer, shard);
}

Result<std::optional<StoredCrl>> find_crl_dates(store::Reader& reader,
                                                const CertificateId& issuer,
                                                std::optional<unsigned> shard) {
    return read_crl(reader, kCrlDates, issuer, shard);
}

Result<std::int64_t> next_crl_number(store::Reader& reader,
                                     const CertificateId& issuer,
                                     std::optional<unsigned> shard,
                                     std::chrono::sys_time<std::chrono::milliseconds> now) {
    auto last = read_count(
        reader.query("SELECT c.number FROM crls c JOIN authorities a ON a.key = c.issuer "
                     "WHERE a.id = ? AND c.shard = ?",
                     issuer.view(),
                     shard_key(shard)));
    if (!last) return last;
    return std::max<std::int64_t>(*last + 1, now.time_since_epoch().count());
}

Result<> store_crl(store::Tx& tx,
                   const CertificateId& issuer,
                   std::optional<unsigned> shard,
                   const StoredCrl& crl) {
    auto key = authority_key(tx, issuer);
    if (!key) return std::move(key).error();
    // What was revoked or released while it was being signed makes it stale at once.
    auto is_stale =
        has_row(tx.query("SELECT 1 FROM ledger_events WHERE sequence > ? AND kind >= ? LIMIT 1",
                         crl.as_of,
                         static_cast<int>(LedgerKind::Revoked)));
    if (!is_stale) return std::move(is_stale).error();
    auto stored = tx.run(
        "INSERT INTO crls(issuer, shard, number, this_update, next_update, "
        "is_stale, der) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) "
        "ON CONFLICT(issuer, shard) DO UPDATE SET number = ?3, this_update = ?4, "
        "next_update = ?5, is_stale = ?6, der = ?7 WHERE number < ?3",
        *key,
        shard_key(shard),
        crl.number,
        seconds(crl.this_update),
        seconds(crl.next_update),
        *is_stale,
        crl.der);
    if (!stored) return stored;
    if (tx.changes() == 1) return {};
    return fail(Code::Conflict, "CRL number " + std::to_string(crl.number) + " is used already");
}

Result<> add_crl_url(store::Tx& tx, const CertificateId& issuer, std::string_view pattern) {
    auto key = authority_key(tx, issuer);
    if (!key) return std::move(key).error();
    return tx.run("INSERT OR IGNORE INTO crl_urls(issuer, pattern) VALUES(?, ?)", *key, pattern);
}

Result<std::vector<std::string>> crl_urls(store::Reader& reader, const CertificateId& issuer) {
    return read_all(reader.query("SELECT u.pattern FROM crl_urls u JOIN authorities a "
                                 "ON a.key = u.issuer WHERE a.id = ? ORDER BY u.pattern",
                                 issuer.view()),
                    [](const store::Statement& row) { return std::string(row.text(0)); });
}

}  // namespace hatchery::registry
