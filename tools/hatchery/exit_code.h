// How a command ends: 0 done, 1 refused, 2 could not run. The one place where an Error becomes an
// exit code and a line on stderr.
#pragma once

#include "ca/base/error.h"

#include <string>
#include <string_view>

namespace hatchery::command {

inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;      ///< what was asked for was looked at, and the answer is no
inline constexpr int kCouldNotRun = 2;  ///< a file, the passphrase, the store or an option failed

/// The exit code of an error with this code.
int exit_code(Code code);
/// `text` on one line: control characters escaped as \n, \t or \xHH, so that a name out of a
/// request cannot forge a second line.
std::string one_line(std::string_view text);
/// Prints "hatchery: where: message" as one line on stderr. @return exit_code(error.code)
int report(const Error& error);
/// kDone, or what `report` says.
int finish(const Result<>& outcome);
/// The same error as one that kept the command from running, whatever its cause: a broken
/// configuration file is no refusal.
Error could_not_run(Error error);
/// Writes to stdout. @errors Unavailable  a full disk or a closed pipe
Result<> print(std::string_view text);

}  // namespace hatchery::command
