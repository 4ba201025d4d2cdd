// The box's named logger.
#pragma once

#include "provisioning/log/log.h"

namespace hatchery::gateway {

/// Looked up once: a line a packet must not cost a lock.
inline spdlog::logger& log() {
    static const std::shared_ptr<spdlog::logger> kept = logger("gateway");
    return *kept;
}

}  // namespace hatchery::gateway
