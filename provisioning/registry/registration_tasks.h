// Bulk registration: its tasks, and which lines of a task's file are done. A line's row is written
// in the commit that registers its device, so a task that was killed goes on where it was.
#pragma once

#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "provisioning/registry/page.h"
#include "provisioning/store/store.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::registry {

enum class RegistrationTaskStatus { InProgress, Completed, Failed, Cancelled, Cancelling };
std::string_view to_string(RegistrationTaskStatus status);  ///< AWS's spelling, "InProgress"
/// @errors InvalidRequest
Result<RegistrationTaskStatus> parse_registration_task_status(std::string_view text);

struct RegistrationTask {
    std::int64_t key = 0;
    std::string id;
    Time created, modified;
    std::string template_body;
    std::string bucket;  ///< empty: a command's, not one of the control plane
    std::string file;    ///< its key in the bucket, or a command's path
    std::string role_arn;
    RegistrationTaskStatus status = RegistrationTaskStatus::InProgress;
    std::string message;
    std::int64_t successes = 0, failures = 0;
    int percentage = 0;
};

/// Adds `wanted` as InProgress. @errors AlreadyExists  the id; LimitExceeded  another task of the
/// control plane is not over yet
Result<RegistrationTask> start_registration_task(store::Tx&,
                                                 const RegistrationTask& wanted,
                                                 Time now);
Result<RegistrationTask> find_registration_task(store::Reader&, std::string_view id);
/// The control plane's, oldest first.
Result<Page<RegistrationTask>> list_registration_tasks(store::Reader&,
                                                       const PageRequest&,
                                                       std::optional<RegistrationTaskStatus>);
/// The control plane's task that is not over. @errors NotFound
Result<RegistrationTask> open_registration_task(store::Reader&);
/// Counts, percentage, status and message, as they are in `task`; a task that is being cancelled
/// stays so while it goes on.
Result<> update_registration_task(store::Tx&, const RegistrationTask& task, Time now);
/// InProgress becomes Cancelling; one that is over stays as it is. @errors NotFound
Result<> cancel_registration_task(store::Tx&, std::string_view id, Time now);

/// Ids of tasks that are over and have not changed since `before`, at most 100.
Result<std::vector<std::string>> old_registration_tasks(store::Reader&, Time before);
/// Deletes at most so many of the task's lines, and the task once it has none. Is it gone?
Result<bool> forget_registration_task(store::Tx&, std::string_view id, int at_most);

/// A line that is done: its device is registered, or was refused.
struct RegisteredLine {
    std::int64_t number = 0;  ///< from 1
    std::optional<CertificateId> certificate;
    std::optional<std::string> error;
};
/// @errors AlreadyExists  the line is done
Result<> add_registered_line(store::Tx&, std::int64_t task, const RegisteredLine& line);
/// The done lines among [first, last], by number.
Result<std::vector<RegisteredLine>> registered_lines(store::Reader&,
                                                     std::int64_t task,
                                                     std::int64_t first,
                                                     std::int64_t last);

}  // namespace hatchery::registry
