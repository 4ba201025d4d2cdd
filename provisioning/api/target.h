// The request target (http/target.h) under this box's names.
#pragma once

#include "provisioning/http/target.h"

namespace hatchery::api {

using http::parse_target;
using http::percent_decode;
using http::Target;

}  // namespace hatchery::api
