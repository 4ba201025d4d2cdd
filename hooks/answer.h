// The lines between us and a worker process, and what its answers mean. This box's own.
#pragma once

#include "hooks/hook.h"

#include <optional>

namespace hatchery::hooks {

/// A request to a `command` worker: AWS's event with one more member, "requestId", in front.
std::string event_line(const HookEvent& event, std::string_view request_id);
/// A request to a `lambda` shim: {"requestId", "remainingMs", "event"}, so that the handler gets
/// AWS's event alone.
std::string lambda_line(const HookEvent& event,
                        std::string_view request_id,
                        std::chrono::milliseconds remaining);

struct WorkerAnswer {
    std::optional<std::string> request_id;  ///< what it says it answers
    Result<HookDecision> decision;
};
/// One line of a worker. @errors InvalidRequest  no JSON object, or over 64 KiB
Result<WorkerAnswer> parse_worker_answer(std::string_view line);

/// At most `max_bytes` of UTF-8 `text`, cut at a character's end.
std::string cut(std::string text, std::size_t max_bytes);

}  // namespace hatchery::hooks
