// Any bytes as an EST request: the first line is the path, the rest the body.
#include "provisioning/enroll/est.h"

#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    const auto line = all.find('\n');
    const auto path = hatchery::enroll::parse_est_path(all.substr(0, line));
    if (path && (path->profile.empty() || path->operation.empty())) std::abort();
    const auto body = line == std::string_view::npos ? std::string_view() : all.substr(line + 1);
    const auto csr = hatchery::enroll::parse_est_body(body);
    if (csr && csr->fields().der.empty()) std::abort();
    return 0;
}
