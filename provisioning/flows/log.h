// The box's named logger.
#pragma once

#include "provisioning/log/log.h"

namespace hatchery::flows {

inline std::shared_ptr<spdlog::logger> log() {
    return logger("flows");
}

}  // namespace hatchery::flows
