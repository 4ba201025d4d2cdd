#include "tools/hatchery/bundle.h"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cerrno>

namespace hatchery::command {

std::string bundle_line(const std::string& file, const ca::Certificate& certificate) {
    nlohmann::ordered_json line;
    line["file"] = file;
    line["serialNumber"] = certificate.serial_hex();
    line["certificateId"] = certificate.id().hex();
    line["certificatePem"] = certificate.pem();
    // A file's name need not be UTF-8.
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<Bundle> Bundle::create(std::filesystem::path path) {
    std::filesystem::path part = path;
    part += ".part";
    Descriptor file(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kPublic));
    if (!file.is_open()) return file_error("write", part, errno);
    return Bundle(std::move(path), std::move(part), std::move(file));
}

Result<> Bundle::append(std::string_view lines) {
    return disk::write_all(file_.get(), lines, part_);
}

Result<> Bundle::finish() {
    if (::fsync(file_.get()) != 0) return file_error("write", part_, errno);
    std::error_code problem;
    std::filesystem::rename(part_, path_, problem);
    if (problem) return file_error("write", path_, problem.value());
    const auto folder = path_.parent_path();
    return sync_directory(folder.empty() ? "." : folder);
}

}  // namespace hatchery::command
