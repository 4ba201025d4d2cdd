#include "tools/hatchery/staging.h"

#include "tools/hatchery/files.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>
#include <vector>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

Result<fs::path> absolute_path(const fs::path& path) {
    std::error_code problem;
    const fs::path full = fs::absolute(path, problem).lexically_normal();
    if (problem) return file_error("find", path, problem.value());
    return full.has_filename() ? full : full.parent_path();
}

}  // namespace

Result<> Staging::check(const fs::path& target) {
    std::error_code problem;
    const auto status = fs::status(target, problem);
    if (status.type() == fs::file_type::not_found) return {};
    if (!fs::is_directory(status)) {
        return fail(Code::AlreadyExists, target.string() + " exists and is no directory");
    }
    fs::directory_iterator entries(target, problem);
    if (problem) return file_error("read", target, problem.value());
    if (entries == fs::directory_iterator{}) return {};
    return fail(Code::AlreadyExists,
                target.string() + " is not empty (" + entries->path().filename().string() +
                    "): expected a new or empty directory, nothing is overwritten");
}

Result<Staging> Staging::make(const fs::path& target) {
    auto full = absolute_path(target);
    if (!full) return std::move(full).error();
    if (auto free = check(*full); !free) return std::move(free).error();
    std::error_code problem;
    const bool is_inside = fs::is_directory(*full, problem);
    if (!is_inside) fs::create_directories(full->parent_path(), problem);
    if (!is_inside && problem) return file_error("make", full->parent_path(), problem.value());
    std::string name =
        is_inside
            ? (*full / ".init-XXXXXX").string()
            : (full->parent_path() / ("." + full->filename().string() + ".init-XXXXXX")).string();
    if (::mkdtemp(name.data()) == nullptr) return file_error("make", name, errno);
    return Staging(std::move(name), std::move(*full), is_inside);
}

Staging::Staging(Staging&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      target_(std::move(other.target_)),
      is_inside_(other.is_inside_) {}

Staging::~Staging() {
    if (path_.empty()) return;
    std::error_code ignored;  // nothing can be done about leftovers; they hold no plain key
    fs::remove_all(path_, ignored);
}

Result<> Staging::move_entries(const fs::path& last) const {
    std::vector<fs::path> names;
    std::error_code problem;
    for (const auto& entry : fs::directory_iterator(path_, problem)) {
        if (entry.path().filename() != last) names.push_back(entry.path().filename());
    }
    if (problem) return file_error("read", path_, problem.value());
    names.push_back(last);
    for (const auto& name : names) {
        if (::rename((path_ / name).c_str(), (target_ / name).c_str()) != 0) {
            return file_error("write", target_ / name, errno);
        }
    }
    if (::chmod(target_.c_str(), 0700) != 0) return file_error("protect", target_, errno);
    fs::remove(path_, problem);
    return sync_directory(target_);
}

Result<fs::path> Staging::commit(const fs::path& last) {
    if (is_inside_) {
        if (auto moved = move_entries(last); !moved) return std::move(moved).error();
    } else {
        if (::rename(path_.c_str(), target_.c_str()) != 0) {
            const int number = errno;
            if (auto free = check(target_); !free) return std::move(free).error();
            return file_error("make", target_, number);
        }
        if (auto synced = sync_directory(target_.parent_path()); !synced) {
            return std::move(synced).error();
        }
    }
    path_.clear();
    return target_;
}

}  // namespace hatchery::command
