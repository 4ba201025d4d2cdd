// The account and region that ARNs carry.
#pragma once

#include <string>
#include <string_view>

namespace hatchery::registry {

struct Account {
    std::string id = "123456789012";
    std::string region = "us-east-1";

    /// arn:aws:iot:REGION:ACCOUNT:TYPE/NAME. Types: cert, cacert, thing, thingtype, thinggroup,
    /// billinggroup, policy, provisioningtemplate.
    std::string arn(std::string_view type, std::string_view name) const {
        return "arn:aws:iot:" + region + ":" + id + ":" + std::string(type) + "/" +
               std::string(name);
    }
};

/// The NAME of an ARN of `type` in this account and region, or empty.
std::string_view name_from_arn(const Account& account, std::string_view type, std::string_view arn);

}  // namespace hatchery::registry
