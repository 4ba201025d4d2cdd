#include "provisioning/store/joined_log.h"

#include <sqlite3.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <new>

namespace hatchery::store {

struct JoinedLog::Vfs : sqlite3_vfs {
    sqlite3_vfs* below = nullptr;
    /// Without powersafe overwrite SQLite fills the last sector up, syncs in the middle of that,
    /// and shows readers all of it: then nothing may wait.
    std::atomic<bool> may_join = true;
};

namespace {

constexpr int kMostJoined = 0x1ffff;  // bytes: SQLite's VFS for Unix takes no more at once

/// The log of one connection. SQLite allocates it, with room behind it for the file below. Readers
/// never write, so the memory is taken at the first write.
struct LogFile : sqlite3_file {
    explicit LogFile(sqlite3_file* file) : below(file) {}

    /// Brings all that waits to the file below.
    int flush() {
        if (size == 0) return SQLITE_OK;
        const int result = below->pMethods->xWrite(below, waiting.get(), size, start);
        if (result == SQLITE_OK) size = 0;
        return result;
    }

    sqlite3_file* below;
    std::unique_ptr<char[]> waiting;  // NOLINT(modernize-avoid-c-arrays)
    int size = 0;
    sqlite3_int64 start = 0;  // of `waiting` in the file
};

// SQLite's calling convention hands out its base classes.
LogFile& log_of(sqlite3_file* file) {
    return *static_cast<LogFile*>(file);
}
JoinedLog::Vfs& joined(sqlite3_vfs* vfs) {
    return *static_cast<JoinedLog::Vfs*>(vfs);
}

int write_log(sqlite3_file* file, const void* bytes, int amount, sqlite3_int64 offset) {
    LogFile& log = log_of(file);
    const bool follows = offset == log.start + log.size && amount <= kMostJoined - log.size;
    if (!follows) {
        if (const int result = log.flush(); result != SQLITE_OK) return result;
        log.start = offset;
    }
    if (!log.waiting) log.waiting.reset(new (std::nothrow) char[kMostJoined]);
    if (!log.waiting || amount > kMostJoined)
        return log.below->pMethods->xWrite(log.below, bytes, amount, offset);
    std::memcpy(log.waiting.get() + log.size, bytes, static_cast<std::size_t>(amount));
    log.size += amount;
    return SQLITE_OK;
}

int read_log(sqlite3_file* file, void* out, int amount, sqlite3_int64 offset) {
    LogFile& log = log_of(file);
    if (const int result = log.flush(); result != SQLITE_OK) return result;
    return log.below->pMethods->xRead(log.below, out, amount, offset);
}

int truncate_log(sqlite3_file* file, sqlite3_int64 size) {
    LogFile& log = log_of(file);
    if (const int result = log.flush(); result != SQLITE_OK) return result;
    return log.below->pMethods->xTruncate(log.below, size);
}

int sync_log(sqlite3_file* file, int flags) {
    LogFile& log = log_of(file);
    if (const int result = log.flush(); result != SQLITE_OK) return result;
    return log.below->pMethods->xSync(log.below, flags);
}

int measure_log(sqlite3_file* file, sqlite3_int64* size) {
    LogFile& log = log_of(file);
    if (const int result = log.flush(); result != SQLITE_OK) return result;
    return log.below->pMethods->xFileSize(log.below, size);
}

/// What still waits was rolled back, or its sync failed.
int close_log(sqlite3_file* file) {
    LogFile& log = log_of(file);
    const int result = log.below->pMethods->xClose(log.below);
    log.~LogFile();
    return result;
}

int lock_log(sqlite3_file* file, int level) {
    sqlite3_file* below = log_of(file).below;
    return below->pMethods->xLock(below, level);
}
int unlock_log(sqlite3_file* file, int level) {
    sqlite3_file* below = log_of(file).below;
    return below->pMethods->xUnlock(below, level);
}
int check_log_lock(sqlite3_file* file, int* is_locked) {
    sqlite3_file* below = log_of(file).below;
    return below->pMethods->xCheckReservedLock(below, is_locked);
}
int control_log(sqlite3_file* file, int operation, void* argument) {
    sqlite3_file* below = log_of(file).below;
    return below->pMethods->xFileControl(below, operation, argument);
}
int log_sector_size(sqlite3_file* file) {
    sqlite3_file* below = log_of(file).below;
    return below->pMethods->xSectorSize(below);
}
int log_characteristics(sqlite3_file* file) {
    sqlite3_file* below = log_of(file).below;
    return below->pMethods->xDeviceCharacteristics(below);
}

const sqlite3_io_methods kLogMethods{1,
                                     close_log,
                                     read_log,
                                     write_log,
                                     truncate_log,
                                     sync_log,
                                     measure_log,
                                     lock_log,
                                     unlock_log,
                                     check_log_lock,
                                     control_log,
                                     log_sector_size,
                                     log_characteristics,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr};

int open_log(sqlite3_vfs* below, const char* name, sqlite3_file* file, int flags, int* flags_out) {
    file->pMethods = nullptr;  // nothing to close
    static_assert(alignof(std::max_align_t) >= alignof(LogFile));
    auto* of_below = reinterpret_cast<sqlite3_file*>(static_cast<LogFile*>(file) + 1);
    const int result = below->xOpen(below, name, of_below, flags, flags_out);
    if (result != SQLITE_OK) return result;
    auto* log = new (file) LogFile(of_below);
    log->pMethods = &kLogMethods;
    return SQLITE_OK;
}

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* flags_out) {
    JoinedLog::Vfs& own = joined(vfs);
    if ((flags & SQLITE_OPEN_WAL) != 0 && own.may_join)
        return open_log(own.below, name, file, flags, flags_out);
    const int result = own.below->xOpen(own.below, name, file, flags, flags_out);
    if (result == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
        const int promises = file->pMethods->xDeviceCharacteristics(file);
        if ((promises & SQLITE_IOCAP_POWERSAFE_OVERWRITE) == 0) own.may_join = false;
    }
    return result;
}

}  // namespace

JoinedLog::JoinedLog(const std::string& below) : name_(below) {
    static std::atomic<int> made{0};
    sqlite3_vfs* found = sqlite3_vfs_find(below.empty() ? nullptr : below.c_str());
    if (found == nullptr) return;
    name_ = "hatchery-" + std::to_string(++made);
    vfs_ = std::make_unique<Vfs>();
    static_cast<sqlite3_vfs&>(*vfs_) = *found;
    vfs_->below = found;
    vfs_->pNext = nullptr;
    vfs_->zName = name_.c_str();
    vfs_->szOsFile = static_cast<int>(sizeof(LogFile)) + found->szOsFile;
    vfs_->xOpen = open_file;
    if (sqlite3_vfs_register(vfs_.get(), 0) != SQLITE_OK) name_ = below;
}

JoinedLog::~JoinedLog() {
    if (vfs_) sqlite3_vfs_unregister(vfs_.get());
}

}  // namespace hatchery::store
