#include "tests/provisioning/flows/fleet.h"

#include "provisioning/flows/issue.h"
#include "provisioning/registry/schema.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace hatchery::flows::testing {

namespace {

ca::Issuer make_root(std::string_view common_name, Time made, std::chrono::seconds validity) {
    auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    auto root = must(ca::make_root(key, common_name, validity, made));
    return must(ca::Issuer::make(std::move(root), std::move(key), {}));
}

std::unique_ptr<store::Store> open_store(const hatchery::testing::TempDirectory& directory) {
    return must(registry::open(directory / "registry.db"));
}

}  // namespace

std::string data(const std::string& name) {
    const auto path = std::filesystem::path(HATCHERY_TEST_DATA) / "flows" / name;
    std::ifstream file(path);
    if (!file) {
        ADD_FAILURE() << "no test data at " << path;
        std::abort();
    }
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

ca::Certificate certificate_from(const std::string& name) {
    return must(ca::Certificate::from_pem(data(name)));
}

Factory::Factory(std::string_view common_name, Time made, std::chrono::seconds validity)
    : store_(open_store(directory_)),
      ledger_(*store_),
      issuer_(make_root(common_name, made, validity)) {}

ca::Certificate Factory::device(const Attributes& subject,
                                Time made,
                                std::chrono::seconds validity) {
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto request = must(ca::make_csr(key, {subject, {}, {}}));
    const auto csr = must(ca::Csr::parse(bytes_of(request)));
    ca::Profile profile;
    profile.name = "factory";
    profile.keys = {ca::KeyKind::P256};
    profile.validity = validity;
    profile.key_usage = {"digitalSignature"};
    profile.extended_key_usage = {"clientAuth"};
    profile.subject_any = true;
    return must(issue(*store_, ledger_, issuer_, csr, profile, "station:test", made));
}

Attributes tutorial_subject() {
    return {{"2.5.4.3", "HW-100"},
            {"2.5.4.10", "AnyCompany"},
            {"2.5.4.11", "Dev"},
            {"2.5.4.46", "AnyType"}};
}

Fleet::Fleet(const std::vector<hooks::HookConfig>& hook_configs, std::chrono::seconds root_validity)
    : store(open_store(directory)),
      issuer(make_root("Hatchery Root CA", kNow - std::chrono::hours{2}, root_validity)),
      ledger(*store),
      hook_set(must(hooks::HookSet::make(hook_configs))),
      service{*store, issuer, ledger, profiles, hook_set, compiled, {}, nullptr} {
    service.settings.device_key = ca::KeyKind::P256;  // RSA costs a tenth of a second each
}

void Fleet::register_ca(const ca::Certificate& root, const std::string& template_name) {
    registry::CaCertificate settings;
    settings.active = true;
    settings.auto_registration = true;
    if (!template_name.empty()) settings.registration = {template_name, {}, {}};
    must(write([&](store::Tx& tx) {
        return registry::add_ca(tx, service.settings.account, root, settings, kNow);
    }));
}

void Fleet::update_ca(const ca::Certificate& root, const registry::CaUpdate& update) {
    must(write([&](store::Tx& tx) { return registry::update_ca(tx, root.id(), update, kNow); }));
}

void Fleet::add_policy(const std::string& name, const std::string& document) {
    must(compiled.policy_document(document));
    must(write([&](store::Tx& tx) {
        return registry::create_policy(tx, service.settings.account, name, document, kNow);
    }));
}

void Fleet::add_template(const std::string& name,
                         const std::string& body,
                         bool is_jitp,
                         std::optional<std::string> hook,
                         bool enabled) {
    must(compiled.provisioning_template(body,
                                        is_jitp ? templates::Kind::Jitp : templates::Kind::Claim));
    registry::ProvisioningTemplate wanted;
    wanted.name = name;
    wanted.body = body;
    wanted.enabled = enabled;
    wanted.is_jitp = is_jitp;
    wanted.hook_target_arn = std::move(hook);
    must(write([&](store::Tx& tx) {
        return registry::create_template(tx, service.settings.account, wanted, kNow);
    }));
}

void Fleet::set_up_tutorial() {
    const auto& account = service.settings.account;
    must(write([&](store::Tx& tx) -> Result<> {
        registry::ThingType type;
        type.name = "AnyType";
        if (auto made = registry::create_thing_type(tx, account, type, kNow); !made) {
            return std::move(made).error();
        }
        registry::ThingGroup group;
        group.name = "AnyCompany";
        if (auto made = registry::create_thing_group(tx, account, group, kNow); !made) {
            return std::move(made).error();
        }
        group.parent = "AnyCompany";
        for (const auto* name : {"Dev", "Prod", "unclaimed"}) {
            group.name = name;
            if (auto made = registry::create_thing_group(tx, account, group, kNow); !made) {
                return std::move(made).error();
            }
        }
        registry::BillingGroup billing;
        billing.name = "AnyCompany";
        if (auto made = registry::create_billing_group(tx, account, billing, kNow); !made) {
            return std::move(made).error();
        }
        return {};
    }));
    add_policy("AnyTypeThing-policy", kTutorialPolicy);
    add_template("jitp-provisioning-template", kTutorialTemplate, true);
}

CertificateId Fleet::add_active(const ca::Certificate& certificate, const std::string& policy) {
    must(write([&](store::Tx& tx) -> Result<> {
        auto added = registry::add_certificate(tx,
                                               service.settings.account,
                                               certificate,
                                               registry::CertificateStatus::Active,
                                               std::nullopt,
                                               registry::CertificateMode::Default,
                                               kNow);
        if (!added) return std::move(added).error();
        if (policy.empty()) return {};
        return registry::attach_policy_to_certificate(tx, policy, certificate.id());
    }));
    return certificate.id();
}

std::string Fleet::status(const CertificateId& id) {
    auto found =
        read([&](store::Reader& reader) { return registry::find_certificate(reader, id); });
    return found ? std::string(registry::to_string(found->status)) : "unknown";
}

std::size_t Fleet::thing_count() {
    return must(read([](store::Reader& reader) { return registry::list_things(reader, {}, {}); }))
        .items.size();
}

ConnectRequest connect_with(const ca::Certificate& certificate, const std::string& client_id) {
    return {certificate, {}, client_id, "192.0.2.7", false, {}, false};
}

std::string refusal(const AdmitOutcome& outcome) {
    if (outcome.admission && !outcome.refused) return "admitted";
    return outcome.refused ? to_string(*outcome.refused) : "neither admitted nor refused";
}

const std::string kTutorialTemplate = R"({
  "Parameters": {
    "AWS::IoT::Certificate::Id": {"Type": "String"},
    "AWS::IoT::Certificate::CommonName": {"Type": "String"},
    "AWS::IoT::Certificate::SerialNumber": {"Type": "String"},
    "AWS::IoT::Certificate::DistinguishedNameQualifier": {"Type": "String"},
    "AWS::IoT::Certificate::OrganizationalUnit": {"Type": "String", "Default": "unclaimed"},
    "AWS::IoT::Certificate::Organization": {"Type": "String"}
  },
  "Resources": {
    "thing": {
      "Type": "AWS::IoT::Thing",
      "Properties": {
        "ThingName": {"Ref": "AWS::IoT::Certificate::SerialNumber"},
        "AttributePayload": {
          "hardwareVersion": {"Ref": "AWS::IoT::Certificate::CommonName"},
          "serialNumber": {"Ref": "AWS::IoT::Certificate::SerialNumber"},
          "provisioning": "JITP",
          "softwareVersion": "SW-100",
          "CA": "IoT-Device-RootCA"
        },
        "ThingTypeName": {"Ref": "AWS::IoT::Certificate::DistinguishedNameQualifier"},
        "ThingGroups": [{"Ref": "AWS::IoT::Certificate::OrganizationalUnit"}],
        "BillingGroup": {"Ref": "AWS::IoT::Certificate::Organization"}
      },
      "OverrideSettings": {
        "AttributePayload": "REPLACE", "ThingTypeName": "REPLACE", "ThingGroups": "REPLACE"
      }
    },
    "certificate": {
      "Type": "AWS::IoT::Certificate",
      "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"}
    },
    "policy": {
      "Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "AnyTypeThing-policy"}
    }
  }
})";

const std::string kTutorialPolicy = R"({
  "Version": "2012-10-17",
  "Statement": [
    {"Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "true"}},
     "Effect": "Allow", "Action": "iot:Connect",
     "Resource": "arn:aws:iot:us-east-1:123456789012:client/${iot:Connection.Thing.ThingName}"},
    {"Effect": "Allow", "Action": "iot:Publish",
     "Resource": "arn:aws:iot:us-east-1:123456789012:topic/AnyCompany/${iot:Connection.Thing.ThingName}/telemetry"},
    {"Effect": "Allow", "Action": "iot:Subscribe",
     "Resource": "arn:aws:iot:us-east-1:123456789012:topicfilter/AnyCompany/${iot:Connection.Thing.ThingName}/telemetry"},
    {"Effect": "Allow", "Action": "iot:Receive",
     "Resource": "arn:aws:iot:us-east-1:123456789012:topic/AnyCompany/${iot:Connection.Thing.ThingName}/telemetry"}
  ]
})";

}  // namespace hatchery::flows::testing
