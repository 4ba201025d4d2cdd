// The flows of the service for one command, on a data directory whose server may run or not.
#pragma once

#include "provisioning/flows/service.h"
#include "provisioning/flows/trace.h"
#include "tools/hatchery/data_directory.h"

#include <memory>

namespace hatchery::command {

/// What hatchery.toml says about every flow.
flows::Settings flow_settings(const Config& config);

/// A service without hooks. One object, not moved: the service refers to its parts.
class OfflineService {
  public:
    /// @errors Unauthenticated  wrong passphrase; Unavailable  a part cannot be opened
    static Result<std::unique_ptr<OfflineService>> open(const DataDirectory& data,
                                                        const Secret& passphrase);
    OfflineService(const OfflineService&) = delete;
    OfflineService& operator=(const OfflineService&) = delete;

    flows::Service& service() { return service_; }
    store::Store& store() { return *store_; }
    const ca::Issuer& ca() const { return issuer_; }
    const Profiles& profiles() const { return profiles_; }

  private:
    OfflineService(Profiles profiles,
                   ca::Issuer issuer,
                   std::unique_ptr<store::Store> store,
                   flows::Settings settings);

    Profiles profiles_;
    ca::Issuer issuer_;
    std::unique_ptr<store::Store> store_;
    registry::StoreLedger ledger_;
    hooks::HookSet hooks_;
    flows::CompiledCache compiled_;
    flows::TraceLog traces_;
    flows::Service service_;
};

}  // namespace hatchery::command
