#include "provisioning/flows/fleet_profile.h"

#include "ca/name.h"

#include <algorithm>

namespace hatchery::flows {

namespace {

// The first second after; a validity includes its last second (RFC 5280 4.1.2.5).
constexpr Time kEnd = std::chrono::sys_days{std::chrono::year{2050} / 1 / 1};

}  // namespace

ca::Profile fleet_profile(const Service& service, Time now) {
    if (auto own = service.profiles.find("fleet"); own != service.profiles.end()) {
        return own->second;
    }
    ca::Profile profile;
    profile.name = "fleet";
    profile.keys = {ca::KeyKind::Rsa2048,
                    ca::KeyKind::Rsa3072,
                    ca::KeyKind::Rsa4096,
                    ca::KeyKind::P256,
                    ca::KeyKind::P384,
                    ca::KeyKind::Ed25519};
    // After 2049 AWS's date has passed: then a year at a time, and still not beyond the issuer.
    profile.validity = std::max<std::chrono::seconds>(kEnd - now, std::chrono::hours{24 * 365});
    profile.backdate = std::chrono::hours{1};  // for devices whose clock is behind
    profile.key_usage = {"digitalSignature"};
    profile.extended_key_usage = {"clientAuth"};
    ca::Profile::Attribute common_name;
    common_name.oid = ca::oid::kCommonName;
    common_name.fixed = "AWS IoT Certificate";
    profile.subject = {common_name};
    profile.ignore_other_attributes = true;
    profile.ignore_extensions = true;
    return profile;
}

}  // namespace hatchery::flows
