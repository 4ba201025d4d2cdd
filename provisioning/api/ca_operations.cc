#include "provisioning/api/operations.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/templates.h"

#include <nlohmann/json.hpp>

namespace hatchery::api::cas {
namespace {

using nlohmann::json;
using registry::CertificateMode;

json with_arn(const Call& call, const CertificateId& id) {
    return {{"certificateArn", call.arn("cacert", id.hex())}, {"certificateId", id.hex()}};
}

std::string_view status_text(bool active) {
    return active ? "ACTIVE" : "INACTIVE";
}

Result<ca::Certificate> certificate_in(std::string_view pem, std::string_view member) {
    auto certificate = ca::Certificate::from_pem(pem);
    if (certificate) return certificate;
    return fail(Code::CertificateInvalid, certificate.error().message, "/" + std::string(member));
}

/// A template that JITP can use, by name or as text.
Result<> check_registration(const Call& call, const registry::RegistrationConfig& config) {
    if (config.template_name && config.template_body) {
        return fail(Code::InvalidRequest,
                    "expected templateName or templateBody, found both",
                    "/registrationConfig");
    }
    if (config.template_body) {
        auto compiled = call.service.compiled.provisioning_template(*config.template_body,
                                                                    templates::Kind::Jitp);
        if (!compiled) return std::move(compiled).error();
        return {};
    }
    if (!config.template_name) return {};
    auto found = call.service.store.read([&](store::Reader& reader) {
        return registry::find_template(reader, *config.template_name);
    });
    if (!found) return std::move(found).error();
    if (found->is_jitp) return {};
    return fail(Code::InvalidRequest,
                "expected a provisioning template of type JITP, found '" + found->name +
                    "' of type FLEET_PROVISIONING",
                "/registrationConfig/templateName");
}

Result<std::optional<registry::RegistrationConfig>> read_registration(const Call& call) {
    auto object = call.input.optional_object("registrationConfig");
    if (!object) return std::move(object).error();
    if (!*object) return std::optional<registry::RegistrationConfig>();
    auto name = (*object)->optional_text("templateName");
    if (!name) return std::move(name).error();
    auto body = (*object)->optional_text("templateBody");
    if (!body) return std::move(body).error();
    auto role = (*object)->optional_text("roleArn");
    if (!role) return std::move(role).error();
    registry::RegistrationConfig config{std::move(*name), std::move(*body), std::move(*role)};
    if (auto checked = check_registration(call, config); !checked) {
        return std::move(checked).error();
    }
    return std::optional(std::move(config));
}

Result<> check_ca(const ca::Certificate& ca, Time now) {
    if (!ca.fields().is_ca) {
        return fail(Code::CertificateInvalid,
                    "expected a CA certificate (basicConstraints CA:TRUE)",
                    "/caCertificate");
    }
    if (auto valid = ca::check_validity(ca, now); !valid) return valid;
    return ca::check_algorithms(ca);
}

Result<CertificateMode> read_mode(const Input& input) {
    auto text = input.optional_text("certificateMode");
    if (!text) return std::move(text).error();
    if (!*text || **text == "DEFAULT") return CertificateMode::Default;
    if (**text == "SNI_ONLY") return CertificateMode::SniOnly;
    return fail(Code::InvalidRequest,
                "expected DEFAULT or SNI_ONLY, found '" + **text + "'",
                "/certificateMode");
}

/// Proof that the caller holds the CA's key: a certificate signed by it whose common name is the
/// registration code, which only this account's callers know.
/// @return the common name, to be compared with the code
Result<std::string> verified_common_name(const Call& call,
                                         const ca::Certificate& ca,
                                         std::string_view pem) {
    auto certificate = certificate_in(pem, "verificationCertificate");
    if (!certificate) return std::move(certificate).error();
    auto issued = ca::check_issued_by(*certificate, ca, call.now);
    if (!issued) {
        return fail(issued.error().code, issued.error().message, "/verificationCertificate");
    }
    return std::string(
        certificate->fields().subject.first(ca::oid::kCommonName).value_or(std::string_view()));
}

/// The common name of a verification certificate that is needed and right so far; nothing for
/// SNI_ONLY.
Result<std::optional<std::string>> read_verification(const Call& call,
                                                     const ca::Certificate& ca,
                                                     CertificateMode mode) {
    auto pem = call.input.optional_text("verificationCertificate");
    if (!pem) return std::move(pem).error();
    const bool present = *pem && !(**pem).empty();
    if (mode == CertificateMode::SniOnly) {
        if (!present) return std::optional<std::string>();
        return fail(Code::InvalidRequest,
                    "expected no verification certificate with certificateMode SNI_ONLY",
                    "/verificationCertificate");
    }
    if (!present) {
        return fail(Code::InvalidRequest,
                    "expected a verification certificate (certificateMode DEFAULT)",
                    "/verificationCertificate");
    }
    auto name = verified_common_name(call, ca, **pem);
    if (!name) return std::move(name).error();
    return std::optional(std::move(*name));
}

Result<> check_code(store::Tx& tx, const std::optional<std::string>& common_name) {
    if (!common_name) return {};
    auto code = registry::registration_code(tx);
    if (!code) return std::move(code).error();
    if (*code == *common_name) return {};
    return fail(Code::RegistrationCodeInvalid,
                "expected the registration code as the common name of the verification "
                "certificate, found '" +
                    *common_name + "'",
                "/verificationCertificate");
}

Result<std::optional<bool>> choice(const Call& call,
                                   std::string_view name,
                                   std::string_view yes,
                                   std::string_view no) {
    const auto text = call.target.parameter(name);
    if (!text) return std::optional<bool>();
    if (*text == yes) return std::optional(true);
    if (*text == no) return std::optional(false);
    return fail(Code::InvalidRequest,
                "expected " + std::string(yes) + " or " + std::string(no) + ", found '" +
                    std::string(*text) + "'",
                std::string(name));
}

json described(const Call& call, const registry::CaCertificate& ca) {
    json body = with_arn(call, ca.id);
    body["status"] = status_text(ca.active);
    body["ownedBy"] = call.account().id;
    body["creationDate"] = epoch(ca.created);
    body["autoRegistrationStatus"] = ca.auto_registration ? "ENABLE" : "DISABLE";
    body["lastModifiedDate"] = epoch(ca.modified);
    body["customerVersion"] = ca.customer_version;
    body["generationId"] = ca.generation_id;
    body["validity"] = {{"notBefore", epoch(ca.not_before)}, {"notAfter", epoch(ca.not_after)}};
    body["certificateMode"] = registry::to_string(ca.mode);
    return body;
}

json described(const registry::RegistrationConfig& config) {
    json body = json::object();
    if (config.template_name) body["templateName"] = *config.template_name;
    if (config.template_body) body["templateBody"] = *config.template_body;
    if (config.role_arn) body["roleArn"] = *config.role_arn;
    return body;
}

/// The registry's page, kept to the CAs that provision with `template_name` if it is given.
Result<registry::Page<registry::CaCertificate>> ca_page(
    const Call& call, const std::optional<std::string>& template_name) {
    auto request = page_by_marker(call);
    if (!request) return std::move(request).error();
    auto ascending = query_flag(call, "isAscendingOrder", true);
    if (!ascending) return std::move(ascending).error();
    auto page = call.service.store.read(
        [&](store::Reader& reader) { return registry::list_cas(reader, *request, *ascending); });
    if (!page || !template_name) return page;
    std::erase_if(page->items, [&](const auto& ca) {
        return !ca.registration || ca.registration->template_name != template_name;
    });
    return page;
}

}  // namespace

Result<std::string> get_registration_code(const Call& call) {
    auto code = call.service.store.write(
        [](store::Tx& tx) -> Result<std::string> { return registry::registration_code(tx); });
    if (!code) return std::move(code).error();
    return to_body({{"registrationCode", *code}});
}

Result<std::string> delete_registration_code(const Call& call) {
    return empty_answer(call.service.store.write(
        [](store::Tx& tx) { return registry::delete_registration_code(tx); }));
}

Result<std::string> register_ca_certificate(const Call& call) {
    auto tags = read_tags(call.input);
    if (!tags) return std::move(tags).error();
    auto pem = call.input.text("caCertificate");
    if (!pem) return std::move(pem).error();
    auto certificate = certificate_in(*pem, "caCertificate");
    if (!certificate) return std::move(certificate).error();
    if (auto checked = check_ca(*certificate, call.now); !checked) {
        return std::move(checked).error();
    }
    auto mode = read_mode(call.input);
    if (!mode) return std::move(mode).error();
    auto common_name = read_verification(call, *certificate, *mode);
    if (!common_name) return std::move(common_name).error();
    auto active = query_flag(call, "setAsActive", false);
    if (!active) return std::move(active).error();
    auto auto_registration = query_flag(call, "allowAutoRegistration", false);
    if (!auto_registration) return std::move(auto_registration).error();
    auto registration = read_registration(call);
    if (!registration) return std::move(registration).error();

    registry::CaCertificate settings;
    settings.active = *active;
    settings.auto_registration = *auto_registration;
    settings.mode = *mode;
    settings.registration = std::move(*registration);
    auto added = call.service.store.write([&](store::Tx& tx) -> Result<registry::CaCertificate> {
        if (auto known = check_code(tx, *common_name); !known) {
            return std::move(known).error();
        }
        auto made = registry::add_ca(tx, call.account(), *certificate, settings, call.now);
        if (!made) return made;
        auto tagged = registry::add_tags(tx, {"cacert", made->id.hex()}, *tags);
        if (!tagged) return std::move(tagged).error();
        return made;
    });
    if (!added) return std::move(added).error();
    return to_body(with_arn(call, added->id));
}

Result<std::string> describe_ca_certificate(const Call& call) {
    auto id = certificate_label(call);
    if (!id) return std::move(id).error();
    auto found = call.service.store.read(
        [&](store::Reader& reader) { return registry::find_ca(reader, *id); });
    if (!found) return std::move(found).error();
    auto certificate = ca::Certificate::from_der(found->der);
    if (!certificate) return std::move(certificate).error();
    json description = described(call, *found);
    description["certificatePem"] = certificate->pem();
    json body = {{"certificateDescription", std::move(description)}};
    if (found->registration) body["registrationConfig"] = described(*found->registration);
    return to_body(body);
}

Result<std::string> update_ca_certificate(const Call& call) {
    auto id = certificate_label(call);
    if (!id) return std::move(id).error();
    auto active = choice(call, "newStatus", "ACTIVE", "INACTIVE");
    if (!active) return std::move(active).error();
    auto enabled = choice(call, "newAutoRegistrationStatus", "ENABLE", "DISABLE");
    if (!enabled) return std::move(enabled).error();
    auto registration = read_registration(call);
    if (!registration) return std::move(registration).error();
    auto remove = call.input.optional_flag("removeAutoRegistration");
    if (!remove) return std::move(remove).error();
    registry::CaUpdate update;
    update.active = *active;
    update.auto_registration = *enabled;
    update.registration = std::move(*registration);
    update.remove_registration = remove->value_or(false);
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::update_ca(tx, *id, update, call.now); }));
}

Result<std::string> delete_ca_certificate(const Call& call) {
    auto id = certificate_label(call);
    if (!id) return std::move(id).error();
    return empty_answer(
        call.service.store.write([&](store::Tx& tx) { return registry::delete_ca(tx, *id); }));
}

Result<std::string> list_ca_certificates(const Call& call) {
    auto page = ca_page(call, query_text(call, "templateName"));
    if (!page) return std::move(page).error();
    json items = json::array();
    for (const auto& ca : page->items) {
        json item = with_arn(call, ca.id);
        item["status"] = status_text(ca.active);
        item["creationDate"] = epoch(ca.created);
        items.push_back(std::move(item));
    }
    json body = {{"certificates", std::move(items)}};
    add_token(call, body, "nextMarker", page->next);
    return to_body(body);
}

}  // namespace hatchery::api::cas
