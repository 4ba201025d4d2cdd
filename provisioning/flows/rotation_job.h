// Ordering a rotation: the job that has devices exchange their certificates (rotation.h), and how
// far it has come. For commands, and any front that wants it.
#pragma once

#include "provisioning/jobs/jobs.h"
#include "provisioning/registry/certificates.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace hatchery::flows {

/// Which devices, and how. Exactly one of the first three is set.
struct RotationOrder {
    std::string job_id;
    std::string group;  ///< things of it and of the groups below
    std::string thing;
    std::optional<std::chrono::seconds> expiring;  ///< things whose certificate ends within it
    int timeout_minutes = 60;                      ///< that a device may take; 1-10080
    int retries = 3;     ///< of a device that fails or takes too long; 0-10
    int per_minute = 0;  ///< devices that are asked a minute, 1-1000; 0: all at once
};
/// Makes the job. One of `expiring` begins when all of its things are found: until then it is
/// SCHEDULED, and the same order again, after a crash, goes on.
/// @errors InvalidRequest  not one selection, or a member; NotFound  the group or thing;
/// AlreadyExists  the job; Conflict  it is no rotation
Result<> order_rotation(const jobs::Context& context, const RotationOrder& order, Time now);

/// A rotation and where its things stand.
struct RotationStanding {
    registry::Job job;
    registry::ExecutionCounts counts{};

    std::int64_t count(registry::ExecutionStatus status) const {
        return counts[static_cast<std::size_t>(status)];
    }
    std::int64_t total() const;
    std::int64_t open() const;  ///< things that may still get a certificate by this job
    /// Nothing will happen any more.
    bool is_over() const;
};
/// @errors NotFound; Conflict  the job is no rotation
Result<RotationStanding> find_rotation_job(store::Store& store, const std::string& job_id);

/// One thing at the end, or so far.
struct RotatedThing {
    registry::JobExecution execution;
    /// ACTIVE certificates that are attached to it, oldest first.
    std::vector<registry::DeviceCertificate> certificates;
};
/// Calls `with` for every thing of the job, in pages. @errors those of `with`, and of the store
Result<> for_each_rotated(store::Store& store,
                          const registry::Job& job,
                          const std::function<Result<>(const RotatedThing&)>& with);

}  // namespace hatchery::flows
