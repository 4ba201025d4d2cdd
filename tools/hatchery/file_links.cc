#include "tools/hatchery/file_links.h"

#include "provisioning/files/links.h"

namespace hatchery::command {

namespace {

constexpr std::string_view kLinkLabel = "file links";
constexpr int kDefaultPort = 443;  // of https

}  // namespace

Result<Secret> open_link_secret(store::Store& store, const ca::WrapKey& wrap) {
    return files::link_secret(
        store,
        [&](ByteView plain) { return wrap.wrap(plain, kLinkLabel); },
        [&](ByteView wrapped) { return wrap.unwrap(wrapped, kLinkLabel); });
}

std::string link_base_url(const Config& config, int https_port) {
    if (!config.files.url.empty()) return config.files.url;
    std::string url = "https://" + config.server.host;
    if (https_port != kDefaultPort) url += ":" + std::to_string(https_port);
    return url;
}

}  // namespace hatchery::command
