// The box's named logger.
#pragma once

#include "provisioning/log/log.h"

namespace hatchery::api {

inline std::shared_ptr<spdlog::logger> log() {
    return logger("api");
}

}  // namespace hatchery::api
