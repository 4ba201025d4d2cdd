// What an access key's role may call. Pure.
#pragma once

#include <string_view>

namespace hatchery::api {

/// admin      everything
/// operator   everything but changes to CA certificates and the registration code
/// factory    what a line needs to make devices: certificates, things, attachments, RegisterThing,
///            claims, and to look at these
/// read-only  what changes nothing
/// ci         what a pipeline needs to check policies and templates: reading those,
///            TestAuthorization
/// Any other role may do nothing.
bool may_call(std::string_view role, std::string_view operation);

}  // namespace hatchery::api
