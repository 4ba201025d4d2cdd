// Files by descriptor: closed with their owner, written whole, folders synced.
#pragma once

#include "ca/base/error.h"

#include <filesystem>
#include <string_view>

namespace hatchery::disk {

/// An open file descriptor, closed with its owner.
class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor();
    int get() const { return fd_; }
    bool is_open() const { return fd_ >= 0; }
    /// The descriptor, whose closing is the caller's from now on.
    int release();

  private:
    int fd_ = -1;
};

/// "cannot DO PATH: REASON" with the text of errno value `number`.
Error file_error(std::string_view doing, const std::filesystem::path& path, int number);
/// Writes all of `content`, however often the system takes a part; `path` is for the error.
/// @errors Unavailable
Result<> write_all(int fd, std::string_view content, const std::filesystem::path& path);
/// Syncs a folder, so that the names in it survive a power cut. @errors Unavailable
Result<> sync_directory(const std::filesystem::path& path);

}  // namespace hatchery::disk
