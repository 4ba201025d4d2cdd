#include "ca/csr.h"
#include "provisioning/api/operations.h"
#include "provisioning/flows/escrow.h"
#include "provisioning/flows/fleet_profile.h"
#include "provisioning/flows/issue.h"
#include "provisioning/flows/key_pool.h"
#include "provisioning/registry/certificates.h"

#include <nlohmann/json.hpp>

namespace hatchery::api::certificates {
namespace {

using nlohmann::json;
using registry::CertificateMode;
using registry::CertificateStatus;

json with_arn(const Call& call, const CertificateId& id) {
    return {{"certificateArn", call.arn("cert", id.hex())}, {"certificateId", id.hex()}};
}

CertificateStatus status_of(bool active) {
    return active ? CertificateStatus::Active : CertificateStatus::Inactive;
}

/// Signs `csr` and registers the certificate in the commit that stores it.
Result<ca::Certificate> issue(const Call& call,
                              const ca::Csr& csr,
                              CertificateStatus status,
                              std::string_view escrowed_key = {}) {
    return flows::issue(call.service.store,
                        call.service.ledger,
                        call.service.issuer,
                        csr,
                        flows::fleet_profile(call.service, call.now),
                        "api:" + std::string(call.access_key_id),
                        call.now,
                        [&](store::Tx& tx, const ca::Certificate& certificate) -> Result<> {
                            auto added = registry::add_certificate(tx,
                                                                   call.account(),
                                                                   certificate,
                                                                   status,
                                                                   std::nullopt,
                                                                   CertificateMode::Default,
                                                                   call.now);
                            if (!added) return std::move(added).error();
                            return flows::keep_escrow(tx, certificate.id(), escrowed_key);
                        });
}

/// From the stock made ahead if it has the wanted kind: an RSA key takes a tenth of a second.
Result<ca::PrivateKey> new_key(const flows::Service& service) {
    const auto kind = service.settings.device_key;
    const bool has_stock = service.key_pool != nullptr && service.key_pool->kind() == kind;
    return has_stock ? service.key_pool->take() : ca::PrivateKey::generate(kind);
}

/// The subject is the fleet profile's business.
Result<ca::Csr> csr_for(const ca::PrivateKey& key) {
    auto pem = ca::make_csr(key, {});
    if (!pem) return std::move(pem).error();
    return ca::Csr::parse(bytes_of(*pem));
}

/// `status` of the body, else setAsActive of the query (deprecated, still sent), else INACTIVE.
Result<CertificateStatus> wanted_status(const Call& call) {
    auto active = query_flag(call, "setAsActive", false);
    if (!active) return std::move(active).error();
    auto text = call.input.optional_text("status");
    if (!text) return std::move(text).error();
    if (!*text) return status_of(*active);
    auto status = registry::parse_certificate_status(**text);
    if (!status) return fail(status.error().code, status.error().message, "/status");
    if (*status == CertificateStatus::Active || *status == CertificateStatus::Inactive ||
        *status == CertificateStatus::Revoked) {
        return status;
    }
    return fail(Code::CertificateState,
                "Not allowed to register certificate with " +
                    std::string(registry::to_string(*status)) + " status");
}

Result<ca::Certificate> certificate_in(const Call& call, std::string_view member) {
    auto pem = call.input.text(member);
    if (!pem) return std::move(pem).error();
    auto certificate = ca::Certificate::from_pem(*pem);
    if (!certificate) {
        return fail(
            Code::CertificateInvalid, certificate.error().message, "/" + std::string(member));
    }
    return certificate;
}

/// The registered CA that issued `certificate`: the one in caCertificatePem, else the only one of
/// that subject whose key verifies.
Result<registry::CaCertificate> issuing_ca(const Call& call, const ca::Certificate& certificate) {
    if (call.input.has("caCertificatePem")) {
        auto named = certificate_in(call, "caCertificatePem");
        if (!named) return std::move(named).error();
        auto found = call.service.store.read(
            [&](store::Reader& reader) { return registry::find_ca(reader, named->id()); });
        if (!found && found.error().code == Code::NotFound) {
            return fail(Code::CertificateInvalid,
                        "expected a registered CA certificate",
                        "/caCertificatePem");
        }
        return found;
    }
    auto candidates = call.service.store.read([&](store::Reader& reader) {
        return registry::find_cas_by_subject(reader, certificate.fields().issuer_der);
    });
    if (!candidates) return std::move(candidates).error();
    std::vector<registry::CaCertificate> signers;
    for (auto& candidate : *candidates) {
        auto ca = ca::Certificate::from_der(candidate.der);
        if (!ca) return std::move(ca).error();
        if (certificate.verify_signed_by(*ca)) signers.push_back(std::move(candidate));
    }
    if (signers.size() == 1) return std::move(signers.front());
    if (signers.size() > 1) {
        return fail(Code::CertificateConflict,
                    "several registered CA certificates could have issued it: name one in "
                    "caCertificatePem");
    }
    return fail(Code::CertificateInvalid,
                "expected a certificate issued by a registered CA, found issuer '" +
                    certificate.fields().issuer.to_string() + "'",
                "/certificatePem");
}

Result<std::string> register_with(const Call& call,
                                  const ca::Certificate& certificate,
                                  CertificateStatus status,
                                  std::optional<CertificateId> ca_id,
                                  CertificateMode mode) {
    auto added = call.service.store.write([&](store::Tx& tx) {
        return registry::add_certificate(
            tx, call.account(), certificate, status, ca_id, mode, call.now);
    });
    if (!added) return std::move(added).error();
    return to_body(with_arn(call, added->id));
}

json list_item(const Call& call, const registry::DeviceCertificate& certificate) {
    json item = with_arn(call, certificate.id);
    item["status"] = registry::to_string(certificate.status);
    item["certificateMode"] = registry::to_string(certificate.mode);
    item["creationDate"] = epoch(certificate.created);
    return item;
}

json transfer_data(const std::optional<registry::Transfer>& transfer) {
    json data = json::object();
    if (!transfer) return data;
    if (transfer->message) data["transferMessage"] = *transfer->message;
    if (transfer->reject_reason) data["rejectReason"] = *transfer->reject_reason;
    data["transferDate"] = epoch(transfer->transferred);
    if (transfer->accepted) data["acceptDate"] = epoch(*transfer->accepted);
    if (transfer->rejected) data["rejectDate"] = epoch(*transfer->rejected);
    return data;
}

Result<std::string> list(const Call& call, std::optional<CertificateId> by_ca) {
    auto request = page_by_marker(call);
    if (!request) return std::move(request).error();
    auto ascending = query_flag(call, "isAscendingOrder", true);
    if (!ascending) return std::move(ascending).error();
    auto page = call.service.store.read([&](store::Reader& reader) {
        return registry::list_certificates(reader, *request, *ascending, by_ca);
    });
    if (!page) return std::move(page).error();
    json items = json::array();
    for (const auto& certificate : page->items)
        items.push_back(list_item(call, certificate));
    json body = {{"certificates", std::move(items)}};
    add_token(call, body, "nextMarker", page->next);
    return to_body(body);
}

}  // namespace

Result<std::string> create_keys_and_certificate(const Call& call) {
    auto active = query_flag(call, "setAsActive", false);
    if (!active) return std::move(active).error();
    auto key = new_key(call.service);
    if (!key) return std::move(key).error();
    auto csr = csr_for(*key);
    if (!csr) return std::move(csr).error();
    auto private_pem = key->to_plain_pem();
    if (!private_pem) return std::move(private_pem).error();
    auto escrowed = flows::escrow(call.service.settings, *key);
    if (!escrowed) return std::move(escrowed).error();
    auto certificate = issue(call, *csr, status_of(*active), *escrowed);
    if (!certificate) return std::move(certificate).error();
    json body = with_arn(call, certificate->id());
    body["certificatePem"] = certificate->pem();
    body["keyPair"] = {{"PublicKey", key->public_key_pem()},
                       {"PrivateKey", std::string(private_pem->text())}};
    return to_body(body);
}

Result<std::string> create_certificate_from_csr(const Call& call) {
    auto active = query_flag(call, "setAsActive", false);
    if (!active) return std::move(active).error();
    auto pem = call.input.text("certificateSigningRequest");
    if (!pem) return std::move(pem).error();
    auto csr = ca::Csr::parse(bytes_of(*pem));
    if (!csr) return std::move(csr).error();
    auto certificate = issue(call, *csr, status_of(*active));
    if (!certificate) return std::move(certificate).error();
    json body = with_arn(call, certificate->id());
    body["certificatePem"] = certificate->pem();
    return to_body(body);
}

Result<std::string> register_certificate(const Call& call) {
    auto status = wanted_status(call);
    if (!status) return std::move(status).error();
    auto certificate = certificate_in(call, "certificatePem");
    if (!certificate) return std::move(certificate).error();
    auto registered = issuing_ca(call, *certificate);
    if (!registered) return std::move(registered).error();
    auto ca = ca::Certificate::from_der(registered->der);
    if (!ca) return std::move(ca).error();
    if (auto checked = ca::check_issued_by(*certificate, *ca, call.now); !checked) {
        return std::move(checked).error();
    }
    return register_with(call, *certificate, *status, registered->id, registered->mode);
}

Result<std::string> register_certificate_without_ca(const Call& call) {
    auto status = wanted_status(call);
    if (!status) return std::move(status).error();
    auto certificate = certificate_in(call, "certificatePem");
    if (!certificate) return std::move(certificate).error();
    if (auto checked = ca::check_validity(*certificate, call.now); !checked) {
        return std::move(checked).error();
    }
    if (auto checked = ca::check_algorithms(*certificate); !checked) {
        return std::move(checked).error();
    }
    return register_with(call, *certificate, *status, std::nullopt, CertificateMode::SniOnly);
}

Result<std::string> describe_certificate(const Call& call) {
    auto id = certificate_label(call);
    if (!id) return std::move(id).error();
    std::optional<registry::Transfer> transfer;
    auto found =
        call.service.store.read([&](store::Reader& reader) -> Result<registry::DeviceCertificate> {
            auto last = registry::find_transfer(reader, *id);
            if (!last) return std::move(last).error();
            transfer = std::move(*last);
            return registry::find_certificate(reader, *id);
        });
    if (!found) return std::move(found).error();
    auto certificate = ca::Certificate::from_der(found->der);
    if (!certificate) return std::move(certificate).error();
    json body = list_item(call, *found);
    if (found->ca_id) body["caCertificateId"] = found->ca_id->hex();
    body["certificatePem"] = certificate->pem();
    body["ownedBy"] = call.account().id;
    body["lastModifiedDate"] = epoch(found->modified);
    body["customerVersion"] = found->customer_version;
    body["transferData"] = transfer_data(transfer);
    body["generationId"] = found->generation_id;
    body["validity"] = {{"notBefore", epoch(found->not_before)},
                        {"notAfter", epoch(found->not_after)}};
    return to_body({{"certificateDescription", std::move(body)}});
}

Result<std::string> update_certificate(const Call& call) {
    auto id = certificate_label(call);
    if (!id) return std::move(id).error();
    auto status =
        registry::parse_certificate_status(query_text(call, "newStatus").value_or(std::string()));
    if (!status) return fail(status.error().code, status.error().message, "newStatus");
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::set_certificate_status(tx, *id, *status, call.now);
    }));
}

Result<std::string> delete_certificate(const Call& call) {
    auto id = certificate_label(call);
    if (!id) return std::move(id).error();
    auto force = query_flag(call, "forceDelete", false);
    if (!force) return std::move(force).error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::delete_certificate(tx, *id, *force); }));
}

Result<std::string> list_certificates(const Call& call) {
    return list(call, std::nullopt);
}

Result<std::string> list_certificates_by_ca(const Call& call) {
    auto id = certificate_label(call, "caCertificateId");
    if (!id) return std::move(id).error();
    return list(call, *id);
}

}  // namespace hatchery::api::certificates
