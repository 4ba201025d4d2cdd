// The issuing ledger's rows: what is hashed, and how a signed certificate is kept beside what was
// recorded. This box's own.
#pragma once

#include "ca/base/bytes.h"

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

/// A certificate's DER, cut: what was to be signed is in the ledger already.
struct CertificateParts {
    ByteView tbs;   ///< the whole element
    ByteView rest;  ///< signature algorithm and signature
};
/// @errors CertificateInvalid  not a SEQUENCE that begins with a SEQUENCE
Result<CertificateParts> split_certificate(ByteView der);
Bytes join_certificate(ByteView tbs, ByteView rest);

}  // namespace hatchery::registry
