// Files as commands need them: bounded reads, writes that are whole and durable or not there.
#pragma once

#include "ca/base/secret.h"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace hatchery::command {

inline constexpr mode_t kPrivate = 0600;
inline constexpr mode_t kPublic = 0644;
inline constexpr std::size_t kMaxFileBytes = 1 << 20;

/// An open file descriptor, closed with its owner.
class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    Descriptor& operator=(Descriptor&& other) noexcept;
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor();
    int get() const { return fd_; }
    bool is_open() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

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
/// Syncs a folder, so that the names in it survive a power cut. @errors Unavailable
Result<> sync_directory(const std::filesystem::path& path);
/// @errors Unavailable  it cannot be made, or exists
Result<> make_private_directory(const std::filesystem::path& path);
/// Is something there? @errors AlreadyExists  yes, with how to go on
Result<> check_absent(const std::filesystem::path& path);

/// "cannot DO PATH: REASON" with the text of errno value `number`.
Error file_error(std::string_view doing, const std::filesystem::path& path, int number);

}  // namespace hatchery::command
