#include "provisioning/http/target.h"

namespace hatchery::http {
namespace {

constexpr std::size_t kMaxBytes = 8192;
constexpr std::size_t kMaxParts = 64;

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Calls `each` with every part of `text` between separators, empty ones included.
template <class F>
void split(std::string_view text, char separator, F each) {
    for (;;) {
        const std::size_t end = text.find(separator);
        each(text.substr(0, end));
        if (end == std::string_view::npos) return;
        text.remove_prefix(end + 1);
    }
}

/// RFC 3986 5.2.4 and repeated slashes, as every SigV4 signer does before it signs.
std::vector<std::string_view> normal_segments(std::string_view path) {
    std::vector<std::string_view> kept;
    split(path, '/', [&](std::string_view part) {
        if (part.empty() || part == ".") return;
        if (part != "..") {
            kept.push_back(part);
        } else if (!kept.empty()) {
            kept.pop_back();
        }
    });
    return kept;
}

std::string join_path(const std::vector<std::string_view>& segments, bool trailing_slash) {
    std::string path;
    for (const auto& segment : segments)
        path.append("/").append(segment);
    if (path.empty() || trailing_slash) path += '/';
    return path;
}

Result<std::pair<std::string, std::string>> parse_parameter(std::string_view text) {
    const std::size_t equals = text.find('=');
    auto name = percent_decode(text.substr(0, equals));
    if (!name) return std::move(name).error();
    if (equals == std::string_view::npos) return std::pair{std::move(*name), std::string()};
    auto value = percent_decode(text.substr(equals + 1));
    if (!value) return std::move(value).error();
    return std::pair{std::move(*name), std::move(*value)};
}

Result<> parse_query(std::string_view text, Target& target) {
    Result<> outcome;
    split(text, '&', [&](std::string_view part) {
        if (part.empty() || !outcome) return;
        if (target.query.size() == kMaxParts) {
            outcome = fail(Code::InvalidRequest, "expected at most 64 query parameters");
            return;
        }
        auto parameter = parse_parameter(part);
        if (parameter) {
            target.query.push_back(std::move(*parameter));
        } else {
            outcome = std::move(parameter).error();
        }
    });
    return outcome;
}

}  // namespace

std::optional<std::string_view> Target::parameter(std::string_view name) const {
    for (const auto& [key, value] : query) {
        if (key == name) return value;
    }
    return std::nullopt;
}

Result<Target> parse_target(std::string_view raw) {
    if (raw.size() > kMaxBytes) {
        return fail(
            Code::InvalidRequest,
            "expected a request target of at most 8192 bytes, found " + std::to_string(raw.size()));
    }
    if (!raw.starts_with('/')) {
        return fail(Code::InvalidRequest, "expected a request target that begins with '/'");
    }
    const std::size_t mark = raw.find('?');
    const std::string_view path = raw.substr(0, mark);
    const auto parts = normal_segments(path);
    if (parts.size() > kMaxParts) {
        return fail(Code::InvalidRequest, "expected at most 64 path segments");
    }
    Target target;
    target.path = join_path(parts, path.ends_with('/') && !parts.empty());
    for (const auto& part : parts) {
        auto segment = percent_decode(part);
        if (!segment) return std::move(segment).error();
        target.segments.push_back(std::move(*segment));
    }
    if (mark == std::string_view::npos) return target;
    if (auto parsed = parse_query(raw.substr(mark + 1), target); !parsed) {
        return std::move(parsed).error();
    }
    return target;
}

Result<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = text.size() - i > 2 ? hex_digit(text[i + 1]) : -1;
        const int low = text.size() - i > 2 ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return fail(Code::InvalidRequest, "expected two hexadecimal digits after '%'");
        }
        const int value = high * 16 + low;
        if (value == 0) return fail(Code::InvalidRequest, "expected no %00 in a request target");
        out += static_cast<char>(value);
        i += 2;
    }
    return out;
}

}  // namespace hatchery::http
