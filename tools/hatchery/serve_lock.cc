#include "tools/hatchery/serve_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

/// Open-file-description locks (fcntl(2)): unlike the older kind they are not lost when something
/// else in this process closes the same file, and can be asked about without being taken.
struct flock whole_file() {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

}  // namespace

Result<ServeLock> ServeLock::take(const Layout& layout) {
    if (::mkdir(layout.run().c_str(), 0700) != 0 && errno != EEXIST) {
        return file_error("make", layout.run(), errno);
    }
    Descriptor file(::open(layout.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivate));
    if (!file.is_open()) return file_error("open", layout.lock(), errno);
    struct flock lock = whole_file();
    if (::fcntl(file.get(), F_OFD_SETLK, &lock) != 0) {
        if (errno != EAGAIN && errno != EACCES) return file_error("lock", layout.lock(), errno);
        return fail(Code::Unavailable, "a server runs on " + layout.root.string() + " already");
    }
    return ServeLock(std::move(file));
}

Result<std::optional<Ports>> running_ports(const Layout& layout) {
    const Descriptor file(::open(layout.lock().c_str(), O_RDWR | O_CLOEXEC));
    if (!file.is_open()) return std::optional<Ports>{};  // never served
    struct flock lock = whole_file();
    if (::fcntl(file.get(), F_OFD_GETLK, &lock) != 0) {
        return file_error("look at", layout.lock(), errno);
    }
    if (lock.l_type == F_UNLCK) return std::optional<Ports>{};
    std::error_code ignored;
    if (!fs::exists(layout.ports(), ignored)) {
        return fail(
            Code::Unavailable,
            "the server on " + layout.root.string() + " is starting or stopping; try again");
    }
    auto text = read_file(layout.ports());
    if (!text) return std::move(text).error();
    auto ports = parse_ports_json(*text, layout.ports().string());
    if (!ports) return std::move(ports).error();
    return std::optional<Ports>(*ports);
}

}  // namespace hatchery::command
