#include "tools/hatchery/audit_surroundings.h"

namespace hatchery::command {

Result<audit::Surroundings> audit_surroundings(const DataDirectory& data) {
    auto weak_keys = data.weak_keys();
    if (!weak_keys) return std::move(weak_keys).error();
    const std::string& level = data.config().log.level;
    return audit::Surroundings{std::move(*weak_keys), level == "info" || level == "debug"};
}

}  // namespace hatchery::command
