// One connection's lines in the log. This box's own.
#pragma once

#include "provisioning/gateway/session.h"

#include <string>
#include <string_view>

namespace hatchery::gateway {

/// A name for one connection in the log, unlike any other of this process.
std::string next_connection_id();

/// What is known of a connection; empty members are unknown.
struct ConnectionFacts {
    std::string_view id, certificate, client, thing, peer;
};

void log_accepted(const ConnectionFacts& facts, bool provisioned_now);
void log_answered(const ConnectionFacts& facts, std::string_view topic);
void log_note(const ConnectionFacts& facts, std::string_view note);
/// @param code  of the refusal, or empty
void log_closed(const ConnectionFacts& facts, const Close& close, std::string_view code);

}  // namespace hatchery::gateway
