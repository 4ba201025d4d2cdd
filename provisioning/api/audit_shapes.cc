#include "provisioning/api/audit_shapes.h"

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <cmath>

namespace hatchery::api::audits {
namespace {

constexpr std::int64_t kMostFindings = 250, kDefaultFindings = 25;
constexpr double kMostSeconds = 253'402'300'799.0;  // the year 9999

std::optional<Time> from_seconds(double count) {
    if (!std::isfinite(count) || count < 0 || count > kMostSeconds) return std::nullopt;
    return Time(std::chrono::seconds(static_cast<std::int64_t>(count)));
}

/// "YYYY-MM-DDTHH:MM:SS", then a fraction that is dropped, then Z.
std::optional<Time> from_iso8601(std::string_view text) {
    constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd";
    if (text.size() <= kForm.size() || !text.ends_with('Z')) return std::nullopt;
    std::array<int, 6> parts{};
    std::size_t part = 0;
    for (std::size_t i = 0; i < kForm.size(); ++i) {
        const bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (kForm[i] == 'd' ? !is_digit : text[i] != kForm[i]) return std::nullopt;
        if (is_digit) {
            parts.at(part) = parts.at(part) * 10 + (text[i] - '0');
        } else {
            ++part;
        }
    }
    const std::chrono::year_month_day day{std::chrono::year(parts[0]),
                                          std::chrono::month(static_cast<unsigned>(parts[1])),
                                          std::chrono::day(static_cast<unsigned>(parts[2]))};
    if (!day.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 60) return std::nullopt;
    return Time(std::chrono::sys_days(day)) + std::chrono::hours(parts[3]) +
           std::chrono::minutes(parts[4]) + std::chrono::seconds(parts[5]);
}

}  // namespace

std::optional<Time> read_timestamp(std::string_view text) {
    if (auto time = from_iso8601(text)) return time;
    double count = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
    return from_seconds(count);
}

Result<std::optional<Time>> optional_time(const Input& input, std::string_view name) {
    if (!input.has(name)) return std::optional<Time>();
    const auto& value = *input.node().find(name);
    const auto time = value.is_number() ? from_seconds(value.get<double>()) : std::nullopt;
    if (time) return time;
    return fail(Code::InvalidRequest,
                "expected seconds since 1970, found " + std::string(value.type_name()),
                "/" + std::string(name));
}

Result<std::optional<std::string>> optional_identifier(const Input& input) {
    auto object = input.optional_object("resourceIdentifier");
    if (!object) return std::move(object).error();
    if (!*object) return std::optional<std::string>();
    const auto names = (*object)->member_names();
    if (names.size() != 1) {
        return fail(Code::InvalidRequest,
                    "expected exactly one member, found " + std::to_string(names.size()),
                    "/resourceIdentifier");
    }
    // As findings carry it: compact, members in the order of AWS's names.
    nlohmann::ordered_json identifier;
    const auto& value = *(*object)->node().find(names.front());
    if (value.is_object()) {
        for (const auto& [name, item] : value.items())
            identifier[names.front()][name] = item;
    } else {
        identifier[names.front()] = value;
    }
    return std::optional(
        identifier.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

Result<registry::PageRequest> page_of_findings(const Call& call) {
    return page_by_body(call, kMostFindings, kDefaultFindings);
}

}  // namespace hatchery::api::audits
