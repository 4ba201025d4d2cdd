#include "provisioning/flows/log.h"

#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>
#include <mutex>

namespace hatchery::flows {

namespace {

constexpr auto kName = "flows";
constexpr std::size_t kMost = 512;

}  // namespace

std::shared_ptr<spdlog::logger> log() {
    if (auto known = spdlog::get(kName)) return known;
    static std::mutex making;
    const std::lock_guard lock(making);
    if (auto known = spdlog::get(kName)) return known;
    auto made = spdlog::default_logger()->clone(kName);
    spdlog::register_logger(made);
    return made;
}

std::string log_value(std::string_view text) {
    std::string out = "\"";
    for (const char c : text.substr(0, kMost)) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            std::array<char, 8> escape{};
            std::snprintf(
                escape.data(), escape.size(), "\\x%02x", static_cast<unsigned char>(c) & 0xffU);
            out += escape.data();
        } else {
            out += c;
        }
    }
    if (text.size() > kMost) out += "...";
    out += '"';
    return out;
}

}  // namespace hatchery::flows
