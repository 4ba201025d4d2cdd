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

constexpr std::string_view kColumns =
    "SELECT i.sequence, a.id, i.serial_number, i.tbs, i.profile, i.requester, i.device_serial, "
    "i.recorded, i.previous_hash, i.hash, s.certificate, s.signature "
    "FROM issued i LEFT JOIN authorities a ON a.key = i.issuer "
    "LEFT JOIN signed s ON s.sequence = i.sequence ";

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
    return made;
}

bool is_same(ByteView a, ByteView b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

/// Nothing, or what is wrong with a row that follows `previous_hash` as number `sequence`.
std::string_view fault_of(const LedgerRow& row, std::int64_t sequence, ByteView previous_hash) {
    if (row.sequence != sequence) return "a row before it is missing";
    if (!is_same(row.previous_hash, previous_hash)) return "it does not follow the row before it";
    const auto hash = chain_hash(previous_hash,
                                 {row.sequence,
                                  row.issuer.view(),
                                  row.serial_number,
                                  row.tbs,
                                  row.profile,
                                  row.requester,
                                  row.device_serial,
                                  seconds(row.recorded)});
    if (!is_same(hash, row.hash)) return "its content was changed";
    if (row.certificate && ca::sha256(row.certificate_der) != row.certificate->bytes)
        return "its certificate was changed";
    return {};
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

Result<std::vector<LedgerRow>> ledger_rows(store::Reader& reader,
                                           std::int64_t after_sequence,
                                           int limit) {
    static const std::string kSql =
        std::string(kColumns) + "WHERE i.sequence > ? ORDER BY i.sequence LIMIT ?";
    return read_all(reader.query(kSql, after_sequence, std::clamp(limit, 1, kMaxRowsAtOnce)),
                    make_row);
}

Result<std::int64_t> verify_ledger(store::Reader& reader) {
    static const std::string kSql = std::string(kColumns) + "ORDER BY i.sequence";
    auto rows = reader.query(kSql);
    std::int64_t count = 0;
    Bytes previous_hash(32);
    while (true) {
        auto there = rows.step();
        if (!there) return std::move(there).error();
        if (!*there) break;
        LedgerRow row = make_row(rows);
        if (auto fault = fault_of(row, count + 1, previous_hash); !fault.empty()) {
            return fail(Code::Conflict,
                        "ledger row " + std::to_string(row.sequence) + ": " + std::string(fault));
        }
        ++count;
        previous_hash = std::move(row.hash);
    }
    if (auto head = check_head(reader, count, previous_hash); !head) return std::move(head).error();
    return count;
}

}  // namespace hatchery::registry
