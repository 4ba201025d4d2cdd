// A directory that appears whole or not at all.
#pragma once

#include "ca/base/error.h"

#include <filesystem>

namespace hatchery::command {

/// A temporary directory on the target's file system, mode 0700; removed with its content unless
/// committed. Beside the target when that does not exist yet; inside it when it exists and is empty
/// (a mount point or the current folder cannot be replaced by a rename).
class Staging {
  public:
    /// @errors AlreadyExists  `target` holds something, or is no directory
    static Result<> check(const std::filesystem::path& target);
    /// @errors those of check; Unavailable  it cannot be made
    static Result<Staging> make(const std::filesystem::path& target);
    Staging(Staging&& other) noexcept;
    Staging& operator=(Staging&&) = delete;
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;
    ~Staging();

    const std::filesystem::path& path() const { return path_; }
    /// Moves everything into place, the entry `last` at the very end.
    /// @return the target's absolute path
    Result<std::filesystem::path> commit(const std::filesystem::path& last);

  private:
    Staging(std::filesystem::path path, std::filesystem::path target, bool is_inside)
        : path_(std::move(path)), target_(std::move(target)), is_inside_(is_inside) {}
    Result<> move_entries(const std::filesystem::path& last) const;
    std::filesystem::path path_;  ///< empty once committed or moved from
    std::filesystem::path target_;
    bool is_inside_;
};

}  // namespace hatchery::command
