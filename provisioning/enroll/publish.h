// HTTPS publish: POST /topics/TOPIC?qos=0|1&retain=true|false with a device's certificate; the body
// is the message. AWS IoT Developer Guide, "HTTPS"; iot-data 2015-05-28, Publish.
#pragma once

#include "ca/base/clock.h"
#include "provisioning/enroll/device_answer.h"
#include "provisioning/flows/service.h"

#include <string>
#include <string_view>

namespace hatchery::enroll {

/// Is it a path of HTTPS publishes?
bool is_publish(std::string_view target);

/// Never tells the device more than AWS does: the reason is `why`, and a trace (`hatchery why`).
/// Thread-safe; waits for the broker.
DeviceAnswer answer_publish(flows::Service& service,
                            const http::Request& request,
                            const std::string& request_id,
                            Time now);

}  // namespace hatchery::enroll
