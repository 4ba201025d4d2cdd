// Serial numbers that may register: lists of up to many millions, each number with its state. Read
// by the allow-list hook; used up in the commit of the provisioning.
#pragma once

#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "provisioning/registry/page.h"
#include "provisioning/store/store.h"

#include <optional>
#include <span>
#include <string>

namespace hatchery::registry {

inline constexpr std::size_t kMaxSerialBytes = 256;

enum class SerialState { Unused, Used, Blocked };
std::string_view to_string(SerialState state);  ///< "unused", "used", "blocked"
/// @errors InvalidRequest
Result<SerialState> parse_serial_state(std::string_view text);

/// When, and through which template, an entry counts.
struct SerialTerms {
    std::optional<std::string> template_name;  ///< a provisioning template, by name
    std::optional<Time> not_before;
    std::optional<Time> not_after;  ///< the last second that counts
    bool operator==(const SerialTerms&) const = default;
};

struct AllowedSerial {
    std::string serial_number;
    SerialState state = SerialState::Unused;
    SerialTerms terms{};
    Bytes key_sha256{};                      ///< of a SubjectPublicKeyInfo; empty: any key
    std::optional<CertificateId> used_by{};  ///< with state Used
    std::optional<Time> used_at{};
};

/// Covers every serial number that has no entry of its own.
struct AllowedPattern {
    std::string low;   ///< a prefix, or the first of a range
    std::string high;  ///< the last of a range, as long as `low`; empty for a prefix
    SerialTerms terms{};
};

/// @errors InvalidRequest  not 1 to 64 of a-z A-Z 0-9 - _ .
Result<> check_list_name(std::string_view name);
/// "LOW..HIGH": as long as each other, the same text with other digits at the end.
/// @errors InvalidRequest
Result<AllowedPattern> parse_serial_range(std::string_view text);

enum class OnExisting { Skip, Replace };
struct SerialChanges {
    std::int64_t added = 0;     ///< replaced ones included
    std::int64_t existing = 0;  ///< left as they were
};
/// Adds entries to `list`, which is made if it does not exist. Fastest in ascending order. An entry
/// that exists is left as it is or replaced, a used one too.
/// @errors InvalidRequest  an empty serial number, or one over 256 bytes; a wrong list name
Result<SerialChanges> add_serials(store::Tx&,
                                  std::string_view list,
                                  std::span<const AllowedSerial>,
                                  OnExisting);
/// @errors LimitExceeded  1,000 patterns in this list; InvalidRequest  an empty prefix
Result<> add_pattern(store::Tx&, std::string_view list, const AllowedPattern&);
/// @errors NotFound  no such entry
Result<> remove_serial(store::Tx&, std::string_view list, std::string_view serial_number);
Result<> remove_pattern(store::Tx&, std::string_view list, const AllowedPattern&);
/// Sets the state of an entry; `Unused` forgets who used it. @errors NotFound
Result<> set_serial_state(store::Tx&,
                          std::string_view list,
                          std::string_view serial_number,
                          SerialState);

/// In the order of their bytes, those after `after` (empty: from the start), `limit` at most; with
/// `prefix` only those that begin so. An unknown list is empty.
Result<std::vector<AllowedSerial>> list_serials(store::Reader&,
                                                std::string_view list,
                                                std::string_view after,
                                                std::string_view prefix,
                                                int limit);
Result<std::vector<AllowedPattern>> list_patterns(store::Reader&, std::string_view list);
struct SerialCounts {
    std::int64_t unused = 0, used = 0, blocked = 0, patterns = 0;
};
/// Reads the whole list. Every list by its name.
Result<std::vector<std::pair<std::string, SerialCounts>>> count_serials(store::Reader&);

/// What covers a serial number: its own entry, or else a pattern (`is_entry` false, state Unused).
struct CoveringEntry {
    AllowedSerial entry;
    bool is_entry = false;
};
/// @errors NotFound  nothing covers it
Result<CoveringEntry> find_serial(store::Reader&,
                                  std::string_view list,
                                  std::string_view serial_number);

/// A device that wants to use a serial number.
struct SerialUse {
    std::string list;
    std::string serial_number;
    std::string template_name;
    CertificateId certificate;
    Bytes key_sha256;  ///< of its key; needed for an entry that is bound to one
    Time now;
    bool single_use = true;  ///< a number that another certificate used is refused
};
/// May it? @errors Forbidden  the message says why not ("is blocked", "is not on the list …")
Result<> check_serial_use(const CoveringEntry& covering, const SerialUse& use);
/// Checks again and marks the number as used. Its own certificate may use it again.
/// @errors Forbidden  as check_serial_use; NotFound  nothing covers it any more
Result<> use_serial(store::Tx&, const SerialUse& use);

}  // namespace hatchery::registry
