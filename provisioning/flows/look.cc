#include "provisioning/flows/look.h"

namespace hatchery::flows {

namespace {

using registry::CertificateStatus;

// An absent row is no error.
template <class T>
Result<std::optional<T>> if_there(Result<T> found) {
    if (found) return std::optional<T>(std::move(*found));
    if (found.error().code == Code::NotFound) return std::optional<T>{};
    return std::move(found).error();
}

Result<> look_for_issuers(Service& service,
                          store::Reader& reader,
                          const ConnectRequest& request,
                          std::uint64_t generation,
                          Look& look) {
    auto issuers = service.compiled.cas_by_subject(
        reader, request.certificate.fields().issuer_der, generation);
    if (!issuers) return std::move(issuers).error();
    look.issuers = std::move(*issuers);
    return {};
}

Result<> look_for_others(
    Service& service, store::Reader& reader, const ConnectRequest& request, Time now, Look& look) {
    const auto& id = request.certificate.id();
    auto claim = if_there(registry::find_provisioning_claim(reader, id, now));
    if (!claim) return std::move(claim).error();
    look.is_trusted_claim = claim->has_value();
    if (look.is_trusted_claim) return {};
    auto generation = reader.identity_generation();
    if (!generation) return std::move(generation).error();
    auto station = service.compiled.station_of(reader, id, *generation);
    if (!station) return std::move(station).error();
    look.station = std::move(*station);
    return look_for_issuers(service, reader, request, *generation, look);
}

}  // namespace

Result<Look> look_up(Service& service, const ConnectRequest& request, Time now) {
    const std::uint64_t generation = service.store.identity_generation();
    return service.store.read([&](store::Reader& reader) -> Result<Look> {
        Look look;
        auto certificate = if_there(registry::find_certificate(reader, request.certificate.id()));
        if (!certificate) return std::move(certificate).error();
        if (!*certificate) {
            auto others = look_for_others(service, reader, request, now, look);
            return others ? Result<Look>(std::move(look)) : std::move(others).error();
        }
        auto identity = read_identity_in(reader, std::move(**certificate), request.client_id);
        if (!identity) return std::move(identity).error();
        identity->generation = generation;
        look.known = std::move(*identity);
        if (look.known->certificate.status == CertificateStatus::PendingActivation) {
            auto seen = reader.identity_generation();
            if (!seen) return std::move(seen).error();
            auto found = look_for_issuers(service, reader, request, *seen, look);
            if (!found) return std::move(found).error();
        }
        return look;
    });
}

}  // namespace hatchery::flows
