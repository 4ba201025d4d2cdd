// The box's named logger.
#pragma once

#include "provisioning/log/log.h"

namespace hatchery::audit {

inline std::shared_ptr<spdlog::logger> log() {
    return logger("audit");
}

}  // namespace hatchery::audit
