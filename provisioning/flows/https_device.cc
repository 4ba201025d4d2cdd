#include "provisioning/flows/https_device.h"

namespace hatchery::flows {

Result<> authorize_https(Service& service,
                         const HttpsDevice& device,
                         std::span<const policy::Action> actions,
                         std::string_view name,
                         Time now) {
    const ConnectRequest request{.certificate = device.certificate,
                                 .chain = {},
                                 .client_id = {},
                                 .source_ip = device.source_ip,
                                 .will_topic = {},
                                 .server_name = device.server_name,
                                 .protocol = Protocol::Https};
    auto outcome = admit(service, request, now);
    for (auto& event : outcome.events) {
        if (service.messages != nullptr) service.messages->publish(std::move(event), {});
    }
    if (!outcome.admission) return std::move(*outcome.refused);
    for (const auto action : actions) {
        const auto decision = authorize(service, *outcome.admission, action, name);
        if (decision.effect == policy::Effect::Allowed) continue;
        trace_denial(service, request, *outcome.admission, action, name, now);
        return fail(Code::Forbidden,
                    std::string(policy::to_string(action)) + " on '" + std::string(name) +
                        "' is not allowed");
    }
    return {};
}

}  // namespace hatchery::flows
