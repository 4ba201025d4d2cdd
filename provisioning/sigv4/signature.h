// What every signer and every checker of AWS Signature Version 4 does alike; each makes its own
// canonical request (AWS "Create a signed AWS API request"). Pure.
#pragma once

#include "ca/base/clock.h"
#include "ca/base/secret.h"

#include <optional>
#include <string>
#include <string_view>

namespace hatchery::sigv4 {

inline constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

/// "20130524T000000Z".
std::string to_timestamp(Time time);
/// Nothing unless it is of that form, and a time that there is; 60 seconds are a leap second.
std::optional<Time> parse_timestamp(std::string_view text);

/// What a signature is good for.
struct Scope {
    std::string_view date;  ///< the timestamp's first eight characters
    std::string_view region, service;

    /// "DATE/REGION/SERVICE/aws4_request".
    std::string text() const;
};

/// Of `canonical_request`, in lower-case hexadecimal.
std::string signature(const Secret& secret,
                      const Scope& scope,
                      std::string_view timestamp,
                      std::string_view canonical_request);

}  // namespace hatchery::sigv4
