// Downloads of kept files: GET /files/NAME?X-Amz-…, a presigned link (provisioning/files). No
// client certificate: the link is the permission. One range of bytes, for downloads that go on.
#pragma once

#include "ca/base/clock.h"
#include "ca/base/error.h"
#include "provisioning/http/listener.h"

#include <atomic>
#include <memory>
#include <string_view>

namespace hatchery::files {
class Links;
}

namespace hatchery::enroll {

/// Is it a path of kept files?
bool is_file(std::string_view target);

/// Thread-safe.
class FileAnswers {
  public:
    /// As many as leave half of the front's threads to stations and devices.
    static constexpr int kMostDownloads = 16;

    /// @param links  must outlive the answers' bodies; null: there are no files here
    explicit FileAnswers(const files::Links* links) : links_(links) {}

    /// The file, or the part of it that is asked for (RFC 9110 14.2).
    /// @errors NotImplemented  not GET; Forbidden  no good link; NotFound  the file was removed;
    /// Unavailable  too many downloads at once, or the disk
    Result<http::Response> answer(const http::Request& request, Time now);

  private:
    const files::Links* links_;
    /// Shared with the bodies that are being sent.
    std::shared_ptr<std::atomic<int>> downloads_ = std::make_shared<std::atomic<int>>(0);
};

/// A part of a file, from `first` to `last`, both included.
struct ByteRange {
    std::uint64_t first = 0, last = 0;
};
/// What a Range header asks for of `size` bytes. Nothing: all of it (no range of bytes, several, or
/// none that this server understands; RFC 9110 14.2 lets it ignore them).
/// @errors InvalidRequest  it begins behind the end (416)
Result<std::optional<ByteRange>> read_range(std::string_view header, std::uint64_t size);

}  // namespace hatchery::enroll
