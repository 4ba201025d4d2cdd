// Bulk registration: a file with the parameters of one device a line, registered in chunks. Each
// line is registered or refused by itself; its outcome commits with its records, so that a run that
// was killed goes on, and a run that is over changes nothing. Lines are made ready and signed on
// every core while the chunks before and behind them commit; memory holds three chunks, whatever
// the file's size.
#pragma once

#include "provisioning/flows/register.h"
#include "provisioning/registry/registration_tasks.h"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace hatchery::flows {

/// What became of one line.
struct BulkResult {
    std::int64_t line = 0;    ///< from 1
    std::int64_t offset = 0;  ///< of its first byte in the file
    Result<HttpRegistration> outcome;
    bool is_earlier = false;  ///< done by a run before this one
};

/// One line of JSON: {"lineNumber", "offset", "response": {"CertificatePem", "ResourceArns"}}, or
/// {"lineNumber", "offset", "errorMessage"}.
std::string to_json_line(const BulkResult& result);

struct BulkProgress {
    std::int64_t successes = 0, failures = 0;
    std::int64_t bytes = 0;  ///< of the file, done
};

struct BulkOptions {
    unsigned threads = 0;  ///< 0: one a core
    std::size_t chunk = 1024;
    std::string requester;  ///< of the ledger
    std::function<Time()> clock = clock_now;
    /// Gets every line's outcome, in order, once it is durable; on a thread of the run's. An error
    /// ends the run.
    std::function<Result<>(const BulkResult&)> report;
    /// Told after each chunk, on that thread; after false no more is read, and what was is
    /// finished.
    std::function<bool(const BulkProgress&)> go_on;
};

/// Registers the lines of `input` by `task`'s template. Empty lines are none.
/// @errors InvalidRequest  the template (a line's own mistakes are its outcome); Unavailable  the
/// store or the ledger cannot be written
Result<BulkProgress> register_lines(Service& service,
                                    const registry::RegistrationTask& task,
                                    std::istream& input,
                                    const BulkOptions& options);

}  // namespace hatchery::flows
