#include "hooks/log.h"

#include <spdlog/spdlog.h>

#include <cstdio>
#include <mutex>

namespace hatchery::hooks {

namespace {

constexpr const char* kName = "hooks";
constexpr std::size_t kMaxBytes = 1024;

}  // namespace

std::shared_ptr<spdlog::logger> logger() {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    if (auto known = spdlog::get(kName)) return known;
    auto made = spdlog::default_logger()->clone(kName);
    try {
        spdlog::register_logger(made);
    } catch (const spdlog::spdlog_ex&) {
        // Somebody else registered one in this moment; ours writes to the same place.
    }
    return made;
}

std::string log_value(std::string_view text) {
    std::string value = "\"";
    for (char c : text.substr(0, kMaxBytes)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            value += '\\';
            value += c;
        } else if (byte < 0x20 || byte == 0x7F) {
            char escape[5];
            std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(byte));
            value += escape;
        } else {
            value += c;
        }
    }
    value += text.size() > kMaxBytes ? "...\"" : "\"";
    return value;
}

}  // namespace hatchery::hooks
