// Findings of `hatchery template validate` as a person, a script, a code scanner or GitHub reads
// them.
#pragma once

#include "templates/check_file.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::command {

enum class ReportFormat { Text, Json, Sarif, Github };
std::optional<ReportFormat> parse_report_format(std::string_view text);

/// A file that was read, with what was found in it.
struct CheckedFile {
    std::string name;  ///< as given; "<stdin>" for standard input
    std::string text;
    templates::FileFindings findings;
};

struct ReportOptions {
    bool warnings = false;  ///< Text: print them
    bool strict = false;    ///< warnings are errors
};

/// Text: FILE:LINE:COLUMN: error: MESSAGE [CODE], the line, a caret. Json: one object; columns in
/// bytes. Sarif: 2.1.0; columns in characters. Github: workflow commands (::error file=…).
std::string format_report(const std::vector<CheckedFile>& files,
                          ReportFormat format,
                          const ReportOptions& options);

}  // namespace hatchery::command
