// Which names a registry has: a data directory's, or a control plane's over HTTP.
#pragma once

#include "ca/base/error.h"
#include "templates/references.h"

#include <memory>
#include <string>

namespace hatchery::command {

/// One thread at a time.
class RegistryNames {
  public:
    virtual ~RegistryNames() = default;
    /// @errors Unavailable, Unauthenticated  the registry did not answer the question
    virtual Result<bool> exists(templates::ReferenceKind kind, const std::string& name) = 0;
};

/// @param where  a data directory, or a URL (http, https) of an AWS IoT control plane, whose
/// requests are signed with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN,
/// AWS_DEFAULT_REGION, AWS_CA_BUNDLE) @errors Unavailable
Result<std::unique_ptr<RegistryNames>> open_registry(const std::string& where);

}  // namespace hatchery::command
