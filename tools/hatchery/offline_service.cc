#include "tools/hatchery/offline_service.h"

#include <utility>

namespace hatchery::command {

flows::Settings flow_settings(const Config& config) {
    flows::Settings settings;
    settings.account = config.account;
    settings.serial_number_source = config.provisioning.serial_number_source;
    settings.device_key = config.provisioning.device_key;
    settings.ownership_token_lifetime = config.provisioning.ownership_token_lifetime;
    settings.endpoint_host = config.server.host;
    settings.control_plane_tls = config.control_plane.tls;
    settings.max_topic_bytes = config.limits.topic_bytes;
    settings.max_topic_levels = config.limits.topic_levels;
    settings.keep_registrations = std::chrono::days(config.keep_registrations_days);
    return settings;
}

OfflineService::OfflineService(Profiles profiles,
                               ca::Issuer issuer,
                               std::unique_ptr<store::Store> store,
                               flows::Settings settings)
    : profiles_(std::move(profiles)),
      issuer_(std::move(issuer)),
      store_(std::move(store)),
      ledger_(*store_),
      traces_(*store_),
      service_{*store_,
               issuer_,
               ledger_,
               profiles_,
               hooks_,
               compiled_,
               std::move(settings),
               nullptr,
               &traces_} {}

Result<std::unique_ptr<OfflineService>> OfflineService::open(const DataDirectory& data,
                                                             const Secret& passphrase) {
    auto profiles = data.profiles();
    if (!profiles) return std::move(profiles).error();
    auto issuer = data.issuing_ca(passphrase);
    if (!issuer) return std::move(issuer).error();
    auto store = data.open_store();
    if (!store) return std::move(store).error();
    auto escrow_recipient = data.escrow_recipient();
    if (!escrow_recipient) return std::move(escrow_recipient).error();
    flows::Settings settings = flow_settings(data.config());
    settings.escrow_recipient = std::move(*escrow_recipient);
    return std::unique_ptr<OfflineService>(new OfflineService(
        std::move(*profiles), std::move(*issuer), std::move(*store), std::move(settings)));
}

}  // namespace hatchery::command
