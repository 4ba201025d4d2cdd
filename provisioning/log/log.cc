#include "provisioning/log/log.h"

#include "ca/base/bytes.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <mutex>

namespace hatchery {
namespace {

constexpr std::size_t kMaxBytes = 512;

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.:/@+,").find(c) != std::string_view::npos;
}

}  // namespace

std::shared_ptr<spdlog::logger> logger(const std::string& name) {
    if (auto known = spdlog::get(name)) return known;
    static std::mutex making;
    const std::lock_guard lock(making);
    if (auto known = spdlog::get(name)) return known;
    auto made = spdlog::default_logger()->clone(name);
    spdlog::register_logger(made);
    return made;
}

std::string log_value(std::string_view text) {
    const bool is_cut = text.size() > kMaxBytes;
    text = text.substr(0, kMaxBytes);
    if (!text.empty() && !is_cut && std::all_of(text.begin(), text.end(), is_plain)) {
        return std::string(text);
    }
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<std::uint8_t>(c);
        if (c == '"' || c == '\\') {
            out.append(1, '\\').append(1, c);
        } else if (byte < 0x20 || byte == 0x7f) {
            out.append("\\x").append(to_hex({&byte, 1}));
        } else {
            out += c;
        }
    }
    return out.append(is_cut ? "...\"" : "\"");
}

}  // namespace hatchery
