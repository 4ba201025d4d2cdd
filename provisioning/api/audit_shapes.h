// Inputs that the audit operations share.
#pragma once

#include "provisioning/api/call.h"

#include <optional>
#include <string>
#include <string_view>

namespace hatchery::api::audits {

/// ISO 8601 ("2026-11-22T19:59:35Z", a fraction allowed), as clients send times in a query, or
/// seconds since the epoch. Nothing for any other text.
std::optional<Time> read_timestamp(std::string_view text);
/// Seconds since the epoch, a fraction allowed. @errors InvalidRequest  no number
Result<std::optional<Time>> optional_time(const Input& input, std::string_view name);
/// resourceIdentifier, exactly one member, as the registry keeps it. @errors InvalidRequest
Result<std::optional<std::string>> optional_identifier(const Input& input);
/// maxResults (1-250, 25 unless set) and nextToken of the body. @errors InvalidRequest
Result<registry::PageRequest> page_of_findings(const Call& call);

}  // namespace hatchery::api::audits
