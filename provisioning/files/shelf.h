// Files that Hatchery keeps for devices: firmware, say, that job documents link to. A folder holds
// contents by their SHA-256, the registry says which name means which (registry/files.h). links.h
// makes and opens the short-lived links. Knows no job and no HTTP. Read first: Shelf::put.
#pragma once

#include "provisioning/registry/files.h"

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace hatchery::files {

/// A content, open for reading; whatever becomes of its name, it stays whole. Thread-safe.
class OpenFile {
  public:
    OpenFile(int fd, registry::KeptFile record);
    ~OpenFile();
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;

    const registry::KeptFile& record() const { return record_; }
    std::uint64_t size() const { return static_cast<std::uint64_t>(record_.size); }
    /// Fills `out` from `offset`; false if the disk does not give it.
    bool read(std::uint64_t offset, std::span<char> out) const;

  private:
    int fd_;
    registry::KeptFile record_;
};

/// Thread-safe, and safe between processes: commands change it while a server reads.
class Shelf {
  public:
    /// @param folder  made by the first put, for its owner alone; its parent is there
    Shelf(store::Store& store, std::filesystem::path folder)
        : store_(store), folder_(std::move(folder)) {}

    /// Keeps all that the descriptor `in` gives as `name`, or puts it in place of what had that
    /// name: written and synced first, then the name points at it. Another put or remove waits.
    /// @errors InvalidRequest  the name, or more than `max_bytes`; Unavailable  input or disk fails
    Result<registry::KeptFile> put(std::string_view name,
                                   int in,
                                   std::uint64_t max_bytes,
                                   Time now);
    /// @errors NotFound; Unavailable
    Result<> remove(std::string_view name);

    /// @errors NotFound; Unavailable  its content is gone or damaged
    Result<std::shared_ptr<const OpenFile>> open(std::string_view name) const;
    /// A whole content that is meant to be small. @errors as open; InvalidRequest  over `max_bytes`
    Result<std::string> read(std::string_view name, std::size_t max_bytes) const;

  private:
    /// Removes contents that no name points at: of replaced or removed files, or left by a crash.
    Result<> sweep() const;

    store::Store& store_;
    std::filesystem::path folder_;
};

}  // namespace hatchery::files
