// The device MQTT API of jobs: request topic and payload in, response topic and payload out. The
// answers go straight to the client that asked, whether it has subscribed to them or not.
#pragma once

#include "ca/base/bytes.h"
#include "provisioning/jobs/jobs.h"

#include <optional>
#include <string>
#include <string_view>

namespace hatchery::jobs {

/// Is `topic` a request of this API, or below $aws/things/THING/jobs/ but no topic that the service
/// itself publishes to?
bool is_request(std::string_view topic);

struct Reply {
    std::string topic;  ///< request topic + "/accepted" or "/rejected"
    std::string payload;
};
/// Every outcome is a reply: {code, message, clientToken, timestamp, executionState} on /rejected.
/// @pre is_request(topic)
Reply answer_request(const Context&, std::string_view topic, ByteView payload, Time now);

}  // namespace hatchery::jobs
