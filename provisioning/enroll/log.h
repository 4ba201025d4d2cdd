// The box's named logger.
#pragma once

#include "provisioning/log/log.h"

namespace hatchery::enroll {

inline std::shared_ptr<spdlog::logger> log() {
    return logger("enroll");
}

}  // namespace hatchery::enroll
