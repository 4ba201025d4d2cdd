// A device that asks over HTTPS with its certificate, instead of connecting.
#pragma once

#include "provisioning/flows/admit.h"

#include <span>
#include <string>
#include <string_view>

namespace hatchery::flows {

/// Its certificate was proved in the handshake.
struct HttpsDevice {
    ca::Certificate certificate;
    std::string source_ip;
    std::string server_name;  ///< SNI of the handshake; empty: none
};

/// Admits the device as a CONNECT would (first connect included), and asks its policies for each of
/// `actions` on `name`; a denial leaves a trace. Blocks on the store and hooks.
/// @errors Forbidden  not admitted or not allowed
Result<> authorize_https(Service& service,
                         const HttpsDevice& device,
                         std::span<const policy::Action> actions,
                         std::string_view name,
                         Time now);

}  // namespace hatchery::flows
