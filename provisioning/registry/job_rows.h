// Times of jobs and executions that need not be there. This box's own.
#pragma once

#include "provisioning/registry/rows.h"

namespace hatchery::registry {

inline std::optional<Time> job_time(const store::Statement& row, int column) {
    if (row.is_null(column)) return std::nullopt;
    return time_of(row, column);
}
inline std::optional<std::int64_t> job_seconds(const std::optional<Time>& time) {
    if (!time) return std::nullopt;
    return seconds(*time);
}

/// Leaves a row in `job_memberships` if a continuous job goes to this group: `thing` has joined it.
Result<> note_joined(store::Tx& tx, std::int64_t thing, std::int64_t group);

}  // namespace hatchery::registry
