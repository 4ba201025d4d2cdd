// Where the upstream broker is.
#pragma once

#include "ca/base/error.h"

#include <string>
#include <string_view>

namespace hatchery::gateway {

struct UpstreamAddress {
    std::string unix_path;  ///< empty: TCP
    std::string host;
    std::string port;
};

/// "unix:PATH", "HOST:PORT" or "[IPV6]:PORT".
/// @errors InvalidRequest  none of these, or a path too long for a socket; `where` = "upstream"
Result<UpstreamAddress> parse_upstream(std::string_view text);

}  // namespace hatchery::gateway
