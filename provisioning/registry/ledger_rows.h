// The ledger's rows: what is hashed, what must hold before one is written, and how a signed
// certificate is kept beside what was recorded. This box's own.
#pragma once

#include "ca/base/bytes.h"
#include "provisioning/registry/ledger.h"

#include <array>

namespace hatchery::registry {

/// What a row's hash covers, beside the hash of the row before.
struct LedgerFields {
    std::int64_t sequence = 0;
    ByteView issuer;
    ByteView serial_number;
    ByteView tbs;
    std::string_view profile;
    std::string_view requester;
    std::string_view device_serial;
    std::int64_t recorded = 0;
};
/// SHA-256 of the previous hash and the fields, each with its length in front, so that no two rows
/// have one encoding.
std::array<std::uint8_t, 32> chain_hash(ByteView previous_hash, const LedgerFields& fields);
/// The same for a row that is no certificate.
std::array<std::uint8_t, 32> chain_hash(ByteView previous_hash,
                                        std::int64_t sequence,
                                        const LedgerEvent& event,
                                        std::int64_t recorded);

/// Writes the row of a certificate and moves the ledger's head to it.
/// @param issuer  the key of fields.issuer among the authorities
/// @errors Conflict  the issuer has used the serial number already
Result<> insert_issued(store::Tx& tx,
                       const LedgerFields& fields,
                       std::int64_t issuer,
                       ByteView previous_hash,
                       ByteView hash);

/// A certificate's DER, cut: what was to be signed is in the ledger already.
struct CertificateParts {
    ByteView tbs;   ///< the whole element
    ByteView rest;  ///< signature algorithm and signature
};
/// @errors CertificateInvalid  not a SEQUENCE that begins with a SEQUENCE
Result<CertificateParts> split_certificate(ByteView der);
Bytes join_certificate(ByteView tbs, ByteView rest);

/// Nothing, or what is wrong with a row that follows `previous_hash` as number `sequence`.
std::string_view ledger_fault(const LedgerRow& row, std::int64_t sequence, ByteView previous_hash);

/// What `issued_keys` and `blocked_keys` know a key by.
Bytes key_mark(ByteView public_key_der);
/// Remembers who used the key last.
Result<> note_issued_key(store::Tx& tx,
                         ByteView public_key_der,
                         std::string_view device_serial,
                         std::int64_t sequence);
/// What must hold over all certificates before this one is recorded (StoreLedger::append), with
/// what follows from it: the station's count, and rows that are given up.
Result<> check_issue(store::Tx& tx,
                     const ca::Prepared& prepared,
                     const IssueTerms& terms,
                     std::string_view requester,
                     Time now);
/// Takes a row that recorded a station's certificate out of the station's count again.
Result<> uncount_station(store::Tx& tx, const LedgerRow& row);
/// Stops a recorded certificate that was never completed from ever being: it is revoked, and does
/// not count in its station's quota any more.
Result<> give_up(store::Tx& tx,
                 const CertificateId& issuer,
                 ByteView serial_number,
                 std::string_view requester,
                 Time now);

}  // namespace hatchery::registry
