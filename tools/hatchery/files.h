// Files as commands need them: bounded reads, writes that are whole and durable or not there.
#pragma once

#include "ca/base/secret.h"
#include "provisioning/disk/disk.h"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace hatchery::command {

inline constexpr mode_t kPrivate = 0600;
inline constexpr mode_t kPublic = 0644;
inline constexpr std::size_t kMaxFileBytes = 1 << 20;

using disk::Descriptor;
using disk::file_error;
using disk::sync_directory;

/// The whole file; "-" reads standard input.
/// @errors Unavailable  it cannot be read, or holds more than `max_bytes`
Result<std::string> read_file(const std::filesystem::path& path,
                              std::size_t max_bytes = kMaxFileBytes);

enum class Existing { Refuse, Replace };
/// Writes `content` under a temporary name in the same folder, syncs it, and moves it into place.
/// @errors AlreadyExists  it is there and `existing` is Refuse; Unavailable  it cannot be written
Result<> write_file(const std::filesystem::path& path,
                    std::string_view content,
                    mode_t mode,
                    Existing existing);
/// @errors Unavailable  it cannot be made, or exists
Result<> make_private_directory(const std::filesystem::path& path);
/// Is something there? @errors AlreadyExists  yes, with how to go on
Result<> check_absent(const std::filesystem::path& path);

}  // namespace hatchery::command
