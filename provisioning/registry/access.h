// Who may use the control plane and the factory endpoint: access keys (SigV4) and stations (client
// certificates).
#pragma once

#include "ca/base/bytes.h"
#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "provisioning/registry/page.h"
#include "provisioning/store/store.h"

#include <array>
#include <chrono>

namespace hatchery::registry {

/// What an access key may be for; what each may call is the control plane's business.
inline constexpr std::array<std::string_view, 5> kAccessRoles{
    "admin", "operator", "factory", "read-only", "ci"};

struct AccessKey {
    std::string id;        ///< "AKIA…", 20 characters
    Bytes wrapped_secret;  ///< by ca::WrapKey, label = id
    std::string role = "admin";
    bool enabled = true;
    Time created;
};
Result<> add_access_key(store::Tx&, const AccessKey&);
Result<AccessKey> find_access_key(store::Reader&, std::string_view id);
Result<std::vector<AccessKey>> access_keys(store::Reader&);
/// @errors NotFound
Result<> set_access_key_enabled(store::Tx&, std::string_view id, bool enabled);

struct Station {
    std::string name;
    CertificateId certificate;  ///< its client certificate
    std::vector<std::string> profiles;
    bool enabled = true;
    Time created;
    std::optional<std::int64_t> quota{};  ///< certificates a period, or altogether
    std::chrono::seconds period{};        ///< 0: the quota is for good
    std::int64_t used = 0;                ///< of the quota, in the present period
    std::optional<Time> not_before{};     ///< when it may sign
    std::optional<Time> not_after{};      ///< the first second when it may not any more
    /// Device serial numbers that it may sign for: "SN-1", "SN-26*", "0001..0999"; empty: any.
    std::vector<std::string> serial_numbers{};
};
/// @errors AlreadyExists
Result<> add_station(store::Tx&, const Station&);
Result<Station> find_station(store::Reader&, const CertificateId&);
Result<std::vector<Station>> stations(store::Reader&);
/// @errors NotFound
Result<> set_station_enabled(store::Tx&, std::string_view name, bool enabled);

}  // namespace hatchery::registry
