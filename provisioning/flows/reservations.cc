#include "provisioning/flows/reservations.h"

#include "ca/digest.h"
#include "provisioning/flows/plan.h"
#include "provisioning/registry/allow_list.h"

namespace hatchery::flows {

namespace {

/// NAME of arn:aws:iot:REGION:ACCOUNT:provisioningtemplate/NAME.
std::string template_of(std::string_view arn) {
    return std::string(arn.substr(arn.rfind('/') + 1));
}

Result<Bytes> key_digest(const std::string& certificate_pem) {
    auto certificate = ca::Certificate::from_pem(certificate_pem);
    if (!certificate) return std::move(certificate).error();
    const auto digest = ca::sha256(certificate->fields().public_key_der);
    return Bytes(digest.begin(), digest.end());
}

}  // namespace

Result<hooks::HookDecision> RegistryLists::look_up(const std::string& list,
                                                   const std::string& serial_number,
                                                   bool single_use,
                                                   const hooks::HookEvent& event) {
    auto covering = store_.read(
        [&](store::Reader& reader) { return registry::find_serial(reader, list, serial_number); });
    if (!covering) {
        if (covering.error().code != Code::NotFound) return std::move(covering).error();
        return hooks::HookDecision{false, {}, covering.error().message};
    }
    registry::SerialUse use{
        list, serial_number, template_of(event.template_arn), {}, {}, event.now, single_use};
    // An id that cannot be read belongs to no certificate that used the number.
    if (auto id = CertificateId::parse(event.certificate_id); id) use.certificate = *id;
    if (!covering->entry.key_sha256.empty()) {
        auto digest = key_digest(event.certificate_pem);
        if (!digest) return std::move(digest).error();
        use.key_sha256 = std::move(*digest);
    }
    if (auto checked = registry::check_serial_use(*covering, use); !checked) {
        return hooks::HookDecision{false, {}, checked.error().message};
    }
    hooks::HookDecision decision{true, {}, {}};
    if (single_use)
        decision.reservations.push_back({list, serial_number, use.template_name, use.key_sha256});
    return decision;
}

Result<> use_reservations(store::Tx& tx,
                          const Reservations& reservations,
                          const CertificateId& certificate,
                          Time now) {
    for (const auto& reserved : reservations) {
        auto used = registry::use_serial(tx,
                                         {reserved.list,
                                          reserved.serial_number,
                                          reserved.template_name,
                                          certificate,
                                          reserved.key_sha256,
                                          now});
        if (used) continue;
        const auto code = used.error().code;
        if (code != Code::Forbidden && code != Code::NotFound) return used;
        return fail(Code::Forbidden,
                    "serial number " + reserved.serial_number + " " + used.error().message,
                    std::string(kHookMember));
    }
    return {};
}

}  // namespace hatchery::flows
