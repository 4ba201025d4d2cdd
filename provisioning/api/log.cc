#include "provisioning/api/log.h"

#include "ca/base/bytes.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace hatchery::api {
namespace {

constexpr const char* kName = "api";
constexpr std::size_t kMaxBytes = 500;

std::shared_ptr<spdlog::logger> make_logger() {
    if (auto known = spdlog::get(kName)) return known;
    auto made = spdlog::default_logger()->clone(kName);
    spdlog::register_logger(made);
    return made;
}

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.:/").find(c) != std::string_view::npos;
}

}  // namespace

std::shared_ptr<spdlog::logger> log() {
    static const std::shared_ptr<spdlog::logger> logger = make_logger();
    return logger;
}

std::string log_value(std::string_view text) {
    text = text.substr(0, kMaxBytes);
    if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return std::string(text);
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
    return out + '"';
}

}  // namespace hatchery::api
