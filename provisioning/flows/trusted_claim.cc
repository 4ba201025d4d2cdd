#include "provisioning/flows/trusted_claim.h"

#include "ca/csr.h"
#include "provisioning/flows/escrow.h"
#include "provisioning/flows/fleet_profile.h"
#include "provisioning/flows/issue.h"
#include "provisioning/registry/templates.h"

#include <nlohmann/json.hpp>

#include <array>

namespace hatchery::flows {

namespace {

Result<> check_claimable(Service& service, std::string_view template_name) {
    auto found = service.store.read(
        [&](store::Reader& reader) { return registry::find_template(reader, template_name); });
    if (!found) return std::move(found).error();
    if (!found->is_jitp) return {};
    return fail(
        Code::InvalidRequest,
        "provisioning template " + found->name + " is of type JITP, not FLEET_PROVISIONING");
}

/// As devices' certificates, but for five minutes and without a head start.
ca::Profile claim_profile(const Service& service, Time now) {
    ca::Profile profile = fleet_profile(service, now);
    profile.validity = kTrustedClaimLifetime;
    return profile;
}

}  // namespace

Result<TrustedClaim> create_trusted_claim(Service& service,
                                          std::string_view template_name,
                                          std::string_view requester,
                                          Time now) {
    if (auto good = check_claimable(service, template_name); !good) return std::move(good).error();
    // P-256 always: the key lives five minutes, and an installer waits for it.
    auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
    if (!key) return std::move(key).error();
    auto request = ca::make_csr(*key, {});
    if (!request) return std::move(request).error();
    auto csr = ca::Csr::parse(bytes_of(*request));
    if (!csr) return std::move(csr).error();
    auto private_pem = key->to_plain_pem();
    if (!private_pem) return std::move(private_pem).error();
    auto escrowed = escrow(service.settings, *key);
    if (!escrowed) return std::move(escrowed).error();
    const Time expires = now + kTrustedClaimLifetime;
    auto certificate = issue(service.store,
                             service.ledger,
                             service.issuer,
                             *csr,
                             claim_profile(service, now),
                             requester,
                             now,
                             [&](store::Tx& tx, const ca::Certificate& made) -> Result<> {
                                 auto kept = keep_escrow(tx, made.id(), *escrowed);
                                 if (!kept) return kept;
                                 return registry::add_provisioning_claim(
                                     tx, made.id(), {std::string(template_name), expires});
                             });
    if (!certificate) return std::move(certificate).error();
    return TrustedClaim{certificate->id(),
                        certificate->pem(),
                        key->public_key_pem(),
                        std::move(*private_pem),
                        expires};
}

std::string trusted_claim_policy(std::string_view template_name) {
    const std::array<std::string, 3> topics{
        "$aws/certificates/create/*",
        "$aws/certificates/create-from-csr/*",
        "$aws/provisioning-templates/" + std::string(template_name) + "/provision/*"};
    auto arns = [&](std::string_view type) {
        auto list = nlohmann::json::array();
        for (const auto& topic : topics)
            list.push_back("arn:aws:iot:*:*:" + std::string(type) + "/" + topic);
        return list;
    };
    const auto allow = [](nlohmann::json actions, nlohmann::json resources) {
        return nlohmann::json{{"Effect", "Allow"},
                              {"Action", std::move(actions)},
                              {"Resource", std::move(resources)}};
    };
    const nlohmann::json document = {{"Version", "2012-10-17"},
                                     {"Statement",
                                      {allow("iot:Connect", "*"),
                                       allow({"iot:Publish", "iot:Receive"}, arns("topic")),
                                       allow("iot:Subscribe", arns("topicfilter"))}}};
    return document.dump();
}

}  // namespace hatchery::flows
