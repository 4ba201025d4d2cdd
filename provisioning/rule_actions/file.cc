#include "provisioning/disk/disk.h"
#include "provisioning/rule_actions/deliver.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace hatchery::rule_actions {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxFileName = 512;  // of a log group on AWS

/// The file below `folder`; whatever the message put into the name, it stays below.
Result<fs::path> file_below(const fs::path& folder, std::string_view name) {
    const auto invalid = [&] {
        return fail(Code::InvalidRequest,
                    "expected a file's name of a-z A-Z 0-9 . - _ / #, found \"" +
                        std::string(name.substr(0, kMaxFileName)) + "\"");
    };
    const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view(".-_/#").find(c) != std::string_view::npos;
    });
    if (!is_plain || name.size() > kMaxFileName) return invalid();
    fs::path file = folder;
    bool is_empty = true;
    while (!name.empty()) {
        const auto end = std::min(name.find('/'), name.size());
        const std::string_view part = name.substr(0, end);
        if (part == "." || part == "..") return invalid();
        if (!part.empty()) file /= part;
        is_empty = is_empty && part.empty();
        name.remove_prefix(std::min(end + 1, name.size()));
    }
    return is_empty ? Result<fs::path>(invalid()) : Result<fs::path>(std::move(file));
}

}  // namespace

Result<> deliver_file(const Delivery& delivery, const fs::path& folder) {
    const auto file = file_below(folder, delivery.text("logGroupName"));
    if (!file) return file.error();
    std::error_code error;
    fs::create_directories(file->parent_path(), error);
    if (error) return fail(Code::Unavailable, "cannot make a folder: " + error.message());
    const disk::Descriptor out(
        ::open(file->c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!out.is_open()) return disk::file_error("open", *file, errno);
    std::string line(text_of(delivery.payload));
    line += '\n';
    if (auto written = disk::write_all(out.get(), line, *file); !written) return written;
    if (::fdatasync(out.get()) != 0) return disk::file_error("sync", *file, errno);
    return {};
}

}  // namespace hatchery::rule_actions
