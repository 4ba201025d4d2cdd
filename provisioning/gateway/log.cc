#include "provisioning/gateway/log.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <memory>

namespace hatchery::gateway {
namespace {

constexpr std::size_t kMaxValue = 300;

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.:/@+,").find(c) != std::string_view::npos;
}

std::shared_ptr<spdlog::logger> make_logger() {
    if (auto existing = spdlog::get("gateway")) return existing;
    const auto standard = spdlog::default_logger();
    return standard->clone("gateway");
}

}  // namespace

spdlog::logger& log() {
    static const std::shared_ptr<spdlog::logger> logger = make_logger();
    return *logger;
}

std::string log_value(std::string_view value) {
    const bool is_cut = value.size() > kMaxValue;
    value = value.substr(0, kMaxValue);
    if (!value.empty() && !is_cut && std::all_of(value.begin(), value.end(), is_plain)) {
        return std::string(value);
    }
    static constexpr std::array<char, 17> kDigits{"0123456789abcdef"};
    std::string out = "\"";
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte == 0x7F) {
            out += "\\x";
            out += kDigits[byte >> 4];
            out += kDigits[byte & 0xF];
        } else {
            out += c;
        }
    }
    out += is_cut ? "...\"" : "\"";
    return out;
}

}  // namespace hatchery::gateway
