#include "provisioning/registry/ledger_rows.h"

#include "ca/digest.h"
#include "provisioning/registry/certificate_rows.h"

namespace hatchery::registry {

namespace {

constexpr std::uint8_t kSequenceTag = 0x30;
constexpr int kMaxRowsAtOnce = 1'000;

void put_number(Bytes& out, std::int64_t number) {
    const auto bits = static_cast<std::uint64_t>(number);
    for (int shift = 56; shift >= 0; shift -= 8)
        out.push_back(static_cast<std::uint8_t>(bits >> shift));
}

void put_field(Bytes& out, ByteView field) {
    put_number(out, static_cast<std::int64_t>(field.size()));
    out.insert(out.end(), field.begin(), field.end());
}

/// The header of a SEQUENCE that holds `size` bytes (X.690 8.1.3, shortest form).
Bytes sequence_header(std::size_t size) {
    Bytes header{kSequenceTag};
    if (size < 0x80) {
        header.push_back(static_cast<std::uint8_t>(size));
        return header;
    }
    Bytes length;
    for (; size > 0; size >>= 8)
        length.insert(length.begin(), static_cast<std::uint8_t>(size & 0xff));
    header.push_back(static_cast<std::uint8_t>(0x80 | length.size()));
    header.insert(header.end(), length.begin(), length.end());
    return header;
}

/// The content of the SEQUENCE at the front of `der`; its header's size in `header`.
struct Element {
    std::size_t header = 0;
    std::size_t content = 0;
};
std::optional<Element> read_sequence(ByteView der) {
    if (der.size() < 2 || der[0] != kSequenceTag) return std::nullopt;
    std::size_t size = der[1];
    std::size_t header = 2;
    if (size >= 0x80) {
        const std::size_t octets = size & 0x7f;
        if (octets == 0 || octets > 4 || der.size() < 2 + octets) return std::nullopt;
        size = 0;
        for (std::size_t at = 2; at < 2 + octets; ++at)
            size = size << 8 | der[at];
        header += octets;
    }
    if (size > der.size() - header) return std::nullopt;
    return Element{header, size};
}

constexpr std::string_view kIssuedColumns =
    "SELECT i.sequence, a.id, i.serial_number, i.tbs, i.profile, i.requester, i.device_serial, "
    "i.recorded, i.previous_hash, i.hash, s.certificate, s.signature, 0 AS kind, '' AS detail "
    "FROM issued i LEFT JOIN authorities a ON a.key = i.issuer "
    "LEFT JOIN signed s ON s.sequence = i.sequence ";
constexpr std::string_view kEventColumns =
    "SELECT sequence, issuer, serial_number, x'', profile, requester, device_serial, recorded, "
    "previous_hash, hash, NULL, NULL, kind, detail FROM ledger_events ";

LedgerRow make_row(const store::Statement& row) {
    LedgerRow made;
    made.sequence = row.integer(0);
    made.issuer = id_of(row, 1);
    made.serial_number = to_bytes(row.blob(2));
    made.tbs = to_bytes(row.blob(3));
    made.profile = row.text(4);
    made.requester = row.text(5);
    made.device_serial = row.text(6);
    made.recorded = time_of(row, 7);
    made.previous_hash = to_bytes(row.blob(8));
    made.hash = to_bytes(row.blob(9));
    if (!row.is_null(10)) {
        made.certificate = id_of(row, 10);
        made.certificate_der = join_certificate(row.blob(3), row.blob(11));
    }
    made.kind = static_cast<LedgerKind>(row.integer(12));
    made.detail = row.text(13);
    return made;
}

constexpr std::array<std::string_view, 7> kKindNames{
    "issued", "refused", "revoked", "held", "released", "given-up", "key-blocked"};

bool is_same(ByteView a, ByteView b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

Result<> check_head(store::Reader& reader, std::int64_t last, ByteView hash) {
    auto row = reader.query("SELECT sequence, hash FROM ledger_head");
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (*there && row.integer(0) == last && is_same(row.blob(1), hash)) return {};
    return fail(
        Code::Conflict,
        "ledger row " + std::to_string(last) + ": it is not the end that the ledger's head names");
}

}  // namespace

std::array<std::uint8_t, 32> chain_hash(ByteView previous_hash, const LedgerFields& fields) {
    Bytes encoded;
    put_field(encoded, bytes_of("hatchery ledger 1"));
    put_field(encoded, previous_hash);
    put_number(encoded, fields.sequence);
    put_field(encoded, fields.issuer);
    put_field(encoded, fields.serial_number);
    put_field(encoded, fields.tbs);
    put_field(encoded, bytes_of(fields.profile));
    put_field(encoded, bytes_of(fields.requester));
    put_field(encoded, bytes_of(fields.device_serial));
    put_number(encoded, fields.recorded);
    return ca::sha256(encoded);
}

Result<CertificateParts> split_certificate(ByteView der) {
    const auto outer = read_sequence(der);
    if (outer && outer->header + outer->content == der.size()) {
        const ByteView content = der.subspan(outer->header);
        if (const auto tbs = read_sequence(content)) {
            const std::size_t end = tbs->header + tbs->content;
            return CertificateParts{content.first(end), content.subspan(end)};
        }
    }
    return fail(Code::CertificateInvalid, "expected a DER certificate");
}

Bytes join_certificate(ByteView tbs, ByteView rest) {
    Bytes der = sequence_header(tbs.size() + rest.size());
    der.reserve(der.size() + tbs.size() + rest.size());
    der.insert(der.end(), tbs.begin(), tbs.end());
    der.insert(der.end(), rest.begin(), rest.end());
    return der;
}

std::array<std::uint8_t, 32> chain_hash(ByteView previous_hash,
                                        std::int64_t sequence,
                                        const LedgerEvent& event,
                                        std::int64_t recorded) {
    Bytes encoded;
    put_field(encoded, bytes_of("hatchery ledger event 1"));
    put_field(encoded, previous_hash);
    put_number(encoded, sequence);
    put_number(encoded, static_cast<std::int64_t>(event.kind));
    put_field(encoded, event.issuer.view());
    put_field(encoded, event.serial_number);
    put_field(encoded, bytes_of(event.detail));
    put_field(encoded, bytes_of(event.profile));
    put_field(encoded, bytes_of(event.requester));
    put_field(encoded, bytes_of(event.device_serial));
    put_number(encoded, recorded);
    return ca::sha256(encoded);
}

std::string_view ledger_fault(const LedgerRow& row, std::int64_t sequence, ByteView previous_hash) {
    if (row.sequence != sequence) return "a row before it is missing";
    if (!is_same(row.previous_hash, previous_hash)) return "it does not follow the row before it";
    const auto hash = row.kind == LedgerKind::Issued ? chain_hash(previous_hash,
                                                                  {row.sequence,
                                                                   row.issuer.view(),
                                                                   row.serial_number,
                                                                   row.tbs,
                                                                   row.profile,
                                                                   row.requester,
                                                                   row.device_serial,
                                                                   seconds(row.recorded)})
                                                     : chain_hash(previous_hash,
                                                                  row.sequence,
                                                                  LedgerEvent{row.kind,
                                                                              row.issuer,
                                                                              row.serial_number,
                                                                              row.detail,
                                                                              row.profile,
                                                                              row.requester,
                                                                              row.device_serial},
                                                                  seconds(row.recorded));
    if (!is_same(hash, row.hash)) return "its content was changed";
    if (row.certificate && ca::sha256(row.certificate_der) != row.certificate->bytes)
        return "its certificate was changed";
    return {};
}

std::string_view to_string(LedgerKind kind) {
    const auto index = static_cast<std::size_t>(kind);
    return index < kKindNames.size() ? kKindNames.at(index) : "unknown";
}

Result<LedgerKind> parse_ledger_kind(std::string_view text) {
    for (std::size_t index = 0; index < kKindNames.size(); ++index) {
        if (kKindNames.at(index) == text) return static_cast<LedgerKind>(index);
    }
    return fail(Code::InvalidRequest, "unknown kind of ledger row \"" + std::string(text) + "\"");
}

Result<std::vector<LedgerRow>> ledger_rows(store::Reader& reader,
                                           std::int64_t after_sequence,
                                           int limit) {
    static const std::string kSql =
        std::string(kIssuedColumns) + "WHERE i.sequence > ?1 UNION ALL " +
        std::string(kEventColumns) + "WHERE sequence > ?1 ORDER BY 1 LIMIT ?2";
    return read_all(reader.query(kSql, after_sequence, std::clamp(limit, 1, kMaxRowsAtOnce)),
                    make_row);
}

Result<std::int64_t> verify_ledger(store::Reader& reader) {
    static const std::string kSql =
        std::string(kIssuedColumns) + "UNION ALL " + std::string(kEventColumns) + "ORDER BY 1";
    auto rows = reader.query(kSql);
    std::int64_t count = 0;
    Bytes previous_hash(32);
    while (true) {
        auto there = rows.step();
        if (!there) return std::move(there).error();
        if (!*there) break;
        LedgerRow row = make_row(rows);
        if (auto fault = ledger_fault(row, count + 1, previous_hash); !fault.empty()) {
            return fail(Code::Conflict,
                        "ledger row " + std::to_string(row.sequence) + ": " + std::string(fault));
        }
        ++count;
        previous_hash = std::move(row.hash);
    }
    if (auto head = check_head(reader, count, previous_hash); !head) return std::move(head).error();
    return count;
}

Result<Bytes> ledger_hash(store::Reader& reader, std::int64_t sequence) {
    auto row = reader.query(
        "SELECT hash FROM issued WHERE sequence = ?1 UNION ALL "
        "SELECT hash FROM ledger_events WHERE sequence = ?1",
        sequence);
    if (auto there = expect_row(row, "ledger row", std::to_string(sequence)); !there)
        return std::move(there).error();
    return to_bytes(row.blob(0));
}

Result<LedgerRow> find_issued(store::Reader& reader,
                              const CertificateId& issuer,
                              ByteView serial_number) {
    static const std::string kSql =
        std::string(kIssuedColumns) + "WHERE i.serial_number = ? AND a.id = ?";
    auto row = reader.query(kSql, serial_number, issuer.view());
    if (auto there = expect_row(row, "serial number", to_hex(serial_number)); !there)
        return std::move(there).error();
    return make_row(row);
}

Result<std::vector<LedgerRow>> search_ledger(store::Reader& reader,
                                             std::string_view what,
                                             int limit) {
    static const std::string kSql =
        std::string(kIssuedColumns) +
        "WHERE i.serial_number = ?1 OR i.device_serial = ?2 OR s.certificate = ?1 UNION ALL " +
        std::string(kEventColumns) +
        "WHERE serial_number = ?1 OR (device_serial = ?2 AND ?2 <> '') OR serial_number IN "
        "(SELECT j.serial_number FROM issued j LEFT JOIN signed t ON t.sequence = j.sequence "
        "WHERE j.device_serial = ?2 OR t.certificate = ?1) ORDER BY 1 LIMIT ?3";
    const Bytes binary = what.empty() ? Bytes{0} : from_hex(what).value_or(Bytes{0});
    return read_all(reader.query(kSql, binary, what, std::clamp(limit, 1, kMaxRowsAtOnce)),
                    make_row);
}

Result<LedgerRow> find_issued_for_key(store::Reader& reader,
                                      ByteView public_key_der,
                                      std::string_view profile,
                                      std::string_view requester) {
    static const std::string kSql =
        std::string(kIssuedColumns) +
        "JOIN issued_keys k ON k.sequence = i.sequence WHERE k.public_key = ? AND i.profile = ? "
        "AND i.requester = ? AND s.certificate IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "
        "revocations r WHERE r.serial_number = i.serial_number AND r.issuer = i.issuer)";
    auto row = reader.query(kSql, key_mark(public_key_der), profile, requester);
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return fail(Code::NotFound, "nothing was issued for this key");
    return make_row(row);
}

}  // namespace hatchery::registry
