// One HTTP request and its status. Private to this box.
#pragma once

#include "ca/base/bytes.h"

#include <chrono>
#include <map>
#include <string>

namespace hatchery::rule_actions {

struct WebRequest {
    std::string method;
    std::string url;  ///< http://… or https://…
    std::map<std::string, std::string> headers;
    ByteView body;
    std::string ca_file{};  ///< PEM; empty: the system's
};
/// HOST, or HOST:PORT where the port is none of the scheme's own: what stands in the Host header.
/// @errors InvalidRequest  no http(s) URL
Result<std::string> host_of(const std::string& url);
/// @errors InvalidRequest  no http(s) URL; Unavailable  no answer, or a status outside 200-299
Result<> send_web(const WebRequest& request, std::chrono::seconds timeout);

}  // namespace hatchery::rule_actions
