// The answer to a device that asks over HTTPS for what is not a certificate. This box's own.
#pragma once

#include "provisioning/http/listener.h"

#include <string>

namespace hatchery::enroll {

struct DeviceAnswer {
    http::Response response;
    std::string certificate = "-", why;  ///< for the log
    bool is_internal = false;
};

}  // namespace hatchery::enroll
