// Many certificates in one file, for lines that load them into a database.
#pragma once

#include "ca/certificate.h"
#include "tools/hatchery/files.h"

#include <string>

namespace hatchery::command {

/// One certificate as a line: JSON with file, serialNumber, certificateId and certificatePem.
/// @param file  the request's name
std::string bundle_line(const std::string& file, const ca::Certificate& certificate);

/// Written beside its name and moved there when it is whole: what lies under the name after a kill
/// or a power cut is a whole bundle, or the one before.
class Bundle {
  public:
    /// @errors Unavailable  it cannot be made
    static Result<Bundle> create(std::filesystem::path path);
    /// @errors Unavailable
    Result<> append(std::string_view lines);
    /// Syncs it and moves it into place. @errors Unavailable
    Result<> finish();

  private:
    Bundle(std::filesystem::path path, std::filesystem::path part, Descriptor file)
        : path_(std::move(path)), part_(std::move(part)), file_(std::move(file)) {}

    std::filesystem::path path_, part_;
    Descriptor file_;
};

}  // namespace hatchery::command
