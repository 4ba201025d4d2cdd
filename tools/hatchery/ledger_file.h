// The ledger outside the database: exports (JSON, one row a line) and signed checkpoints.
#pragma once

#include "ca/issuer.h"
#include "provisioning/registry/ledger.h"

#include <string>
#include <string_view>

namespace hatchery::command {

/// One row as one JSON object, without a newline at the end; everything that its hash covers.
std::string to_json_line(const registry::LedgerRow& row);
/// @errors InvalidRequest  not what to_json_line writes
Result<registry::LedgerRow> parse_json_line(std::string_view line);

/// What the ledger was at a moment, to be kept off the machine.
struct Checkpoint {
    std::int64_t sequence = 0;
    std::string hash;  ///< hexadecimal
    CertificateId signer;
    std::string text;       ///< what is signed
    std::string signature;  ///< base64
};
/// @param head  the ledger's
Result<std::string> make_checkpoint(const registry::LedgerHead& head,
                                    const ca::Issuer& issuer,
                                    Time now);
/// @errors InvalidRequest  not what make_checkpoint writes
Result<Checkpoint> parse_checkpoint(std::string_view json);

}  // namespace hatchery::command
