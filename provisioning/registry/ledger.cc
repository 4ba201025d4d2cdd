#include "ca/digest.h"
#include "provisioning/registry/certificate_rows.h"
#include "provisioning/registry/ledger_probe.h"
#include "provisioning/registry/ledger_rows.h"

namespace hatchery::registry {

namespace {

Result<> append_row(store::Tx& tx,
                    const ca::Prepared& prepared,
                    const IssueTerms& terms,
                    std::string_view requester,
                    Time now) {
    auto issuer = authority_key(tx, prepared.issuer_id());
    if (!issuer) return std::move(issuer).error();
    if (auto checked = check_issue(tx, prepared, terms, requester, now); !checked) {
        return checked;
    }
    auto head = ledger_head(tx);
    if (!head) return std::move(head).error();
    const LedgerFields fields{head->sequence + 1,
                              prepared.issuer_id().view(),
                              prepared.serial_number(),
                              prepared.tbs(),
                              prepared.profile(),
                              requester,
                              prepared.device_serial(),
                              seconds(now)};
    const auto hash = chain_hash(head->hash, fields);
    auto made = insert_issued(tx, fields, *issuer, head->hash, hash);
    if (!made) return made;
    // A claim's device brings a key that was just made for it: nobody asks for it by key again.
    if (prepared.device_serial().empty() && requester.starts_with("claim:")) return {};
    return note_issued_key(
        tx, prepared.public_key_der(), prepared.device_serial(), fields.sequence);
}

Result<> set_ledger_head(store::Tx& tx, std::int64_t sequence, ByteView hash) {
    return tx.run("UPDATE ledger_head SET sequence = ?, hash = ?", sequence, hash);
}

/// The row that recorded exactly these bytes to be signed, and what has happened to it since.
struct RecordedRow {
    std::int64_t sequence = 0;
    std::optional<CertificateId> certificate;  ///< once signed
    bool is_revoked = false;
};
Result<RecordedRow> find_recorded(store::Reader& reader, ByteView serial_number, ByteView tbs) {
    auto rows = reader.query(
        "SELECT i.sequence, i.tbs, s.certificate, EXISTS(SELECT 1 FROM revocations r WHERE "
        "r.serial_number = i.serial_number AND r.issuer = i.issuer) FROM issued i "
        "LEFT JOIN signed s ON s.sequence = i.sequence WHERE i.serial_number = ?",
        serial_number);
    bool is_known = false;
    while (true) {
        auto row = rows.step();
        if (!row) return std::move(row).error();
        if (!*row) break;
        is_known = true;
        const ByteView recorded = rows.blob(1);
        if (!std::equal(recorded.begin(), recorded.end(), tbs.begin(), tbs.end())) continue;
        RecordedRow found{rows.integer(0), std::nullopt, rows.integer(3) != 0};
        if (!rows.is_null(2)) found.certificate = id_of(rows, 2);
        return found;
    }
    const std::string serial = to_hex(serial_number);
    return is_known ? fail(Code::Conflict,
                           "the certificate with serial number " + serial +
                               " is not the one that the ledger recorded")
                    : fail(Code::NotFound, "serial number " + serial + " is not in the ledger");
}

}  // namespace

Result<> StoreLedger::append(const ca::Prepared& prepared, std::string_view requester, Time now) {
    return store_.write(
        [&](store::Tx& tx) { return append_row(tx, prepared, terms_, requester, now); },
        terms_.patience);
}

std::vector<Result<>> StoreLedger::append_all(const std::vector<Entry>& entries, Time now) {
    std::vector<Result<>> outcomes;
    const auto append_each = [&](store::Tx& tx) -> Result<> {
        outcomes.clear();
        for (const auto& one : entries) {
            auto appended = append_row(tx, one.prepared, terms_, one.requester, now);
            // A refusal has written nothing that must be undone; a failing store has.
            if (!appended && appended.error().code == Code::Unavailable) return appended;
            outcomes.push_back(std::move(appended));
        }
        return {};
    };
    auto written = store_.write(append_each, terms_.patience);
    if (!written) outcomes.assign(entries.size(), written);
    return outcomes;
}

Result<> StoreLedger::complete(const ca::Certificate& certificate, Time now) {
    return store_.write([&](store::Tx& tx) { return complete_in(tx, certificate, now); });
}

Result<> StoreLedger::give_up(const CertificateId& issuer,
                              ByteView serial_number,
                              std::string_view requester,
                              Time now) {
    return store_.write([&](store::Tx& tx) {
        return registry::give_up(tx, issuer, serial_number, requester, now);
    });
}

Result<> StoreLedger::complete_in(store::Tx& tx, const ca::Certificate& certificate, Time now) {
    const ca::CertificateFields& fields = certificate.fields();
    auto parts = split_certificate(fields.der);
    if (!parts) return std::move(parts).error();
    auto row = find_recorded(tx, fields.serial_number, parts->tbs);
    if (!row) return std::move(row).error();
    if (row->certificate == fields.id) return {};
    if (row->certificate) {
        return fail(Code::Conflict,
                    "serial number " + to_hex(fields.serial_number) + " was signed already");
    }
    // Given up while it was being signed: another certificate may have taken its place.
    if (row->is_revoked) {
        return fail(Code::Conflict,
                    "serial number " + to_hex(fields.serial_number) +
                        " was revoked before its certificate was complete");
    }
    return tx.run(
        "INSERT INTO signed(sequence, certificate, signature, completed) "
        "VALUES(?, ?, ?, ?)",
        row->sequence,
        fields.id.view(),
        parts->rest,
        seconds(now));
}

Result<LedgerHead> ledger_head(store::Reader& reader) {
    auto row = reader.query("SELECT sequence, hash FROM ledger_head");
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return fail(Code::Conflict, "the ledger's head is missing");
    return LedgerHead{row.integer(0), to_bytes(row.blob(1))};
}

Result<> try_to_write(store::Tx& tx) {
    // A new value each time: SQLite writes no page whose bytes stay the same.
    return tx.run(
        "INSERT INTO meta(name, value) VALUES('writes_tried', '1') ON CONFLICT(name) "
        "DO UPDATE SET value = CAST(value + 1 AS TEXT)");
}

Result<> insert_issued(store::Tx& tx,
                       const LedgerFields& fields,
                       std::int64_t issuer,
                       ByteView previous_hash,
                       ByteView hash) {
    auto made = tx.run(
        "INSERT INTO issued(sequence, issuer, serial_number, tbs, profile, "
        "requester, device_serial, recorded, previous_hash, hash) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        fields.sequence,
        issuer,
        fields.serial_number,
        fields.tbs,
        fields.profile,
        fields.requester,
        fields.device_serial,
        fields.recorded,
        previous_hash,
        hash);
    if (!made && made.error().code == Code::AlreadyExists) {
        return fail(Code::Conflict,
                    "serial number " + to_hex(fields.serial_number) + " is taken already");
    }
    if (!made) return made;
    return set_ledger_head(tx, fields.sequence, hash);
}

Result<> append_event(store::Tx& tx, const LedgerEvent& event, Time now) {
    auto head = ledger_head(tx);
    if (!head) return std::move(head).error();
    const std::int64_t sequence = head->sequence + 1;
    const auto hash = chain_hash(head->hash, sequence, event, seconds(now));
    auto made = tx.run(
        "INSERT INTO ledger_events(sequence, kind, issuer, serial_number, detail, "
        "profile, requester, device_serial, recorded, previous_hash, hash) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        sequence,
        static_cast<int>(event.kind),
        event.issuer.view(),
        event.serial_number,
        event.detail,
        event.profile,
        event.requester,
        event.device_serial,
        seconds(now),
        head->hash,
        ByteView(hash));
    if (!made) return made;
    return set_ledger_head(tx, sequence, hash);
}

}  // namespace hatchery::registry
