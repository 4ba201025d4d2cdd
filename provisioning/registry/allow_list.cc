#include "provisioning/registry/allow_list.h"

#include "provisioning/registry/rows.h"

#include <algorithm>

namespace hatchery::registry {

namespace {

constexpr int kMaxPatterns = 1'000;
constexpr std::size_t kMaxListName = 64;

Error about_serial(Code code, std::string_view list, std::string_view serial, const char* what) {
    return fail(code,
                "serial number " + std::string(serial) + " " + what + " list " + std::string(list));
}

Result<> check_serial(std::string_view serial) {
    if (!serial.empty() && serial.size() <= kMaxSerialBytes) return {};
    return fail(
        Code::InvalidRequest,
        "expected a serial number of 1 to 256 bytes, found " + std::to_string(serial.size()),
        "serialNumber");
}

/// The list's key, or 0 if there is no such list.
Result<std::int64_t> list_key(store::Reader& reader, std::string_view list) {
    auto row = reader.query("SELECT key FROM allow_lists WHERE name = ?", list);
    auto there = row.step();
    if (!there) return std::move(there).error();
    return *there ? row.integer(0) : 0;
}

Result<std::int64_t> make_list(store::Tx& tx, std::string_view list) {
    if (auto checked = check_list_name(list); !checked) return std::move(checked).error();
    auto key = list_key(tx, list);
    if (!key || *key != 0) return key;
    if (auto made = tx.run("INSERT INTO allow_lists(name) VALUES(?)", list); !made) {
        return std::move(made).error();
    }
    return tx.last_insert_rowid();
}

std::optional<std::int64_t> optional_seconds(const std::optional<Time>& time) {
    if (!time) return std::nullopt;
    return seconds(*time);
}
std::optional<Time> optional_time(const store::Statement& row, int column) {
    if (row.is_null(column)) return std::nullopt;
    return time_of(row, column);
}

constexpr std::string_view kSerialColumns =
    "serial, state, template, key_sha256, not_before, not_after, certificate, used";

AllowedSerial serial_of(const store::Statement& row) {
    AllowedSerial entry;
    entry.serial_number = row.text(0);
    entry.state = static_cast<SerialState>(std::clamp<std::int64_t>(row.integer(1), 0, 2));
    entry.terms = {row.optional_text(2), optional_time(row, 4), optional_time(row, 5)};
    entry.key_sha256 = to_bytes(row.blob(3));
    if (!row.is_null(6)) entry.used_by = id_of(row, 6);
    entry.used_at = optional_time(row, 7);
    return entry;
}

Result<> put_serial(store::Tx& tx,
                    std::int64_t list,
                    const AllowedSerial& entry,
                    std::string_view insert) {
    std::optional<ByteView> key;
    if (!entry.key_sha256.empty()) key = entry.key_sha256;
    std::optional<ByteView> certificate;
    if (entry.used_by) certificate = entry.used_by->view();
    return tx.run(insert,
                  list,
                  std::string_view(entry.serial_number),
                  static_cast<int>(entry.state),
                  entry.terms.template_name,
                  key,
                  optional_seconds(entry.terms.not_before),
                  optional_seconds(entry.terms.not_after),
                  certificate,
                  optional_seconds(entry.used_at));
}

constexpr std::string_view kInsertOrIgnore =
    "INSERT OR IGNORE INTO allowed_serials(list, serial, state, template, key_sha256, not_before, "
    "not_after, certificate, used) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view kInsertOrReplace =
    "INSERT OR REPLACE INTO allowed_serials(list, serial, state, template, key_sha256, not_before, "
    "not_after, certificate, used) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)";

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// How many digits end `text`.
std::size_t digits_at_end(std::string_view text) {
    const auto last = std::find_if_not(text.rbegin(), text.rend(), is_digit);
    return static_cast<std::size_t>(last - text.rbegin());
}

bool covers(const AllowedPattern& pattern, std::string_view serial) {
    if (pattern.high.empty()) return serial.starts_with(pattern.low);
    if (serial.size() != pattern.low.size() || serial < pattern.low || serial > pattern.high) {
        return false;
    }
    // Between "A09" and "A11" lies "A0z", too: what follows the common text has to be digits.
    const auto differs =
        std::mismatch(pattern.low.begin(), pattern.low.end(), pattern.high.begin());
    const auto common = static_cast<std::size_t>(differs.first - pattern.low.begin());
    return std::all_of(
        serial.begin() + static_cast<std::ptrdiff_t>(common), serial.end(), is_digit);
}

AllowedPattern pattern_of(const store::Statement& row) {
    return {std::string(row.text(0)),
            std::string(row.text(1)),
            {row.optional_text(2), optional_time(row, 3), optional_time(row, 4)}};
}

}  // namespace

std::string_view to_string(SerialState state) {
    switch (state) {
        case SerialState::Unused:
            return "unused";
        case SerialState::Used:
            return "used";
        case SerialState::Blocked:
            return "blocked";
    }
    return "unused";
}

Result<SerialState> parse_serial_state(std::string_view text) {
    for (const auto state : {SerialState::Unused, SerialState::Used, SerialState::Blocked}) {
        if (text == to_string(state)) return state;
    }
    return fail(Code::InvalidRequest,
                "expected unused, used or blocked, found \"" + std::string(text) + "\"",
                "state");
}

Result<> check_list_name(std::string_view name) {
    const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
               c == '_' || c == '.';
    });
    if (is_plain && !name.empty() && name.size() <= kMaxListName) return {};
    return fail(Code::InvalidRequest,
                "expected a list's name of 1 to 64 of a-z A-Z 0-9 - _ ., found \"" +
                    std::string(name) + "\"",
                "list");
}

Result<AllowedPattern> parse_serial_range(std::string_view text) {
    const auto dots = text.find("..");
    if (dots != std::string_view::npos) {
        const auto low = text.substr(0, dots);
        const auto high = text.substr(dots + 2);
        const auto digits = std::min(digits_at_end(low), digits_at_end(high));
        const bool is_range =
            low.size() == high.size() && digits > 0 && low <= high &&
            low.size() <= kMaxSerialBytes &&
            low.substr(0, low.size() - digits) == high.substr(0, high.size() - digits);
        if (is_range) return AllowedPattern{std::string(low), std::string(high), {}};
    }
    return fail(Code::InvalidRequest,
                "expected a range such as SN-0001..SN-0999, found \"" + std::string(text) + "\"",
                "range");
}

Result<SerialChanges> add_serials(store::Tx& tx,
                                  std::string_view list,
                                  std::span<const AllowedSerial> entries,
                                  OnExisting on_existing) {
    auto key = make_list(tx, list);
    if (!key) return std::move(key).error();
    const auto insert = on_existing == OnExisting::Skip ? kInsertOrIgnore : kInsertOrReplace;
    SerialChanges changes;
    for (const auto& entry : entries) {
        if (auto checked = check_serial(entry.serial_number); !checked) {
            return std::move(checked).error();
        }
        if (auto put = put_serial(tx, *key, entry, insert); !put) return std::move(put).error();
        ++(tx.changes() > 0 ? changes.added : changes.existing);
    }
    return changes;
}

Result<> add_pattern(store::Tx& tx, std::string_view list, const AllowedPattern& pattern) {
    if (auto checked = check_serial(pattern.low); !checked) return checked;
    auto key = make_list(tx, list);
    if (!key) return std::move(key).error();
    auto count = read_count(tx.query("SELECT count(*) FROM allowed_patterns WHERE list = ?", *key));
    if (!count) return std::move(count).error();
    if (*count >= kMaxPatterns) {
        return fail(Code::LimitExceeded,
                    "list " + std::string(list) + " has 1000 prefixes and ranges already");
    }
    return tx.run(
        "INSERT OR REPLACE INTO allowed_patterns(list, low, high, template, not_before, "
        "not_after) VALUES(?, ?, ?, ?, ?, ?)",
        *key,
        std::string_view(pattern.low),
        std::string_view(pattern.high),
        pattern.terms.template_name,
        optional_seconds(pattern.terms.not_before),
        optional_seconds(pattern.terms.not_after));
}

Result<> remove_serial(store::Tx& tx, std::string_view list, std::string_view serial_number) {
    auto key = list_key(tx, list);
    if (!key) return std::move(key).error();
    auto gone =
        tx.run("DELETE FROM allowed_serials WHERE list = ? AND serial = ?", *key, serial_number);
    if (!gone || tx.changes() > 0) return gone;
    return about_serial(Code::NotFound, list, serial_number, "has no entry in");
}

Result<> remove_pattern(store::Tx& tx, std::string_view list, const AllowedPattern& pattern) {
    auto key = list_key(tx, list);
    if (!key) return std::move(key).error();
    auto gone = tx.run("DELETE FROM allowed_patterns WHERE list = ? AND low = ? AND high = ?",
                       *key,
                       std::string_view(pattern.low),
                       std::string_view(pattern.high));
    if (!gone || tx.changes() > 0) return gone;
    return fail(Code::NotFound, "list " + std::string(list) + " has no such prefix or range");
}

Result<> set_serial_state(store::Tx& tx,
                          std::string_view list,
                          std::string_view serial_number,
                          SerialState state) {
    auto key = list_key(tx, list);
    if (!key) return std::move(key).error();
    auto set = tx.run(
        "UPDATE allowed_serials SET state = ?3, "
        "certificate = CASE ?3 WHEN 0 THEN NULL ELSE certificate END, "
        "used = CASE ?3 WHEN 0 THEN NULL ELSE used END WHERE list = ?1 AND serial = ?2",
        *key,
        serial_number,
        static_cast<int>(state));
    if (!set || tx.changes() > 0) return set;
    return about_serial(Code::NotFound, list, serial_number, "has no entry in");
}

Result<std::vector<AllowedSerial>> list_serials(store::Reader& reader,
                                                std::string_view list,
                                                std::string_view after,
                                                std::string_view prefix,
                                                int limit) {
    auto key = list_key(reader, list);
    if (!key) return std::move(key).error();
    static const std::string sql = "SELECT " + std::string(kSerialColumns) +
                                   " FROM allowed_serials WHERE list = ?1 AND serial > ?2 "
                                   "AND serial >= ?3 AND substr(serial, 1, length(?3)) = ?3 "
                                   "ORDER BY serial LIMIT ?4";
    return read_all(reader.query(sql, *key, after, prefix, limit), serial_of);
}

Result<std::vector<AllowedPattern>> list_patterns(store::Reader& reader, std::string_view list) {
    return read_all(reader.query("SELECT p.low, p.high, p.template, p.not_before, p.not_after "
                                 "FROM allow_lists l JOIN allowed_patterns p ON p.list = l.key "
                                 "WHERE l.name = ? ORDER BY p.low, p.high",
                                 list),
                    pattern_of);
}

Result<std::vector<std::pair<std::string, SerialCounts>>> count_serials(store::Reader& reader) {
    return read_all(
        reader.query("SELECT l.name, "
                     "(SELECT count(*) FROM allowed_serials WHERE list = l.key AND state = 0), "
                     "(SELECT count(*) FROM allowed_serials WHERE list = l.key AND state = 1), "
                     "(SELECT count(*) FROM allowed_serials WHERE list = l.key AND state = 2), "
                     "(SELECT count(*) FROM allowed_patterns WHERE list = l.key) "
                     "FROM allow_lists l ORDER BY l.name"),
        [](const store::Statement& row) {
            return std::pair(
                std::string(row.text(0)),
                SerialCounts{row.integer(1), row.integer(2), row.integer(3), row.integer(4)});
        });
}

Result<CoveringEntry> find_serial(store::Reader& reader,
                                  std::string_view list,
                                  std::string_view serial_number) {
    static const std::string sql =
        "SELECT " + std::string(kSerialColumns) +
        " FROM allowed_serials WHERE list = (SELECT key FROM allow_lists WHERE name = ?) "
        "AND serial = ?";
    {
        auto row = reader.query(sql, list, serial_number);
        auto there = row.step();
        if (!there) return std::move(there).error();
        if (*there) return CoveringEntry{serial_of(row), true};
    }
    auto patterns = list_patterns(reader, list);
    if (!patterns) return std::move(patterns).error();
    for (const auto& pattern : *patterns) {
        if (!covers(pattern, serial_number)) continue;
        return CoveringEntry{{std::string(serial_number), SerialState::Unused, pattern.terms},
                             false};
    }
    return fail(Code::NotFound, "is not on the list " + std::string(list));
}

Result<> check_serial_use(const CoveringEntry& covering, const SerialUse& use) {
    const auto& entry = covering.entry;
    const auto refuse = [](std::string why) { return fail(Code::Forbidden, std::move(why)); };
    if (entry.state == SerialState::Blocked) return refuse("is blocked");
    if (entry.terms.template_name && *entry.terms.template_name != use.template_name) {
        return refuse("is for the template " + *entry.terms.template_name);
    }
    if (entry.terms.not_before && use.now < *entry.terms.not_before) {
        return refuse("may not register before " + to_iso8601(*entry.terms.not_before));
    }
    if (entry.terms.not_after && use.now > *entry.terms.not_after) {
        return refuse("may not register after " + to_iso8601(*entry.terms.not_after));
    }
    if (!entry.key_sha256.empty() && entry.key_sha256 != use.key_sha256) {
        return refuse("is bound to another public key");
    }
    if (use.single_use && entry.state == SerialState::Used && entry.used_by != use.certificate) {
        std::string why = "was used";
        if (entry.used_by) why += " by certificate " + entry.used_by->hex();
        if (entry.used_at) why += " at " + to_iso8601(*entry.used_at);
        return refuse(std::move(why));
    }
    return {};
}

Result<> use_serial(store::Tx& tx, const SerialUse& use) {
    auto covering = find_serial(tx, use.list, use.serial_number);
    if (!covering) return std::move(covering).error();
    if (auto checked = check_serial_use(*covering, use); !checked) return checked;
    auto key = list_key(tx, use.list);
    if (!key) return std::move(key).error();
    AllowedSerial entry = std::move(covering->entry);
    entry.state = SerialState::Used;
    entry.used_by = use.certificate;
    entry.used_at = use.now;
    return put_serial(tx, *key, entry, kInsertOrReplace);
}

}  // namespace hatchery::registry
