#include "provisioning/files/shelf.h"

#include "ca/running_digest.h"
#include "provisioning/disk/disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

namespace hatchery::files {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kIncoming = ".incoming";
constexpr std::string_view kLock = ".lock";
constexpr std::size_t kBlock = std::size_t{256} << 10;
constexpr std::size_t kDigestDigits = 64;

using disk::Descriptor;
using disk::file_error;

Result<> make_folder(const fs::path& path) {
    if (::mkdir(path.c_str(), 0700) == 0) return disk::sync_directory(path.parent_path());
    if (errno == EEXIST) return {};
    return file_error("make", path, errno);
}

/// Held while its descriptor is open: one put or remove at a time, whichever process.
Result<Descriptor> lock_folder(const fs::path& folder) {
    const fs::path path = folder / kLock;
    Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.is_open()) return file_error("open", path, errno);
    while (::flock(lock.get(), LOCK_EX) != 0) {
        if (errno != EINTR) return file_error("lock", path, errno);
    }
    return lock;
}

struct Received {
    Bytes sha256;
    std::uint64_t size = 0;
};

/// All that `in` gives, into a file of that path, synced.
Result<Received> receive(int in, const fs::path& path, std::uint64_t max_bytes) {
    const Descriptor out(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!out.is_open()) return file_error("write", path, errno);
    ca::RunningSha256 digest;
    Received received;
    std::vector<char> block(kBlock);
    for (;;) {
        const ssize_t count = ::read(in, block.data(), block.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return file_error("read", "the file", errno);
        if (count == 0) break;
        received.size += static_cast<std::uint64_t>(count);
        if (received.size > max_bytes) {
            return fail(Code::InvalidRequest,
                        "expected a file of at most " + std::to_string(max_bytes) + " bytes");
        }
        const std::string_view part(block.data(), static_cast<std::size_t>(count));
        digest.add(bytes_of(part));
        if (auto written = disk::write_all(out.get(), part, path); !written) {
            return std::move(written).error();
        }
    }
    if (::fsync(out.get()) != 0) return file_error("sync", path, errno);
    received.sha256 = to_bytes(digest.finish());
    return received;
}

}  // namespace

OpenFile::OpenFile(int fd, registry::KeptFile record) : fd_(fd), record_(std::move(record)) {}

OpenFile::~OpenFile() {
    ::close(fd_);
}

bool OpenFile::read(std::uint64_t offset, std::span<char> out) const {
    while (!out.empty()) {
        const ssize_t count = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        out = out.subspan(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
    return true;
}

Result<registry::KeptFile> Shelf::put(std::string_view name,
                                      int in,
                                      std::uint64_t max_bytes,
                                      Time now) {
    if (auto good = registry::check_file_name(name); !good) return std::move(good).error();
    if (auto made = make_folder(folder_); !made) return std::move(made).error();
    // From the first byte on: what a put that was killed left is the next one's to overwrite.
    auto lock = lock_folder(folder_);
    if (!lock) return std::move(lock).error();
    const fs::path incoming = folder_ / kIncoming;
    auto received = receive(in, incoming, max_bytes);
    if (!received) {
        ::unlink(incoming.c_str());
        return std::move(received).error();
    }
    const fs::path content = folder_ / to_hex(received->sha256);
    if (::rename(incoming.c_str(), content.c_str()) != 0)
        return file_error("write", content, errno);
    if (auto synced = disk::sync_directory(folder_); !synced) return std::move(synced).error();
    registry::KeptFile file;
    file.name = name;
    file.sha256 = std::move(received->sha256);
    file.size = static_cast<std::int64_t>(received->size);
    file.created = now;
    auto named = store_.write([&](store::Tx& tx) { return registry::put_file(tx, file); });
    if (!named) return std::move(named).error();
    if (auto swept = sweep(); !swept) return std::move(swept).error();
    return file;
}

Result<> Shelf::remove(std::string_view name) {
    if (auto made = make_folder(folder_); !made) return made;
    auto lock = lock_folder(folder_);
    if (!lock) return std::move(lock).error();
    auto gone = store_.write([&](store::Tx& tx) { return registry::remove_file(tx, name); });
    if (!gone) return gone;
    return sweep();
}

Result<> Shelf::sweep() const {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(folder_, failed)) {
        const std::string name = entry.path().filename().string();
        const auto digest = from_hex(name);
        if (!digest || name.size() != kDigestDigits) continue;
        auto is_used = store_.read(
            [&](store::Reader& reader) { return registry::is_content_used(reader, *digest); });
        if (!is_used) return std::move(is_used).error();
        if (!*is_used) ::unlink(entry.path().c_str());
    }
    if (failed) return fail(Code::Unavailable, folder_.string() + ": " + failed.message());
    return {};
}

Result<std::shared_ptr<const OpenFile>> Shelf::open(std::string_view name) const {
    // Between the look and the other, a put may have given the name another content: look again.
    for (Bytes missing;;) {
        auto record =
            store_.read([&](store::Reader& reader) { return registry::find_file(reader, name); });
        if (!record) return std::move(record).error();
        const fs::path path = folder_ / to_hex(record->sha256);
        Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        if (!file.is_open() && errno == ENOENT && record->sha256 != missing) {
            missing = std::move(record->sha256);
            continue;
        }
        if (!file.is_open()) return file_error("read", path, errno);
        struct stat info {};
        if (::fstat(file.get(), &info) != 0 || info.st_size != record->size) {
            return fail(Code::Unavailable,
                        path.string() + ": expected " + std::to_string(record->size) +
                            " bytes, found " + std::to_string(info.st_size));
        }
        return std::shared_ptr<const OpenFile>(
            std::make_shared<OpenFile>(file.release(), std::move(*record)));
    }
}

Result<std::string> Shelf::read(std::string_view name, std::size_t max_bytes) const {
    auto file = open(name);
    if (!file) return std::move(file).error();
    if ((*file)->size() > max_bytes) {
        return fail(Code::InvalidRequest,
                    "expected a file of at most " + std::to_string(max_bytes) + " bytes, " +
                        std::string(name) + " has " + std::to_string((*file)->size()));
    }
    std::string content((*file)->size(), '\0');
    if ((*file)->read(0, content)) return content;
    return fail(Code::Unavailable, "file " + std::string(name) + " cannot be read");
}

}  // namespace hatchery::files
