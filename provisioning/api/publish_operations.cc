#include "provisioning/api/operations.h"
#include "provisioning/flows/publish.h"

namespace hatchery::api::data {

Result<std::string> publish(const Call& call) {
    const auto qos = query_integer(call, "qos");
    if (!qos) return qos.error();
    if (qos->value_or(0) != 0 && qos->value_or(0) != 1) {
        return fail(Code::InvalidRequest, "expected 0 or 1", "qos");
    }
    const auto retain = query_flag(call, "retain", false);
    if (!retain) return retain.error();
    flows::Event message{
        call.labels.front(), std::string(call.body), *retain, static_cast<int>(qos->value_or(0))};
    if (auto good = flows::check_message(call.service.settings, message); !good) {
        return std::move(good).error();
    }
    return empty_answer(flows::deliver(call.service, std::move(message), call.access_key_id));
}

}  // namespace hatchery::api::data
