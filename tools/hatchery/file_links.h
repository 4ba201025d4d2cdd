// What `serve` and `file link` must agree on: the secret of links, and where they lead.
#pragma once

#include "ca/seal.h"
#include "provisioning/store/store.h"
#include "tools/hatchery/config.h"

namespace hatchery::command {

/// The secret that signs links to kept files, wrapped at rest; made when there is none.
Result<Secret> open_link_secret(store::Store& store, const ca::WrapKey& wrap);
/// How links begin: what the configuration says, else the server's name and its port `https`.
std::string link_base_url(const Config& config, int https_port);

}  // namespace hatchery::command
