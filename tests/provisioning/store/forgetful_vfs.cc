#include "tests/provisioning/store/forgetful_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <random>
#include <vector>

namespace hatchery::testing {

namespace {

/// One operation that is not on the disk yet.
struct Pending {
    bool is_truncate = false;
    sqlite3_int64 offset = 0;  // or the new size
    std::vector<std::uint8_t> bytes;
};

/// A file as the processes see it, and what of that the disk has not got.
struct Content {
    std::vector<std::uint8_t> seen;
    std::vector<Pending> pending;
    bool is_loaded = false;
};

}  // namespace

struct ForgetfulDisk::State {
    sqlite3_vfs vfs{};
    sqlite3_vfs* system = nullptr;
    std::mutex mutex;  // guards all below
    std::map<std::string, std::shared_ptr<Content>> files;
    bool is_off = false;
    bool is_full = false;
    bool syncs_fail = false;
    bool database_syncs_fail = false;
    int syncs = 0;
    int log_writes = 0;
    int characteristics = 0;  // never changes
};

namespace {

using State = ForgetfulDisk::State;

constexpr std::size_t kSector = 512;

/// What SQLite allocates for us; the system's file lies behind it.
struct File {
    sqlite3_file base;
    State* state;
    std::shared_ptr<Content>* content;
    sqlite3_file* system;
    bool is_log;
};

File& file_of(sqlite3_file* file) {
    return *reinterpret_cast<File*>(file);
}

void apply(const Pending& change, sqlite3_file* disk) {
    if (change.is_truncate) {
        disk->pMethods->xTruncate(disk, change.offset);
    } else {
        disk->pMethods->xWrite(
            disk, change.bytes.data(), static_cast<int>(change.bytes.size()), change.offset);
    }
}

int close_file(sqlite3_file* base) {
    File& file = file_of(base);
    int result = file.system->pMethods->xClose(file.system);
    std::default_delete<std::shared_ptr<Content>>{}(file.content);
    return result;
}

int read_file(sqlite3_file* base, void* buffer, int amount, sqlite3_int64 offset) {
    File& file = file_of(base);
    std::lock_guard lock(file.state->mutex);
    const auto& seen = (*file.content)->seen;
    const auto size = static_cast<std::size_t>(amount);
    const auto at = std::min(static_cast<std::size_t>(offset), seen.size());
    const std::size_t there = std::min(size, seen.size() - at);
    std::memset(buffer, 0, size);
    if (there > 0) std::memcpy(buffer, seen.data() + at, there);
    return there == size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* base, const void* buffer, int amount, sqlite3_int64 offset) {
    File& file = file_of(base);
    std::lock_guard lock(file.state->mutex);
    if (file.state->is_off) return SQLITE_IOERR_WRITE;
    if (file.state->is_full) return SQLITE_FULL;
    if (file.is_log) ++file.state->log_writes;
    const auto* bytes = static_cast<const std::uint8_t*>(buffer);
    Pending change{false, offset, {bytes, bytes + amount}};
    auto& seen = (*file.content)->seen;
    const std::size_t end = static_cast<std::size_t>(offset) + change.bytes.size();
    if (seen.size() < end) seen.resize(end);
    std::copy(change.bytes.begin(), change.bytes.end(), seen.begin() + offset);
    (*file.content)->pending.push_back(std::move(change));
    return SQLITE_OK;
}

int truncate_file(sqlite3_file* base, sqlite3_int64 size) {
    File& file = file_of(base);
    std::lock_guard lock(file.state->mutex);
    if (file.state->is_off) return SQLITE_IOERR_TRUNCATE;
    (*file.content)->seen.resize(static_cast<std::size_t>(size));
    (*file.content)->pending.push_back({true, size, {}});
    return SQLITE_OK;
}

int sync_file(sqlite3_file* base, int /*flags*/) {
    File& file = file_of(base);
    std::lock_guard lock(file.state->mutex);
    const bool fails = file.state->syncs_fail || (file.state->database_syncs_fail && !file.is_log);
    if (file.state->is_off || fails) return SQLITE_IOERR_FSYNC;
    ++file.state->syncs;
    for (const Pending& change : (*file.content)->pending)
        apply(change, file.system);
    (*file.content)->pending.clear();
    return SQLITE_OK;
}

int size_of_file(sqlite3_file* base, sqlite3_int64* size) {
    File& file = file_of(base);
    std::lock_guard lock(file.state->mutex);
    *size = static_cast<sqlite3_int64>((*file.content)->seen.size());
    return SQLITE_OK;
}

// Locks and the log's index are the system's: they are not on the disk.
int lock_file(sqlite3_file* base, int level) {
    sqlite3_file* system = file_of(base).system;
    return system->pMethods->xLock(system, level);
}
int unlock_file(sqlite3_file* base, int level) {
    sqlite3_file* system = file_of(base).system;
    return system->pMethods->xUnlock(system, level);
}
int check_lock(sqlite3_file* base, int* result) {
    sqlite3_file* system = file_of(base).system;
    return system->pMethods->xCheckReservedLock(system, result);
}
int control_file(sqlite3_file* /*base*/, int /*operation*/, void* /*argument*/) {
    return SQLITE_NOTFOUND;
}
int sector_size(sqlite3_file* /*base*/) {
    return 4096;
}
int characteristics(sqlite3_file* base) {
    return file_of(base).state->characteristics;
}
int map_index(sqlite3_file* base, int page, int size, int extend, void volatile** out) {
    sqlite3_file* system = file_of(base).system;
    return system->pMethods->xShmMap(system, page, size, extend, out);
}
int lock_index(sqlite3_file* base, int offset, int count, int flags) {
    sqlite3_file* system = file_of(base).system;
    return system->pMethods->xShmLock(system, offset, count, flags);
}
void index_barrier(sqlite3_file* base) {
    sqlite3_file* system = file_of(base).system;
    system->pMethods->xShmBarrier(system);
}
int unmap_index(sqlite3_file* base, int remove) {
    sqlite3_file* system = file_of(base).system;
    return system->pMethods->xShmUnmap(system, remove);
}

const sqlite3_io_methods kMethods{2,
                                  close_file,
                                  read_file,
                                  write_file,
                                  truncate_file,
                                  sync_file,
                                  size_of_file,
                                  lock_file,
                                  unlock_file,
                                  check_lock,
                                  control_file,
                                  sector_size,
                                  characteristics,
                                  map_index,
                                  lock_index,
                                  index_barrier,
                                  unmap_index,
                                  nullptr,
                                  nullptr};

State& state_of(sqlite3_vfs* vfs) {
    return *static_cast<State*>(vfs->pAppData);
}

void load(Content& content, sqlite3_file* disk) {
    sqlite3_int64 size = 0;
    disk->pMethods->xFileSize(disk, &size);
    content.seen.resize(static_cast<std::size_t>(size));
    if (size > 0) disk->pMethods->xRead(disk, content.seen.data(), static_cast<int>(size), 0);
    content.is_loaded = true;
}

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* base, int flags, int* flags_out) {
    State& state = state_of(vfs);
    File& file = file_of(base);
    file.base.pMethods = nullptr;
    file.system = reinterpret_cast<sqlite3_file*>(&file + 1);
    int result = state.system->xOpen(state.system, name, file.system, flags, flags_out);
    if (result != SQLITE_OK) return result;
    std::lock_guard lock(state.mutex);
    auto& content = state.files[name != nullptr ? name : ""];
    if (name == nullptr || content == nullptr) content = std::make_shared<Content>();
    if (!content->is_loaded) load(*content, file.system);
    file.state = &state;
    file.is_log = (static_cast<unsigned>(flags) & SQLITE_OPEN_WAL) != 0;
    file.content = std::make_unique<std::shared_ptr<Content>>(content).release();
    file.base.pMethods = &kMethods;
    return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync_directory) {
    State& state = state_of(vfs);
    std::lock_guard lock(state.mutex);
    if (state.is_off) return SQLITE_IOERR_DELETE;
    state.files.erase(name);
    return state.system->xDelete(state.system, name, sync_directory);
}

int access_file(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
    sqlite3_vfs* system = state_of(vfs).system;
    return system->xAccess(system, name, flags, result);
}
int full_name(sqlite3_vfs* vfs, const char* name, int size, char* out) {
    sqlite3_vfs* system = state_of(vfs).system;
    return system->xFullPathname(system, name, size, out);
}
int randomness(sqlite3_vfs* vfs, int size, char* out) {
    sqlite3_vfs* system = state_of(vfs).system;
    return system->xRandomness(system, size, out);
}
int sleep_for(sqlite3_vfs* vfs, int microseconds) {
    sqlite3_vfs* system = state_of(vfs).system;
    return system->xSleep(system, microseconds);
}
int current_time(sqlite3_vfs* vfs, double* out) {
    sqlite3_vfs* system = state_of(vfs).system;
    return system->xCurrentTime(system, out);
}

}  // namespace

ForgetfulDisk::ForgetfulDisk(std::string name, Overwrite overwrite)
    : name_(std::move(name)), state_(std::make_unique<State>().release()) {
    if (overwrite == Overwrite::Powersafe)
        state_->characteristics = SQLITE_IOCAP_POWERSAFE_OVERWRITE;
    state_->system = sqlite3_vfs_find(nullptr);
    sqlite3_vfs& vfs = state_->vfs;
    vfs.iVersion = 1;
    vfs.szOsFile = static_cast<int>(sizeof(File)) + state_->system->szOsFile;
    vfs.mxPathname = state_->system->mxPathname;
    vfs.zName = name_.c_str();
    vfs.pAppData = state_;
    vfs.xOpen = open_file;
    vfs.xDelete = delete_file;
    vfs.xAccess = access_file;
    vfs.xFullPathname = full_name;
    vfs.xRandomness = randomness;
    vfs.xSleep = sleep_for;
    vfs.xCurrentTime = current_time;
    sqlite3_vfs_register(&vfs, 0);
}

ForgetfulDisk::~ForgetfulDisk() {
    sqlite3_vfs_unregister(&state_->vfs);
    std::default_delete<State>{}(state_);
}

void ForgetfulDisk::cut_power(std::uint32_t seed) {
    std::lock_guard lock(state_->mutex);
    state_->is_off = true;
    if (seed == 0) return;
    std::mt19937 random(seed);
    for (auto& [name, content] : state_->files) {
        if (content->pending.empty()) continue;
        // Straight to the file, beside the connections that still have it open.
        std::unique_ptr<std::FILE, int (*)(std::FILE*)> disk(std::fopen(name.c_str(), "r+b"),
                                                             std::fclose);
        if (disk == nullptr) continue;
        for (const Pending& change : content->pending) {
            if (change.is_truncate) continue;
            for (std::size_t at = 0; at < change.bytes.size(); at += kSector) {
                if (random() % 2 == 0) continue;
                std::fseek(
                    disk.get(), static_cast<long>(change.offset) + static_cast<long>(at), SEEK_SET);
                std::fwrite(change.bytes.data() + at,
                            1,
                            std::min(kSector, change.bytes.size() - at),
                            disk.get());
            }
        }
    }
}

void ForgetfulDisk::set_full(bool full) {
    std::lock_guard lock(state_->mutex);
    state_->is_full = full;
}

void ForgetfulDisk::set_syncs_fail(bool fail) {
    std::lock_guard lock(state_->mutex);
    state_->syncs_fail = fail;
}

void ForgetfulDisk::set_database_syncs_fail(bool fail) {
    std::lock_guard lock(state_->mutex);
    state_->database_syncs_fail = fail;
}

int ForgetfulDisk::syncs() const {
    std::lock_guard lock(state_->mutex);
    return state_->syncs;
}

int ForgetfulDisk::log_writes() const {
    std::lock_guard lock(state_->mutex);
    return state_->log_writes;
}

}  // namespace hatchery::testing
