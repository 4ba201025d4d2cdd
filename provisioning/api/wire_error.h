// The control plane's one way from an Error to the wire: HTTP status, AWS's exception name, JSON
// body.
#pragma once

#include "ca/base/error.h"

#include <string>
#include <string_view>

namespace hatchery::api {

struct WireError {
    int status = 500;
    std::string exception;  ///< for the header x-amzn-ErrorType
    std::string body;  ///< {"message": …}, with resourceId and resourceArn when there are any
};

/// Internal loses its message: the caller logs it with the request id. RegisterThing has exceptions
/// of its own.
/// @param operation  AWS's name of the operation, or empty when none was found
WireError to_wire(const Error& error, std::string_view operation = {});
/// 404 UnknownOperationException: no operation has this method and path.
WireError unknown_operation(std::string_view method, std::string_view path);
/// An answer of the HTTP layer itself (400, 413, 414, …) in the same form.
WireError http_error(int status);

}  // namespace hatchery::api
