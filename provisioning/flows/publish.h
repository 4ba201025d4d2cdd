// A message that comes by HTTPS, from a device with its certificate or from a caller of the data
// plane, through the broker.
#pragma once

#include "provisioning/flows/admit.h"
#include "provisioning/flows/messages.h"

#include <string>

namespace hatchery::flows {

/// What a device posts. Its certificate was proved in the handshake.
struct DevicePublish {
    ca::Certificate certificate;
    std::string source_ip;
    std::string server_name;  ///< SNI of the handshake; empty: none
    Event message;
};

/// Is it a topic that a client may publish to by HTTPS, and is the payload small enough?
/// @errors InvalidRequest  no topic name, a reserved one ($…), or over the limits of topics;
/// LimitExceeded  the payload
Result<> check_message(const Settings& settings, const Event& message);

/// Admits the device as a CONNECT would (first connect included), asks its policies for iot:Publish
/// (and iot:RetainPublish), and publishes. Returns once the broker has acknowledged (QoS 1) or the
/// message is written (QoS 0). Blocks on the store, hooks and the broker.
/// @errors Forbidden  not admitted or not allowed; those of check_message and `deliver`
Result<> publish_for_device(Service& service, DevicePublish publish, Time now);

/// Gives the message to the topic rules, then publishes it and waits for that.
/// @param principal  who publishes, for rules: a certificate id or an access key id
/// @errors Unavailable  no broker, or no acknowledgement within 10 seconds; those of the store
Result<> deliver(const Service& service, Event message, std::string_view principal);

}  // namespace hatchery::flows
