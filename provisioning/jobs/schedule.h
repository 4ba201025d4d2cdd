// What happens to jobs by itself with time, and what devices are told of it. Called by whoever has
// a timer: several processes may, since every step is one transaction that looks again.
#pragma once

#include "provisioning/jobs/jobs.h"

namespace hatchery::jobs {

/// One round: work that creating, canceling or deleting left over; timeouts; groups that things
/// joined or left; rollouts of this minute; abort criteria; schedules. Bounded.
/// @return whether more is due at once
Result<bool> advance(const Context&, Time now);

struct Message {
    std::string topic, payload;
};
/// Takes up to `limit` things whose list of work has changed, and gives what they are to be told on
/// …/jobs/notify and …/jobs/notify-next, in order.
Result<std::vector<Message>> take_notices(const Context&, int limit, Time now);

}  // namespace hatchery::jobs
