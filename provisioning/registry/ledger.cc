#include "ca/digest.h"
#include "provisioning/registry/certificate_rows.h"
#include "provisioning/registry/ledger_rows.h"

namespace hatchery::registry {

namespace {

struct Head {
    std::int64_t sequence = 0;
    Bytes hash;
};

Result<Head> read_head(store::Reader& reader) {
    auto row = reader.query("SELECT sequence, hash FROM ledger_head");
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return fail(Code::Conflict, "the ledger's head is missing");
    return Head{row.integer(0), to_bytes(row.blob(1))};
}

/// One certificate for a device's serial number and profile, and no serial number twice.
Result<> check_unique(store::Reader& reader, const ca::Prepared& prepared, std::int64_t issuer) {
    auto taken = has_row(reader.query("SELECT 1 FROM issued WHERE serial_number = ? AND issuer = ?",
                                      prepared.serial_number(),
                                      issuer));
    if (!taken) return std::move(taken).error();
    if (*taken) {
        return fail(Code::Conflict,
                    "serial number " + to_hex(prepared.serial_number()) + " is taken already");
    }
    if (!prepared.one_per_device()) return {};
    if (prepared.device_serial().empty()) {
        return fail(Code::InvalidRequest,
                    "profile " + prepared.profile() +
                        " gives a device one certificate: expected a serialNumber in the subject",
                    "CSR.subject.serialNumber");
    }
    auto issued =
        has_row(reader.query("SELECT 1 FROM issued WHERE device_serial = ? AND profile = ? LIMIT 1",
                             prepared.device_serial(),
                             prepared.profile()));
    if (!issued) return std::move(issued).error();
    if (*issued) {
        return fail(Code::Conflict,
                    "device " + prepared.device_serial() +
                        " already has a certificate of profile " + prepared.profile(),
                    "CSR.subject.serialNumber");
    }
    return {};
}

Result<> append_row(store::Tx& tx,
                    const ca::Prepared& prepared,
                    std::string_view requester,
                    Time now) {
    auto issuer = authority_key(tx, prepared.issuer_id());
    if (!issuer) return std::move(issuer).error();
    if (auto unique = check_unique(tx, prepared, *issuer); !unique) return unique;
    auto head = read_head(tx);
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
    auto made = tx.query(
                      "INSERT INTO issued(sequence, issuer, serial_number, tbs, profile, "
                      "requester, device_serial, recorded, previous_hash, hash) "
                      "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      fields.sequence,
                      *issuer,
                      fields.serial_number,
                      fields.tbs,
                      fields.profile,
                      fields.requester,
                      fields.device_serial,
                      fields.recorded,
                      head->hash,
                      ByteView(hash))
                    .run();
    if (!made) return made;
    return tx
        .query("UPDATE ledger_head SET sequence = ?, hash = ?", fields.sequence, ByteView(hash))
        .run();
}

/// The row that recorded exactly these bytes to be signed.
Result<std::int64_t> find_recorded(store::Reader& reader, ByteView serial_number, ByteView tbs) {
    auto rows =
        reader.query("SELECT sequence, tbs FROM issued WHERE serial_number = ?", serial_number);
    bool is_known = false;
    while (true) {
        auto row = rows.step();
        if (!row) return std::move(row).error();
        if (!*row) break;
        is_known = true;
        const ByteView recorded = rows.blob(1);
        if (std::equal(recorded.begin(), recorded.end(), tbs.begin(), tbs.end()))
            return rows.integer(0);
    }
    const std::string serial = to_hex(serial_number);
    return is_known ? fail(Code::Conflict,
                           "the certificate with serial number " + serial +
                               " is not the one that the ledger recorded")
                    : fail(Code::NotFound, "serial number " + serial + " is not in the ledger");
}

}  // namespace

Result<> StoreLedger::append(const ca::Prepared& prepared, std::string_view requester, Time now) {
    return store_.write([&](store::Tx& tx) { return append_row(tx, prepared, requester, now); });
}

Result<> StoreLedger::complete(const ca::Certificate& certificate, Time now) {
    return store_.write([&](store::Tx& tx) { return complete_in(tx, certificate, now); });
}

Result<> StoreLedger::complete_in(store::Tx& tx, const ca::Certificate& certificate, Time now) {
    const ca::CertificateFields& fields = certificate.fields();
    auto parts = split_certificate(fields.der);
    if (!parts) return std::move(parts).error();
    auto sequence = find_recorded(tx, fields.serial_number, parts->tbs);
    if (!sequence) return std::move(sequence).error();
    auto row = tx.query("SELECT certificate FROM signed WHERE sequence = ?", *sequence);
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (*there) {
        if (id_of(row, 0) == fields.id) return {};
        return fail(Code::Conflict,
                    "serial number " + to_hex(fields.serial_number) + " was signed already");
    }
    return tx
        .query(
            "INSERT INTO signed(sequence, certificate, signature, completed) "
            "VALUES(?, ?, ?, ?)",
            *sequence,
            fields.id.view(),
            parts->rest,
            seconds(now))
        .run();
}

}  // namespace hatchery::registry
