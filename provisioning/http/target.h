// A request target as it came on the wire (RFC 9112 3.2.1, origin form): path segments and query,
// split before they are percent-decoded, so that an ARN with %2F stays one segment. Pure.
#pragma once

#include "ca/base/error.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hatchery::http {

struct Target {
    /// The path, still percent-encoded, without dot segments and repeated slashes: what SigV4 signs
    /// (encoded once more) and what `segments` comes from, so that both mean the same resource.
    std::string path;
    std::vector<std::string> segments;  ///< decoded; a trailing slash makes no segment
    std::vector<std::pair<std::string, std::string>> query;  ///< decoded, in the order of the text

    /// The first value of query parameter `name`, or nothing.
    std::optional<std::string_view> parameter(std::string_view name) const;
};

/// @errors InvalidRequest  not origin form, over 8,192 bytes, a broken or NUL percent-escape, over
/// 64 segments or 64 parameters
Result<Target> parse_target(std::string_view raw);

/// @errors InvalidRequest  a '%' without two hexadecimal digits, or %00
Result<std::string> percent_decode(std::string_view text);

}  // namespace hatchery::http
