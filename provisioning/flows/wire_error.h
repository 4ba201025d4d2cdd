// The one place where an Error becomes an answer on a …/rejected topic.
#pragma once

#include "ca/base/error.h"

#include <string>

namespace hatchery::flows {

/// {statusCode, errorCode, errorMessage} of the Device provisioning MQTT API. AWS publishes no full
/// list; clients branch on statusCode.
struct Rejection {
    int status_code = 500;
    std::string error_code;
    std::string error_message;
};

/// `where` picks the code of an InvalidRequest: "CSR…" InvalidCsr, "certificateOwnershipToken"
/// InvalidCertificateOwnershipToken, "payload" InvalidPayload, else InvalidParameters. What a hook
/// said, and our own failures, stay in the log.
/// @param request_id  given to the client instead of an internal message
Rejection rejection_of(const Error& error, const std::string& request_id);

}  // namespace hatchery::flows
