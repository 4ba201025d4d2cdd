// What the registry's functions share: rows to values and back, look-ups by name, pages. This box's
// own.
#pragma once

#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "provisioning/registry/account.h"
#include "provisioning/registry/page.h"
#include "provisioning/store/store.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace hatchery::registry {

inline std::int64_t seconds(Time time) {
    return time.time_since_epoch().count();
}
inline Time time_of(const store::Statement& row, int column) {
    return Time(std::chrono::seconds(row.integer(column)));
}

/// What has a name: its table and the word for it in messages and ARNs.
struct Kind {
    std::string_view word;      ///< "thing group"
    std::string_view arn_type;  ///< "thinggroup"
    std::string_view key_sql;   ///< SELECT key FROM … WHERE name = ?
    /// The table whose keys a write remembers (Tx::remember); empty for what there are millions of.
    std::string_view remembered{};
};
extern const Kind kThing, kThingType, kThingGroup, kBillingGroup, kPolicy, kTemplate,
    kScheduledAudit;

/// "thing group unclaimed does not exist"
Error missing(std::string_view word, std::string_view name);
/// "thing t1 exists already with other properties", `resource` = its ARN
Error exists(const Account& account, const Kind& kind, std::string_view name);
/// @errors NotFound
Result<std::int64_t> key_of(store::Reader& reader, const Kind& kind, std::string_view name);
/// The same, remembered where the kind says so.
Result<std::int64_t> key_of(store::Tx& tx, const Kind& kind, std::string_view name);
/// Is there a row? For statements that give one or none.
Result<bool> has_row(store::Statement statement);
/// Steps onto the only row. @errors NotFound
Result<> expect_row(store::Statement& statement, std::string_view word, std::string_view name);
/// The first column of the first row, or 0.
Result<std::int64_t> read_count(store::Statement statement);
/// @errors VersionConflict
Result<> check_version(std::optional<std::int64_t> expected, std::int64_t found);

/// A new random UUID as its 16 bytes, and the text of such bytes.
Bytes new_uuid();
std::string uuid_text(ByteView uuid);

/// Compact JSON of a flat map or a list of strings; nothing for an empty one.
std::optional<std::string> map_text(const std::map<std::string, std::string>& map);
std::map<std::string, std::string> map_of(std::string_view text);
std::optional<std::string> list_text(const std::vector<std::string>& list);
std::vector<std::string> list_of(std::string_view text);

/// What `change` leaves of `present`: replaced, or merged with empty values deleting.
std::map<std::string, std::string> updated_attributes(
    const std::map<std::string, std::string>& present,
    const std::map<std::string, std::string>& change,
    bool merge);

/// Tags of Tx::mark_new, each with what it counts. A new certificate has both of its tags.
inline std::int64_t tag_of_thing_groups(std::int64_t thing) {
    return 3 * thing;
}
inline std::int64_t tag_of_policies(std::int64_t certificate) {
    return 3 * certificate + 1;
}
inline std::int64_t tag_of_things(std::int64_t certificate) {
    return 3 * certificate + 2;
}

inline int page_limit(const PageRequest& request) {
    return std::clamp(request.limit, 1, 250);
}
/// The key that `request` goes on after. @errors InvalidRequest  not a position of ours
Result<std::int64_t> key_position(const PageRequest& request, bool ascending = true);

enum class Position { Key, Name };  ///< columns 0 and 1 of the rows
/// Reads a page from rows that were asked for with LIMIT page_limit + 1.
template <class Make>
auto read_page(store::Statement rows, const PageRequest& request, Position position, Make make)
    -> Result<Page<decltype(make(rows))>> {
    Page<decltype(make(rows))> page;
    const auto limit = static_cast<std::size_t>(page_limit(request));
    std::string last;
    while (true) {
        auto row = rows.step();
        if (!row) return std::move(row).error();
        if (!*row) return page;
        if (page.items.size() == limit) {
            page.next = std::move(last);
            return page;
        }
        page.items.push_back(make(rows));
        last =
            position == Position::Key ? std::to_string(rows.integer(0)) : std::string(rows.text(1));
    }
}

/// Every row as a value.
template <class Make>
auto read_all(store::Statement rows, Make make) -> Result<std::vector<decltype(make(rows))>> {
    std::vector<decltype(make(rows))> all;
    while (true) {
        auto row = rows.step();
        if (!row) return std::move(row).error();
        if (!*row) return all;
        all.push_back(make(rows));
    }
}

/// The 32 bytes of a column; all zero if the row is damaged.
CertificateId id_of(const store::Statement& row, int column);

}  // namespace hatchery::registry
