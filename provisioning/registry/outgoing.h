// The outbox: messages that commits leave for the broker, so that they are as durable as what they
// tell. Registry events (AWS IoT Developer Guide, "Registry events") are written by triggers when
// their type is on (set_event_configurations); a flow may leave messages of its own.
#pragma once

#include "provisioning/registry/account.h"
#include "provisioning/store/store.h"

#include <string>
#include <string_view>
#include <vector>

namespace hatchery::registry {

struct OutgoingMessage {
    std::int64_t key = 0;  ///< later messages have greater ones
    std::string topic, payload;
};

/// Leaves a message to be published once this commit is durable: at least once, in order.
Result<> leave_message(store::Tx&, std::string_view topic, std::string_view payload);
/// The oldest `most` messages.
Result<std::vector<OutgoingMessage>> outgoing_messages(store::Reader&, const Account&, int most);
/// Do more than `count` wait?
Result<bool> has_outgoing_beyond(store::Reader&, int count);
/// Forgets the messages up to `key`, which the broker has acknowledged.
Result<> forget_outgoing(store::Tx&, std::int64_t key);

}  // namespace hatchery::registry
