#include "tools/hatchery/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <vector>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

Result<std::string> read_all(int fd, const fs::path& path, std::size_t max_bytes) {
    std::string content;
    std::string block(16 * 1024, '\0');
    for (;;) {
        const ssize_t got = ::read(fd, block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return file_error("read", path, errno);
        if (got == 0) break;
        content.append(block.data(), static_cast<std::size_t>(got));
        if (content.size() > max_bytes) {
            return fail(
                Code::Unavailable,
                path.string() + ": expected at most " + std::to_string(max_bytes) + " bytes");
        }
    }
    return content;
}

/// Moves `temporary` to `path` without ever clobbering it: link fails where rename would replace.
Result<> link_into_place(const std::string& temporary, const fs::path& path) {
    if (::link(temporary.c_str(), path.c_str()) != 0) {
        const int number = errno;
        ::unlink(temporary.c_str());
        if (number == EEXIST) return check_absent(path);
        return file_error("write", path, number);
    }
    ::unlink(temporary.c_str());
    return {};
}

Result<> rename_into_place(const std::string& temporary, const fs::path& path) {
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        const int number = errno;
        ::unlink(temporary.c_str());
        return file_error("write", path, number);
    }
    return {};
}

fs::path folder_of(const fs::path& path) {
    return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

Result<std::string> read_file(const fs::path& path, std::size_t max_bytes) {
    if (path == "-") return read_all(STDIN_FILENO, "standard input", max_bytes);
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) return file_error("read", path, errno);
    return read_all(file.get(), path, max_bytes);
}

Result<> write_file(const fs::path& path,
                    std::string_view content,
                    mode_t mode,
                    Existing existing) {
    std::string temporary = path.string() + ".XXXXXX";
    {
        const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));  // made with mode 0600
        if (!file.is_open()) return file_error("write", path, errno);
        Result<> written = disk::write_all(file.get(), content, path);
        if (written && (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0)) {
            written = file_error("write", path, errno);
        }
        if (!written) {
            ::unlink(temporary.c_str());
            return written;
        }
    }
    Result<> moved = existing == Existing::Refuse ? link_into_place(temporary, path)
                                                  : rename_into_place(temporary, path);
    if (!moved) return moved;
    return sync_directory(folder_of(path));
}

Result<> make_private_directory(const fs::path& path) {
    if (::mkdir(path.c_str(), 0700) != 0) return file_error("make", path, errno);
    return {};
}

Result<> check_absent(const fs::path& path) {
    std::error_code ignored;
    if (fs::symlink_status(path, ignored).type() == fs::file_type::not_found) return {};
    return fail(Code::AlreadyExists, path.string() + " exists and is not overwritten");
}

}  // namespace hatchery::command
