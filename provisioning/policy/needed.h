// The part of a Context that given documents can ask for.
#pragma once

#include "provisioning/policy/policy.h"

namespace hatchery::policy {

/// `context` without the values that no statement of `documents` names: evaluate() decides the same
/// by it, and a connection that keeps it for hours keeps a tenth.
Context needed_of(std::span<const Document> documents, const Context& context);

}  // namespace hatchery::policy
