// Opaque pagination tokens: a list's position, bound to its operation by a check so that a token of
// another list, or a mangled one, is refused instead of giving a wrong page.
#pragma once

#include "ca/base/error.h"
#include "provisioning/registry/page.h"

#include <string>
#include <string_view>
#include <vector>

namespace hatchery::api {

std::string make_page_token(std::string_view operation, std::string_view position);
/// @errors InvalidRequest  not a token of `operation`
Result<std::string> read_page_token(std::string_view operation, std::string_view token);

/// One page of names that are all in memory; sorts them first.
registry::Page<std::string> page_of(std::vector<std::string> names,
                                    const registry::PageRequest& request);

}  // namespace hatchery::api
