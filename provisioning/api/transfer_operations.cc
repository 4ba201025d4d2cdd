#include "provisioning/api/operations.h"
#include "provisioning/registry/certificates.h"

#include <nlohmann/json.hpp>

namespace hatchery::api::transfers {
namespace {

using nlohmann::json;

json outgoing(const Call& call, const registry::OutgoingCertificate& certificate) {
    json item = {{"certificateArn", call.arn("cert", certificate.id.hex())},
                 {"certificateId", certificate.id.hex()},
                 {"transferredTo", certificate.transfer.account},
                 {"transferDate", epoch(certificate.transfer.transferred)},
                 {"creationDate", epoch(certificate.created)}};
    if (certificate.transfer.message) item["transferMessage"] = *certificate.transfer.message;
    return item;
}

}  // namespace

Result<std::string> transfer_certificate(const Call& call) {
    auto id = certificate_label(call);
    if (!id) return std::move(id).error();
    const auto account = query_text(call, "targetAwsAccount");
    if (!account) {
        return fail(
            Code::InvalidRequest, "expected an account id, found nothing", "targetAwsAccount");
    }
    auto message = call.input.optional_text("transferMessage");
    if (!message) return std::move(message).error();
    auto done = call.service.store.write([&](store::Tx& tx) {
        return registry::transfer_certificate(tx, *id, *account, *message, call.now);
    });
    if (!done) return std::move(done).error();
    return to_body({{"transferredCertificateArn", call.arn("cert", id->hex())}});
}

Result<std::string> accept_certificate_transfer(const Call& call) {
    auto id = certificate_label(call);
    if (!id) return std::move(id).error();
    auto active = query_flag(call, "setAsActive", false);
    if (!active) return std::move(active).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::accept_transfer(tx, call.account(), *id, *active, call.now);
    }));
}

Result<std::string> reject_certificate_transfer(const Call& call) {
    auto id = certificate_label(call);
    if (!id) return std::move(id).error();
    auto reason = call.input.optional_text("rejectReason");
    if (!reason) return std::move(reason).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::reject_transfer(tx, call.account(), *id, *reason, call.now);
    }));
}

Result<std::string> cancel_certificate_transfer(const Call& call) {
    auto id = certificate_label(call);
    if (!id) return std::move(id).error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::cancel_transfer(tx, *id, call.now); }));
}

Result<std::string> list_outgoing_certificates(const Call& call) {
    auto request = page_by_marker(call);
    if (!request) return std::move(request).error();
    auto ascending = query_flag(call, "isAscendingOrder", true);
    if (!ascending) return std::move(ascending).error();
    auto page = call.service.store.read([&](store::Reader& reader) {
        return registry::list_outgoing(reader, *request, *ascending);
    });
    if (!page) return std::move(page).error();
    json items = json::array();
    for (const auto& certificate : page->items)
        items.push_back(outgoing(call, certificate));
    json body = {{"outgoingCertificates", std::move(items)}};
    add_token(call, body, "nextMarker", page->next);
    return to_body(body);
}

}  // namespace hatchery::api::transfers
