#include "provisioning/disk/disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace hatchery::disk {

namespace fs = std::filesystem;

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this != &other) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = other.release();
    }
    return *this;
}

Descriptor::~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

int Descriptor::release() {
    return std::exchange(fd_, -1);
}

Error file_error(std::string_view doing, const fs::path& path, int number) {
    return fail(Code::Unavailable,
                "cannot " + std::string(doing) + " " + path.string() + ": " +
                    std::generic_category().message(number));
}

Result<> write_all(int fd, std::string_view content, const fs::path& path) {
    while (!content.empty()) {
        const ssize_t put = ::write(fd, content.data(), content.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return file_error("write", path, errno);
        content.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

Result<> sync_directory(const fs::path& path) {
    const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.is_open()) return file_error("open", path, errno);
    // Some file systems cannot sync a folder and say EINVAL; there is nothing more to do there.
    if (::fsync(folder.get()) != 0 && errno != EINVAL) return file_error("sync", path, errno);
    return {};
}

}  // namespace hatchery::disk
