// AWS Signature Version 4, verified over the request as received. Pure: the clock and the keys are
// parameters. Facts: AWS "Signature Version 4 signing process"; the service-specific rule that the
// path is percent-encoded once more (every service but S3).
#pragma once

#include "ca/base/clock.h"
#include "ca/base/secret.h"
#include "provisioning/api/target.h"
#include "provisioning/http/listener.h"

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace hatchery::api {

using http::Header;

/// The request, whole, as SigV4 sees it. Views must outlive the call.
struct SignedRequest {
    std::string_view method;
    const Target& target;
    std::span<const Header> headers;
    std::string_view body;
};

/// Who an access key stands for.
struct AccessKey {
    std::string id;
    std::string role;
    Secret secret;
};
/// @errors NotFound  no such key, or it is disabled; any other error is passed on
using KeyLookup = std::function<Result<std::shared_ptr<const AccessKey>>(std::string_view id)>;

/// `where` of an Unauthenticated error, so that the wire can name AWS's exception for it.
inline constexpr std::string_view kNoSignature = "Authorization";  ///< nothing was signed
inline constexpr std::string_view kUnknownKey = "Credential";      ///< no such access key
inline constexpr std::string_view kBadSignature = "Signature";     ///< everything else

/// What clients of the control plane put into their scope; execute-api: those before 2023.
inline constexpr std::array<std::string_view, 4> kServices{
    "iot", "execute-api", "iotdata", "iot-jobs-data"};

/// The service that a request says it is for ("iot", "iot-jobs-data"), not verified yet; empty if
/// it says none.
std::string claimed_service(const SignedRequest& request);

/// Verifies the Authorization header, or the presigned query form (X-Amz-Algorithm …). A header
/// that operations read (x-amzn-principal …) must be signed when it is there.
/// @param now  the signature's time must lie within 15 minutes of it; presigned: within its expiry
/// @param services  the scope must name one of these; any region will do
/// @errors Unauthenticated  `where` = one of the three above
/// Thread-safe.
Result<std::shared_ptr<const AccessKey>> verify(
    const SignedRequest& request,
    Time now,
    const KeyLookup& find_key,
    std::span<const std::string_view> services = kServices);

}  // namespace hatchery::api
