// Lists of serial numbers as CSV (RFC 4180): one entry a row, a header names the columns.
#pragma once

#include "provisioning/registry/allow_list.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace hatchery::command {

/// "serial_number,match,state,template,key_sha256,not_before,not_after,used_by,used_at"
std::string_view allow_csv_header();
std::string allow_csv_row(const registry::AllowedSerial& entry);
std::string allow_csv_row(const registry::AllowedPattern& pattern);

using AllowRow = std::variant<registry::AllowedSerial, registry::AllowedPattern>;

/// Reads rows one by one. Without a header, the first column is the serial number and the others
/// follow in the header's order; columns at the end may be missing.
class AllowCsv {
  public:
    /// One line, without its newline; nothing for a header, an empty line or a # comment.
    /// @errors InvalidRequest  `where` = "line N"
    Result<std::optional<AllowRow>> read(std::string_view line);

  private:
    std::vector<int> columns_{0, 1, 2, 3, 4, 5, 6, 7, 8};
    std::int64_t line_ = 0;
};

/// "2026-11-22" (its first second) or "2026-11-22T19:59:35Z". @errors InvalidRequest
Result<Time> parse_time(std::string_view text);
/// 64 hexadecimal digits. @errors InvalidRequest
Result<Bytes> parse_sha256(std::string_view text);

}  // namespace hatchery::command
