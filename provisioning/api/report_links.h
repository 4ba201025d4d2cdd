// Links to reports: whoever has one may read that one file, for an hour. Signed with a key of this
// process, so a link ends with it.
#pragma once

#include "ca/base/clock.h"
#include "provisioning/flows/service.h"
#include "provisioning/http/listener.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace hatchery::api {

/// The path and query of a link to `file`, a report of `task`.
std::string make_report_link(std::string_view task, const std::filesystem::path& file, Time now);

/// The answer to a request for such a link; nothing for any other request.
std::optional<http::Response> answer_report_link(const flows::Service& service,
                                                 const http::Request& request,
                                                 Time now);

}  // namespace hatchery::api
