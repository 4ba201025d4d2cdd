// Fleet provisioning by claim over its reserved topics, JSON and CBOR.
#include "provisioning/flows/housekeeping.h"
#include "provisioning/flows/key_pool.h"
#include "provisioning/flows/reserved_topics.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/escrow.h"
#include "tests/provisioning/flows/fleet.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <thread>

namespace hatchery::flows::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::string kTemplate = R"({
  "Parameters": {"SerialNumber": {"Type": "String"}, "Place": {"Type": "String", "Default": "here"}},
  "Resources": {
    "thing": {"Type": "AWS::IoT::Thing", "Properties": {
      "ThingName": {"Fn::Join": ["", ["th-", {"Ref": "SerialNumber"}]]},
      "AttributePayload": {"place": {"Ref": "Place"}}}},
    "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {
      "CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "Active"}},
    "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "device"}}
  },
  "DeviceConfiguration": {"Url": "https://example.com", "Place": {"Ref": "Place"}}
})";
const std::string kAllowAll =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";

enum class Form { Json, Cbor };

/// A fleet with a claim certificate, a device policy and templates; speaks to the topics.
struct Claims : Fleet {
    explicit Claims(const std::vector<hooks::HookConfig>& hook_configs = {})
        : Fleet(hook_configs), claim_certificate(factory.device({{"2.5.4.3", "claim"}})) {
        add_policy("device", kAllowAll);
        add_template("fleet", kTemplate, false);
        claimant = {add_active(claim_certificate, "device"), "fleet-device"};
    }

    /// The answer's members, with "topic" the last part of the topic that they came on.
    json ask(const std::string& path,
             const json& request,
             Form form = Form::Json,
             Time now = kNow) {
        const std::string text = request.is_null() ? "" : request.dump();
        Bytes payload(text.begin(), text.end());
        if (form == Form::Cbor && !request.is_null()) payload = json::to_cbor(request);
        return ask_raw(path + (form == Form::Json ? "/json" : "/cbor"), payload, form, now);
    }
    json ask_raw(const std::string& topic, ByteView payload, Form form, Time now = kNow) {
        EXPECT_TRUE(is_provisioning_request(topic)) << topic;
        const auto reply = answer_provisioning_request(service, claimant, topic, payload, now);
        EXPECT_EQ(reply.topic.substr(0, topic.size() + 1), topic + "/");
        json answer =
            form == Form::Json ? json::parse(reply.payload) : json::from_cbor(reply.payload);
        answer["topic"] = reply.topic.substr(topic.size() + 1);
        return answer;
    }
    json create(Form form = Form::Json, Time now = kNow) {
        return ask("$aws/certificates/create", nullptr, form, now);
    }
    json provision(const std::string& token,
                   const json& parameters,
                   const std::string& name = "fleet",
                   Time now = kNow,
                   Form form = Form::Json) {
        return ask("$aws/provisioning-templates/" + name + "/provision",
                   {{"certificateOwnershipToken", token}, {"parameters", parameters}},
                   form,
                   now);
    }
    std::size_t certificate_count() {
        return must(read([](store::Reader& reader) {
                   return registry::list_certificates(reader, {}, true, {});
               }))
            .items.size();
    }

    Factory factory;
    ca::Certificate claim_certificate;
    Claimant claimant;
};

json rejected(int status, const std::string& code, const std::string& message) {
    return {{"topic", "rejected"},
            {"statusCode", status},
            {"errorCode", code},
            {"errorMessage", message}};
}

CertificateId id_of(const json& created) {
    return must(CertificateId::parse(created.at("certificateId").get<std::string>()));
}
ca::Certificate certificate_of(const json& created) {
    return must(ca::Certificate::from_pem(created.at("certificatePem").get<std::string>()));
}

class ClaimForms : public ::testing::TestWithParam<Form> {};
INSTANTIATE_TEST_SUITE_P(Both,
                         ClaimForms,
                         ::testing::Values(Form::Json, Form::Cbor),
                         [](const auto& form) {
                             return form.param == Form::Json ? "Json" : "Cbor";
                         });

TEST_P(ClaimForms, GivesADeviceItsOwnCertificateAndThing) {
    Claims claims;
    const auto created = claims.create(GetParam());
    ASSERT_EQ(created.at("topic"), "accepted") << created;
    EXPECT_EQ(created.size(), 5U);
    EXPECT_EQ(claims.status(id_of(created)), "PENDING_ACTIVATION");

    const auto provisioned = claims.provision(created.at("certificateOwnershipToken"),
                                              {{"SerialNumber", "SN1"}, {"Undeclared", "x"}},
                                              "fleet",
                                              kNow,
                                              GetParam());

    EXPECT_EQ(provisioned,
              (json{{"topic", "accepted"},
                    {"thingName", "th-SN1"},
                    {"deviceConfiguration", {{"Url", "https://example.com"}, {"Place", "here"}}}}));
    EXPECT_EQ(claims.status(id_of(created)), "ACTIVE");
    const auto outcome =
        admit(claims.service, connect_with(certificate_of(created), "th-SN1"), kNow);
    ASSERT_EQ(refusal(outcome), "admitted");
    EXPECT_EQ(outcome.admission->thing, "th-SN1");
    EXPECT_FALSE(outcome.admission->provisioned_now);
}

TEST_P(ClaimForms, IssuesForTheDevicesOwnRequest) {
    Claims claims;
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto created =
        claims.ask("$aws/certificates/create-from-csr",
                   {{"certificateSigningRequest", must(ca::make_csr(key, {}))}, {"extra", 1}},
                   GetParam());
    ASSERT_EQ(created.at("topic"), "accepted") << created;
    EXPECT_EQ(created.count("privateKey"), 0U);
    const auto certificate = certificate_of(created);
    EXPECT_EQ(certificate.fields().public_key_der, key.public_key_der());
    EXPECT_EQ(certificate.id(), id_of(created));
    EXPECT_EQ(claims
                  .provision(created.at("certificateOwnershipToken"),
                             {{"SerialNumber", "SN2"}},
                             "fleet",
                             kNow,
                             GetParam())
                  .at("topic"),
              "accepted");
}

TEST(Claim, HandsOutAKeyThatFitsTheCertificate) {
    Claims claims;
    for (const auto kind : {ca::KeyKind::P256, ca::KeyKind::Rsa2048}) {
        claims.service.settings.device_key = kind;
        const auto created = claims.create();
        const auto pem = created.at("privateKey").get<std::string>();
        EXPECT_THAT(pem,
                    HasSubstr(kind == ca::KeyKind::P256 ? "-----BEGIN EC PRIVATE KEY-----"
                                                        : "-----BEGIN RSA PRIVATE KEY-----"));
        const auto key = must(ca::PrivateKey::from_pem(pem, Secret()));
        EXPECT_EQ(certificate_of(created).fields().public_key_der, key.public_key_der());
    }
}

TEST(Claim, IssuesAsAwsDoesWhateverTheRequestAsksFor) {
    Claims claims;
    const auto created =
        claims.ask("$aws/certificates/create-from-csr",
                   {{"certificateSigningRequest", data("csr_asks_for_too_much.pem")}});
    ASSERT_EQ(created.at("topic"), "accepted") << created;
    const auto certificate = certificate_of(created);
    const auto& fields = certificate.fields();
    EXPECT_EQ(fields.subject.to_string(), "CN=AWS IoT Certificate");
    EXPECT_EQ(to_iso8601(fields.not_after), "2049-12-31T23:59:59Z");
    EXPECT_FALSE(fields.is_ca);
    EXPECT_TRUE(fields.dns_names.empty());
    EXPECT_TRUE(certificate.verify_signed_by(claims.issuer.certificate()));
    const auto rows = must(
        claims.read([](store::Reader& reader) { return registry::ledger_rows(reader, 0, 10); }));
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].requester, "claim:" + claims.claimant.certificate.hex());
    EXPECT_EQ(rows[0].certificate, certificate.id());
}

struct CsrCase {
    const char* file;
    const char* message;
};

TEST(Claim, RefusesBadRequestsWithoutATrace) {
    Claims claims;
    const auto before = claims.certificate_count();
    for (const auto& test : {CsrCase{"csr_rsa_1024.pem", "1024"},
                             CsrCase{"csr_unnamed_curve.pem", "curve"},
                             CsrCase{"csr_broken_signature.pem", "CSR.signature: "}}) {
        SCOPED_TRACE(test.file);
        const auto answer = claims.ask("$aws/certificates/create-from-csr",
                                       {{"certificateSigningRequest", data(test.file)}});
        EXPECT_EQ(answer.at("statusCode"), 400);
        EXPECT_EQ(answer.at("errorCode"), "InvalidCsr");
        EXPECT_THAT(answer.at("errorMessage").get<std::string>(), HasSubstr(test.message));
    }
    const std::string topic = "$aws/certificates/create-from-csr";
    EXPECT_EQ(claims.ask(topic, json::object()),
              rejected(400,
                       "InvalidCsr",
                       "expected a certificate signing request of 1 to 4096 bytes, found 0"));
    EXPECT_EQ(claims.ask(topic, {{"certificateSigningRequest", std::string(5000, 'A')}}),
              rejected(400,
                       "InvalidCsr",
                       "expected a certificate signing request of 1 to 4096 bytes, found 5000"));
    EXPECT_EQ(claims.ask(topic, {{"certificateSigningRequest", "a random string"}}).at("errorCode"),
              "InvalidCsr");
    EXPECT_EQ(claims.ask(topic, {{"certificateSigningRequest", 7}}),
              rejected(400, "InvalidParameters", "/certificateSigningRequest: expected a string"));
    EXPECT_EQ(claims.certificate_count(), before);
    EXPECT_TRUE(must(claims.read([](store::Reader& reader) {
                    return registry::ledger_rows(reader, 0, 10);
                })).empty());
}

TEST(Claim, AcceptsAnyPayloadForCreate) {
    Claims claims;
    for (const std::string payload : {"", "{}", "ignored"}) {
        EXPECT_EQ(claims.ask_raw("$aws/certificates/create/json", bytes_of(payload), Form::Json)
                      .at("topic"),
                  "accepted");
    }
}

TEST(Claim, RefusesPayloadsThatCannotBeRead) {
    Claims claims;
    const std::string topic = "$aws/provisioning-templates/fleet/provision/json";
    const auto ask = [&](const std::string& payload) {
        return claims.ask_raw(topic, bytes_of(payload), Form::Json);
    };
    EXPECT_EQ(ask("{\"certificateOwnershipToken\":"),
              rejected(400, "InvalidPayload", "payload is not well-formed JSON"));
    EXPECT_EQ(ask("[]"), rejected(400, "InvalidPayload", "expected a JSON object"));
    EXPECT_EQ(ask(std::string(131073, ' ')),
              rejected(400, "InvalidPayload", "expected at most 131072 bytes, found 131073"));
    EXPECT_EQ(ask(std::string(100, '[') + std::string(100, ']')),
              rejected(400, "InvalidPayload", "JSON is nested too deeply"));
    EXPECT_EQ(ask(R"({"parameters":[]})"),
              rejected(400, "InvalidParameters", "/parameters: expected a map of strings"));
    EXPECT_EQ(ask(R"({"parameters":{"SerialNumber":1}})"),
              rejected(400, "InvalidParameters", "/parameters/SerialNumber: expected a string"));
    EXPECT_EQ(
        claims.ask_raw("$aws/certificates/create-from-csr/cbor", Bytes(100000, 0x81), Form::Cbor),
        rejected(400, "InvalidPayload", "expected one well-formed CBOR map, not nested deeply"));
    // {"certificateSigningRequest": text of one byte 0xff}
    Bytes broken = json::to_cbor(json{{"certificateSigningRequest", "x"}});
    broken.back() = 0xff;
    EXPECT_EQ(claims.ask_raw("$aws/certificates/create-from-csr/cbor", broken, Form::Cbor),
              rejected(400, "InvalidPayload", "expected texts in UTF-8"));
}

TEST(Claim, SpendsATokenOnce) {
    Claims claims;
    const auto created = claims.create();
    const std::string token = created.at("certificateOwnershipToken");
    EXPECT_EQ(token.size(), 64U);
    EXPECT_EQ(claims.provision("", {{"SerialNumber", "1"}}),
              rejected(400,
                       "InvalidCertificateOwnershipToken",
                       "Certificate ownership token cannot be empty."));
    const auto unusable = rejected(400,
                                   "InvalidCertificateOwnershipToken",
                                   "Certificate ownership token is unknown, used or expired");
    EXPECT_EQ(claims.provision(token + "0", {{"SerialNumber", "1"}}), unusable);
    EXPECT_EQ(claims.provision(token, {{"SerialNumber", "1"}}).at("topic"), "accepted");
    EXPECT_EQ(claims.provision(token, {{"SerialNumber", "2"}}), unusable);
    EXPECT_EQ(claims.thing_count(), 1U);
}

TEST(Claim, BindsATokenToTheClaimCertificate) {
    Claims claims;
    const std::string token = claims.create().at("certificateOwnershipToken");
    const auto other = claims.factory.device({{"2.5.4.3", "other claim"}});
    const auto first = claims.claimant;
    claims.claimant.certificate = claims.add_active(other, "device");
    EXPECT_EQ(claims.provision(token, {{"SerialNumber", "1"}}),
              rejected(400,
                       "InvalidCertificateOwnershipToken",
                       "Certificate ownership token belongs to another claim certificate"));
    claims.claimant = first;
    EXPECT_EQ(claims.provision(token, {{"SerialNumber", "1"}}).at("topic"), "accepted");
}

TEST(Claim, LetsATokenLiveForAnHourAndSweepsItsCertificate) {
    using std::chrono::seconds;
    Claims claims;
    const auto early = claims.create();
    const auto late = claims.create();
    EXPECT_EQ(claims
                  .provision(early.at("certificateOwnershipToken"),
                             {{"SerialNumber", "1"}},
                             "fleet",
                             kNow + seconds{3599})
                  .at("topic"),
              "accepted");
    EXPECT_EQ(claims
                  .provision(late.at("certificateOwnershipToken"),
                             {{"SerialNumber", "2"}},
                             "fleet",
                             kNow + seconds{3601})
                  .at("errorCode"),
              "InvalidCertificateOwnershipToken");
    EXPECT_EQ(must(sweep(claims.service, kNow + seconds{3599})), 0);
    EXPECT_EQ(claims.status(id_of(late)), "PENDING_ACTIVATION");
    EXPECT_EQ(must(sweep(claims.service, kNow + seconds{3601})), 1);
    EXPECT_EQ(claims.status(id_of(late)), "unknown");
    EXPECT_EQ(claims.status(id_of(early)), "ACTIVE");
}

TEST(Claim, KeepsTheKeyForTheOperatorWhoAskedForItAsLongAsItsCertificateIsThere) {
    Claims claims;
    const auto is_kept = [&](const json& created) {
        return claims
            .read([&](store::Reader& reader) {
                return registry::find_escrowed_key(reader, id_of(created));
            })
            .has_value();
    };
    EXPECT_FALSE(is_kept(claims.create())) << "nobody asked";
    auto operators = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    claims.service.settings.escrow_recipient = operators.public_key_pem();
    const auto created = claims.create();
    EXPECT_TRUE(is_kept(created));
    EXPECT_EQ(must(sweep(claims.service, kNow + std::chrono::seconds{3601})), 2);
    EXPECT_FALSE(is_kept(created)) << "the token expired, and the certificate with it";
}

TEST(Claim, KeepsTheTokenGoodAfterAFailure) {
    Claims claims;
    const auto created = claims.create();
    const std::string token = created.at("certificateOwnershipToken");
    EXPECT_EQ(claims.provision(token, json::object()).at("errorCode"), "InvalidParameters");
    EXPECT_EQ(
        claims.provision(token, {{"SerialNumber", "1"}, {"Place", "no blanks"}}).at("statusCode"),
        400);
    EXPECT_EQ(claims.provision(token, {{"SerialNumber", "1"}}, "gone"),
              rejected(404, "ResourceNotFound", "provisioning template gone does not exist"));
    EXPECT_EQ(claims.status(id_of(created)), "PENDING_ACTIVATION");
    EXPECT_EQ(claims.thing_count(), 0U);
    EXPECT_EQ(claims.provision(token, {{"SerialNumber", "1"}}).at("topic"), "accepted");
}

TEST(Claim, WordsAnUnresolvedReferenceAsAwsDoes) {
    Claims claims;
    const std::string token = claims.create().at("certificateOwnershipToken");
    EXPECT_EQ(claims.provision(token, json::object()),
              rejected(400, "InvalidParameters", "Cannot resolve reference value: SerialNumber"));
}

TEST(Claim, RefusesATemplateOfTheOtherTypeOrDisabled) {
    Claims claims;
    claims.set_up_tutorial();
    claims.add_template("off", kTemplate, false, {}, false);
    const std::string token = claims.create().at("certificateOwnershipToken");
    EXPECT_EQ(claims.provision(token, {{"SerialNumber", "1"}}, "off"),
              rejected(400, "InvalidParameters", "provisioning template off is not enabled"));
    EXPECT_EQ(claims.provision(token, {{"SerialNumber", "1"}}, "jitp-provisioning-template"),
              rejected(400,
                       "InvalidParameters",
                       "provisioning template jitp-provisioning-template is of type JITP, not "
                       "FLEET_PROVISIONING"));
}

TEST(Claim, RefusesACertificateThatWasRevokedMeanwhile) {
    Claims claims;
    const auto created = claims.create();
    must(claims.write([&](store::Tx& tx) {
        return registry::set_certificate_status(
            tx, id_of(created), registry::CertificateStatus::Revoked, kNow);
    }));
    EXPECT_EQ(claims.provision(created.at("certificateOwnershipToken"), {{"SerialNumber", "1"}}),
              rejected(409, "ResourceConflicts", "certificate is REVOKED"));
    EXPECT_EQ(claims.status(id_of(created)), "REVOKED");
}

TEST(Claim, KeepsAnUnregisteredCertificateOut) {
    Claims claims;
    const auto created = claims.create();
    EXPECT_EQ(refusal(admit(claims.service, connect_with(certificate_of(created), "d"), kNow)),
              "certificate is PENDING_ACTIVATION: it waits for RegisterThing with its ownership "
              "token");
}

hooks::HookConfig shell_hook(const std::string& name, const std::string& answer) {
    hooks::HookConfig config;
    config.name = name;
    config.kind = "command";
    config.workers = 1;
    // An answer that is an object repeats the request's id.
    const std::string rest = answer.starts_with("{") ? answer.substr(1) : answer;
    const std::string text = answer.starts_with("{") ? "{\"requestId\":\"%s\"," : "%.0s";
    config.command = {"sh",
                      "-c",
                      "while read -r line; do id=${line#*:\\\"}; printf '" + text + rest +
                          "\\n' \"${id%%\\\"*}\"; done"};
    return config;
}

struct RefusingHook {
    const char* name;
    const char* answer;
};

TEST(ClaimHook, RefusesAndMakesNothing) {
    hooks::HookConfig list;
    list.name = "List";
    list.kind = "allow-list";
    list.serial_numbers = {"SN1"};
    std::vector<hooks::HookConfig> configs{list};
    const RefusingHook refusing[] = {
        {"No", R"({"allowProvisioning":false,"reason":"stolen"})"},
        {"Text", R"({"allowProvisioning":"true"})"},
        {"Noise", "not json"},
        {"Undeclared", R"({"allowProvisioning":true,"parameterOverrides":{"Nowhere":"x"}})"},
        {"Id",
         R"({"allowProvisioning":true,"parameterOverrides":{"AWS::IoT::Certificate::Id":"x"}})"},
    };
    for (const auto& hook : refusing)
        configs.push_back(shell_hook(hook.name, hook.answer));
    Claims claims(configs);
    for (const auto& config : configs)
        claims.add_template(config.name, kTemplate, false, config.name);
    claims.add_template("Absent", kTemplate, false, "Absent");
    const auto created = claims.create();
    const std::string token = created.at("certificateOwnershipToken");
    const auto denied = rejected(403, "AccessDenied", "Refused by the pre-provisioning hook");

    for (const char* name : {"List", "No", "Text", "Noise", "Undeclared", "Id", "Absent"}) {
        SCOPED_TRACE(name);
        EXPECT_EQ(claims.provision(token, {{"SerialNumber", "SN2"}}, name), denied);
        EXPECT_EQ(claims.thing_count(), 0U);
        EXPECT_EQ(claims.status(id_of(created)), "PENDING_ACTIVATION");
    }
    // The token is still good: the device may ask again.
    EXPECT_EQ(claims.provision(token, {{"SerialNumber", "SN1"}}, "List").at("topic"), "accepted");
}

TEST(ClaimHook, OverridesWhatTheDeviceSays) {
    const std::string arn = "arn:aws:lambda:us-east-1:123456789012:function:Over";
    Claims claims({shell_hook(
        "Over",
        R"({"allowProvisioning":true,"parameterOverrides":{"Place":"hook","SerialNumber":"H1"}})")});
    claims.add_template("hooked", kTemplate, false, arn);
    const std::string token = claims.create().at("certificateOwnershipToken");
    const auto answer =
        claims.provision(token, {{"SerialNumber", "SN1"}, {"Place", "device"}}, "hooked");
    EXPECT_EQ(answer.at("thingName"), "th-H1");
    EXPECT_EQ(answer.at("deviceConfiguration").at("Place"), "hook");
}

TEST(ClaimHook, IsToldWhoAsksForWhat) {
    Claims claims({[] {
        hooks::HookConfig echo;
        echo.name = "Echo";
        echo.kind = "command";
        echo.workers = 1;
        echo.command = {
            "python3",
            "-uc",
            "import json,sys\n"
            "for line in sys.stdin:\n"
            "    event = json.loads(line)\n"
            "    seen = '@'.join([event['claimCertificateId'], event['certificateId'],"
            " event['clientId'], event['templateArn'].split('/')[1],"
            " event['certificatePem'][:27].replace(' ', '_'),"
            " event['parameters']['SerialNumber']])\n"
            "    print(json.dumps({'requestId': event['requestId'], 'allowProvisioning': True,"
            " 'parameterOverrides': {'Place': seen}}), flush=True)\n"};
        return echo;
    }()});
    claims.add_template("hooked", kTemplate, false, "Echo");
    const auto created = claims.create();
    const auto answer = claims.provision(
        created.at("certificateOwnershipToken"), {{"SerialNumber", "SN1"}}, "hooked");
    ASSERT_EQ(answer.at("topic"), "accepted") << answer;
    EXPECT_EQ(answer.at("deviceConfiguration").at("Place"),
              claims.claimant.certificate.hex() + "@" + id_of(created).hex() +
                  "@fleet-device@hooked@-----BEGIN_CERTIFICATE-----@SN1");
}

TEST(Claim, GivesEveryOfManyDevicesItsOwnCertificate) {
    constexpr int kDevices = 16;
    Claims claims;
    KeyPool pool(ca::KeyKind::P256, 4);
    claims.service.key_pool = &pool;
    std::vector<json> answers(kDevices);
    std::vector<std::thread> threads;
    for (int i = 0; i < kDevices; ++i) {
        threads.emplace_back([&, i] {
            const auto created = claims.create();
            answers[static_cast<std::size_t>(i)] = claims.provision(
                created.at("certificateOwnershipToken"), {{"SerialNumber", std::to_string(i)}});
        });
    }
    for (auto& thread : threads)
        thread.join();
    for (const auto& answer : answers)
        EXPECT_EQ(answer.at("topic"), "accepted") << answer;
    EXPECT_EQ(claims.thing_count(), static_cast<std::size_t>(kDevices));
    EXPECT_EQ(claims.certificate_count(), static_cast<std::size_t>(kDevices) + 1);
    EXPECT_EQ(
        must(claims.read([](store::Reader& reader) { return registry::verify_ledger(reader); })),
        kDevices);
}

TEST(Topics, KnowsItsOwn) {
    for (const char* topic : {"$aws/certificates/create/json",
                              "$aws/certificates/create/cbor",
                              "$aws/certificates/create-from-csr/json",
                              "$aws/certificates/create-from-csr/cbor",
                              "$aws/provisioning-templates/t/provision/json",
                              "$aws/provisioning-templates/t/provision/cbor"}) {
        EXPECT_TRUE(is_provisioning_request(topic)) << topic;
        EXPECT_TRUE(is_provisioning_filter(std::string(topic) + "/accepted")) << topic;
    }
    for (const char* topic : {"",
                              "json",
                              "$aws/certificates/create/xml",
                              "$aws/certificates/create/json/accepted",
                              "$aws/certificates/create/json/",
                              "$aws/certificates/create",
                              "$aws/provisioning-templates/provision/json",
                              "$aws/provisioning-templates//provision/json",
                              "$aws/provisioning-templates/a/b/provision/json",
                              "aws/certificates/create/json"}) {
        EXPECT_FALSE(is_provisioning_request(topic)) << topic;
    }
    EXPECT_TRUE(is_provisioning_filter("$aws/certificates/#"));
    EXPECT_FALSE(is_provisioning_filter("$aws/things/t/jobs/#"));
    EXPECT_FALSE(is_provisioning_filter("devices/+"));
}

}  // namespace
}  // namespace hatchery::flows::testing
