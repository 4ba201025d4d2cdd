// A disk that keeps only what was synced: a SQLite VFS over the system's. What is written stays in
// memory, for every connection to see, until xSync; a power cut drops the rest, or keeps an
// arbitrary part of it, as disks do. Also fails writes and syncs on demand, and counts both.
#pragma once

#include <cstdint>
#include <string>

namespace hatchery::testing {

/// One such disk, registered with SQLite under `name` while it lives. Thread-safe.
class ForgetfulDisk {
  public:
    enum class Overwrite {
        Powersafe,  ///< bytes beside those that are written never change: what SQLite expects
        Unsafe      ///< SQLite pads each commit to a sector, and syncs in the middle of that
    };
    explicit ForgetfulDisk(std::string name, Overwrite overwrite = Overwrite::Powersafe);
    ~ForgetfulDisk();
    ForgetfulDisk(const ForgetfulDisk&) = delete;
    ForgetfulDisk& operator=(const ForgetfulDisk&) = delete;

    const std::string& name() const { return name_; }
    /// From now on nothing reaches the disk. @param seed  0: what was not synced is gone; else each
    /// sector of an unsynced write has an even chance to have reached the disk, whatever its order
    void cut_power(std::uint32_t seed);
    void set_full(bool full);
    void set_syncs_fail(bool fail);
    /// The same for all but the write-ahead log.
    void set_database_syncs_fail(bool fail);
    int syncs() const;
    /// Calls that wrote to the write-ahead log.
    int log_writes() const;

    struct State;

  private:
    std::string name_;
    State* state_;  // owned; SQLite holds the same pointer
};

}  // namespace hatchery::testing
