#include "provisioning/registry/rows.h"

#include "ca/digest.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <limits>

namespace hatchery::registry {

const Kind kThing{"thing", "thing", "SELECT key FROM things WHERE name = ?"};
const Kind kThingType{"thing type", "thingtype", "SELECT key FROM thing_types WHERE name = ?"};
const Kind kThingGroup{
    "thing group", "thinggroup", "SELECT key FROM thing_groups WHERE name = ?", "thing_groups"};
const Kind kBillingGroup{"billing group",
                         "billinggroup",
                         "SELECT key FROM billing_groups WHERE name = ?",
                         "billing_groups"};
const Kind kPolicy{"policy", "policy", "SELECT key FROM policies WHERE name = ?"};
const Kind kTemplate{
    "provisioning template", "provisioningtemplate", "SELECT key FROM templates WHERE name = ?"};
const Kind kScheduledAudit{
    "scheduled audit", "scheduledaudit", "SELECT 1 FROM scheduled_audits WHERE name = ?"};

Error missing(std::string_view word, std::string_view name) {
    return fail(Code::NotFound, std::string(word) + " " + std::string(name) + " does not exist");
}

Error exists(const Account& account, const Kind& kind, std::string_view name) {
    Error error = fail(
        Code::AlreadyExists,
        std::string(kind.word) + " " + std::string(name) + " exists already with other properties");
    error.resource = account.arn(kind.arn_type, name);
    return error;
}

Result<bool> has_row(store::Statement statement) {
    return statement.step();
}

Result<> expect_row(store::Statement& statement, std::string_view word, std::string_view name) {
    auto row = statement.step();
    if (!row) return std::move(row).error();
    if (!*row) return missing(word, name);
    return {};
}

Result<std::int64_t> key_of(store::Reader& reader, const Kind& kind, std::string_view name) {
    auto statement = reader.query(kind.key_sql, name);
    if (auto there = expect_row(statement, kind.word, name); !there)
        return std::move(there).error();
    return statement.integer(0);
}

Result<std::int64_t> key_of(store::Tx& tx, const Kind& kind, std::string_view name) {
    if (kind.remembered.empty()) return key_of(static_cast<store::Reader&>(tx), kind, name);
    if (const auto* known = tx.recall<std::int64_t>(kind.remembered, name)) return *known;
    auto key = key_of(static_cast<store::Reader&>(tx), kind, name);
    if (key) tx.remember(kind.remembered, name, *key);
    return key;
}

Result<std::int64_t> read_count(store::Statement statement) {
    auto row = statement.step();
    if (!row) return std::move(row).error();
    return *row ? statement.integer(0) : 0;
}

Result<> check_version(std::optional<std::int64_t> expected, std::int64_t found) {
    if (!expected || *expected == found) return {};
    return fail(
        Code::VersionConflict,
        "expected version " + std::to_string(*expected) + ", found " + std::to_string(found),
        "expectedVersion");
}

Bytes new_uuid() {
    return ca::random_uuid_bytes();
}

std::string uuid_text(ByteView uuid) {
    if (uuid.size() != 16) return to_hex(uuid);
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text(36, '-');
    std::size_t at = 0;
    for (std::size_t i = 0; i < uuid.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) ++at;
        text[at++] = kDigits[uuid[i] >> 4U];
        text[at++] = kDigits[uuid[i] & 0xfU];
    }
    return text;
}

namespace {

/// The text between the quotes that begin at `at`, which moves behind them; nothing if there are
/// none or an escape is inside.
std::optional<std::string_view> plain_string(std::string_view text, std::size_t& at) {
    if (at >= text.size() || text[at] != '"') return std::nullopt;
    const std::size_t end = text.find_first_of("\"\\", at + 1);
    if (end == std::string_view::npos || text[end] != '"') return std::nullopt;
    const auto inside = text.substr(at + 1, end - at - 1);
    at = end + 1;
    return inside;
}

/// A map as map_text writes it, if no character of it is escaped: a tenth of the parser's time, and
/// a page of things has hundreds.
std::optional<std::map<std::string, std::string>> plain_map(std::string_view text) {
    std::map<std::string, std::string> map;
    std::size_t at = 0;
    for (char expected = '{'; at < text.size() && text[at] == expected; expected = ',') {
        const auto name = plain_string(text, ++at);
        if (!name || at >= text.size() || text[at] != ':') return std::nullopt;
        const auto value = plain_string(text, ++at);
        if (!value) return std::nullopt;
        map.emplace_hint(map.end(), *name, *value);
    }
    if (at + 1 != text.size() || text[at] != '}') return std::nullopt;
    return map;
}

/// Appends `value` as a JSON string, if no character of it needs an escape.
bool append_plain(std::string& text, std::string_view value) {
    const bool is_plain = std::all_of(value.begin(), value.end(), [](char c) {
        return c >= ' ' && c <= '~' && c != '"' && c != '\\';
    });
    if (is_plain) text.append(1, '"').append(value).append(1, '"');
    return is_plain;
}

std::optional<std::string> plain_text(const std::map<std::string, std::string>& map) {
    std::string text;
    for (const auto& [name, value] : map) {
        text += text.empty() ? '{' : ',';
        if (!append_plain(text, name)) return std::nullopt;
        text += ':';
        if (!append_plain(text, value)) return std::nullopt;
    }
    return text + '}';
}

std::optional<std::string> plain_text(const std::vector<std::string>& list) {
    std::string text;
    for (const auto& value : list) {
        text += text.empty() ? '[' : ',';
        if (!append_plain(text, value)) return std::nullopt;
    }
    return text + ']';
}

}  // namespace

std::optional<std::string> map_text(const std::map<std::string, std::string>& map) {
    if (map.empty()) return std::nullopt;
    if (auto plain = plain_text(map)) return plain;
    return nlohmann::json(map).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::map<std::string, std::string> map_of(std::string_view text) {
    std::map<std::string, std::string> map;
    if (text.empty()) return map;
    if (auto plain = plain_map(text)) return std::move(*plain);
    // Written by map_text; a damaged row gives what can be read of it.
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return map;
    for (const auto& [name, value] : json.items()) {
        if (value.is_string()) map.emplace(name, value.get_ref<const std::string&>());
    }
    return map;
}

std::map<std::string, std::string> updated_attributes(
    const std::map<std::string, std::string>& present,
    const std::map<std::string, std::string>& change,
    bool merge) {
    auto attributes = merge ? present : std::map<std::string, std::string>{};
    for (const auto& [name, value] : change) {
        if (value.empty()) {
            attributes.erase(name);
        } else {
            attributes[name] = value;
        }
    }
    return attributes;
}

std::optional<std::string> list_text(const std::vector<std::string>& list) {
    if (list.empty()) return std::nullopt;
    if (auto plain = plain_text(list)) return plain;
    return nlohmann::json(list).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<std::string> list_of(std::string_view text) {
    std::vector<std::string> list;
    if (text.empty()) return list;
    // Without escapes it is text between quotes; every request of a station reads such a list.
    if (text.find('\\') == std::string_view::npos) {
        for (auto open = text.find('"'); open != std::string_view::npos;) {
            const auto close = text.find('"', open + 1);
            if (close == std::string_view::npos) break;
            list.emplace_back(text.substr(open + 1, close - open - 1));
            open = text.find('"', close + 1);
        }
        return list;
    }
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_array()) return list;
    for (const auto& value : json) {
        if (value.is_string()) list.push_back(value.get_ref<const std::string&>());
    }
    return list;
}

Result<std::int64_t> key_position(const PageRequest& request, bool ascending) {
    if (request.after.empty()) return ascending ? 0 : std::numeric_limits<std::int64_t>::max();
    std::int64_t key = 0;
    const char* end = request.after.data() + request.after.size();
    auto [stop, problem] = std::from_chars(request.after.data(), end, key);
    if (problem != std::errc() || stop != end || key < 0)
        return fail(Code::InvalidRequest, "expected the position of an earlier page");
    return key;
}

CertificateId id_of(const store::Statement& row, int column) {
    return CertificateId::from_bytes(row.blob(column)).value_or(CertificateId{});
}

}  // namespace hatchery::registry
