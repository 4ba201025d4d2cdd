// Serial numbers between a hook's yes and the commit: looked up in the registry for the allow-list
// hook, used up in the write that provisions the device.
#pragma once

#include "hooks/hook.h"
#include "provisioning/flows/service.h"

namespace hatchery::flows {

/// What a hook's decision wants to be used up with the device's records.
using Reservations = std::vector<hooks::Reservation>;

/// The allow-list hook's look-ups, in the registry. Thread-safe; `store` outlives it.
class RegistryLists : public hooks::SerialLists {
  public:
    explicit RegistryLists(store::Store& store) : store_(store) {}
    Result<hooks::HookDecision> look_up(const std::string& list,
                                        const std::string& serial_number,
                                        bool single_use,
                                        const hooks::HookEvent& event) override;

  private:
    store::Store& store_;
};

/// Marks every reserved serial number as used by `certificate`, in the same commit as its records.
/// @errors Forbidden  another device used it since the hook looked, or an operator took it away;
/// `where` = "preProvisioningHook"
Result<> use_reservations(store::Tx& tx,
                          const Reservations& reservations,
                          const CertificateId& certificate,
                          Time now);

}  // namespace hatchery::flows
