// Links that are good for a while: AWS Signature Version 4 in its presigned form, as S3 has it
// (service s3, host the only signed header, UNSIGNED-PAYLOAD). Pure.
#pragma once

#include "ca/base/clock.h"
#include "ca/base/secret.h"

#include <string>
#include <string_view>

namespace hatchery::files {

/// A GET of https://HOST/PATH that somebody is to be allowed for a while.
struct PresignedGet {
    std::string host;  ///< with its port unless that is the scheme's own
    std::string path;  ///< as in the link: "/files/a.bin"
    std::string key_id, region;
    Time signed_at;
    std::chrono::seconds lifetime{3600};  ///< 1 second to 7 days, S3's limit
};
/// The query that makes GET https://HOST/PATH?QUERY good until its lifetime is over.
std::string presigned_query(const PresignedGet& request, const Secret& secret);

/// Is `query` one that presigned_query makes for `request` with some time and lifetime, and is that
/// not over at `now`? What `request` says of both does not count.
/// @errors Forbidden  no signature, another than ours, or one that has expired: told apart only for
/// links that we signed
Result<> check_presigned(PresignedGet request,
                         std::string_view query,
                         const Secret& secret,
                         Time now);

}  // namespace hatchery::files
