// Topic names and filters (MQTT 3.1.1, 4.7).
#include "provisioning/gateway/mqtt.h"

namespace hatchery::gateway::mqtt {
namespace {

/// The first level of `text`, which then starts after the slash; the last level leaves "no more".
struct Levels {
    std::string_view rest;
    bool more = true;
    std::string_view take() {
        const auto slash = rest.find('/');
        const std::string_view level = rest.substr(0, slash);
        more = slash != std::string_view::npos;
        rest = more ? rest.substr(slash + 1) : std::string_view{};
        return level;
    }
};

}  // namespace

bool is_topic_name(std::string_view topic) {
    return !topic.empty() && topic.find_first_of("+#") == std::string_view::npos;
}

bool is_topic_filter(std::string_view filter) {
    if (filter.empty()) return false;
    Levels levels{filter};
    while (levels.more) {
        const std::string_view level = levels.take();
        if (level == "#") return !levels.more;
        if (level != "+" && level.find_first_of("+#") != std::string_view::npos) return false;
    }
    return true;
}

bool topic_matches(std::string_view filter, std::string_view topic) {
    if (topic.starts_with('$') && !filter.starts_with('$')) return false;  // 4.7.2
    Levels filters{filter};
    Levels topics{topic};
    while (filters.more) {
        const std::string_view wanted = filters.take();
        if (wanted == "#") return true;  // also the parent level: "a/#" matches "a" (4.7.1.2)
        if (!topics.more) return false;
        const std::string_view level = topics.take();
        if (wanted != "+" && wanted != level) return false;
    }
    return !topics.more;
}

}  // namespace hatchery::gateway::mqtt
