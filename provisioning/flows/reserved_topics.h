// The provisioning MQTT API's wire form: request topic + payload in, response topic + payload out,
// JSON or CBOR.
#pragma once

#include "provisioning/flows/claim.h"

#include <optional>
#include <string>
#include <string_view>

namespace hatchery::flows {

/// Does the gateway answer `topic` itself ($aws/certificates/create/json, …/create-from-csr/…,
/// $aws/provisioning-templates/ NAME/provision/…, json or cbor)?
bool is_provisioning_request(std::string_view topic);
/// Is `filter` about topics of this API ($aws/certificates/…, $aws/provisioning-templates/…), so
/// that the subscription stays in the gateway and never reaches the broker?
bool is_provisioning_filter(std::string_view filter);

struct TopicReply {
    std::string topic;    ///< request topic + "/accepted" or "/rejected"
    std::string payload;  ///< JSON or CBOR; holds a private key after CreateKeysAndCertificate:
                          ///< never log it
};
/// Answers one request; every outcome is a reply: {statusCode, errorCode, errorMessage} on
/// /rejected.
/// @pre is_provisioning_request(topic)
TopicReply answer_provisioning_request(
    Service&, const Claimant&, std::string_view topic, ByteView payload, Time now);

}  // namespace hatchery::flows
