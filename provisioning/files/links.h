// Short-lived links to kept files, for devices that have no account: whoever has one may read that
// one file until it expires.
#pragma once

#include "ca/base/secret.h"
#include "provisioning/files/shelf.h"

#include <functional>
#include <mutex>

namespace hatchery::files {

inline constexpr std::string_view kPathOfFiles = "/files/";

/// The name of the kept file that a URL means: BUCKET/KEY of an S3 URL in either style (s3://,
/// too), NAME of …/files/NAME, or the text itself if it is no URL.
std::string name_of(std::string_view url);

/// Thread-safe.
class Links {
  public:
    /// @param base_url  "https://HOST[:PORT]", where devices reach the front that serves files;
    /// empty: unknown until set_base_url
    Links(const Shelf& shelf, std::string base_url, std::string region, Secret secret);
    void set_base_url(std::string base_url);

    const Shelf& shelf() const { return shelf_; }
    /// A link to the file that `url` means, whether or not it is there yet: a missing one is 404
    /// when it is fetched. @errors InvalidRequest  no file can have that name; Unavailable  no base
    /// URL yet
    Result<std::string> make(std::string_view url, std::chrono::seconds lifetime, Time now) const;
    /// What a link's target ("/files/NAME?X-Amz-…") leads to. @errors Forbidden  not signed,
    /// changed or expired; NotFound; Unavailable
    Result<std::shared_ptr<const OpenFile>> open(std::string_view target, Time now) const;

  private:
    std::string base_url() const;

    const Shelf& shelf_;
    mutable std::mutex mutex_;  // for base_url_
    std::string base_url_;
    std::string region_;
    Secret secret_;
};

/// The secret of this data directory's links, made by whoever needs it first.
/// @param wrap, unwrap  how it is kept at rest
Result<Secret> link_secret(store::Store& store,
                           const std::function<Result<Bytes>(ByteView plain)>& wrap,
                           const std::function<Result<Secret>(ByteView wrapped)>& unwrap);

}  // namespace hatchery::files
