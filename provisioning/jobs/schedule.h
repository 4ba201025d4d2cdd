// What happens to jobs by itself with time, and what devices are told of it. Called by whoever has
// a timer: several processes may, since every step is one transaction that looks again.
#pragma once

#include "provisioning/jobs/jobs.h"

namespace hatchery::jobs {

/// One round: work that creating, canceling or deleting left over; timeouts; groups that things
/// joined or left; rollouts of this minute; abort criteria; schedules. Bounded.
/// @return whether more is due at once
Result<bool> advance(const Context&, Time now);

/// Leaves messages in the outbox (registry/outgoing.h) for up to `limit` things whose list of work
/// has changed, on …/jobs/notify and …/jobs/notify-next: at least once, however the process ends.
/// While the outbox is long the rest waits, as durable as the jobs.
/// @return whether more is due at once
Result<bool> leave_notices(const Context&, int limit, Time now);

}  // namespace hatchery::jobs
