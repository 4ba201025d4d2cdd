// The calls into flows that may block on the store, a hook or a signature: for the flow threads.
// Nothing thrown below leaves them.
#pragma once

#include "provisioning/flows/admit.h"
#include "provisioning/flows/reserved_topics.h"
#include "provisioning/gateway/session.h"
#include "provisioning/rule_actions/engine.h"

namespace hatchery::gateway {

/// Admitting::step; an exception is a refusal (Internal).
void step(flows::Admitting& device);

/// flows::readmit now. Thread-safe, and short: for a loop's own thread.
std::optional<flows::Admission> readmit_device(flows::Service& service,
                                               flows::IdentityCache& remembered,
                                               const flows::ConnectRequest& request);

/// flows::refresh now. The answer is at least as new as the moment of the call. Thread-safe.
/// @errors Forbidden  the certificate is no longer ACTIVE; Unavailable, Internal  it cannot be read
Result<flows::Admission> refresh_device(flows::Service& service,
                                        const flows::ConnectRequest& request,
                                        const flows::Admission& previous);

/// flows::answer_provisioning_request now. Thread-safe.
/// @errors Internal  no answer could be made
Result<flows::TopicReply> answer_request(flows::Service& service,
                                         const flows::Claimant& claimant,
                                         const ProvisioningRequest& request);

/// Engine::keep now. Thread-safe. @errors of the store; Internal
Result<> keep_actions(rule_actions::Engine& rules, std::vector<registry::QueuedAction> actions);

/// flows::trace_denial now; a trace is worth no exception.
void trace_denied(const flows::Service& service,
                  const flows::ConnectRequest& request,
                  const flows::Admission& admission,
                  policy::Action action,
                  std::string_view name);

}  // namespace hatchery::gateway
