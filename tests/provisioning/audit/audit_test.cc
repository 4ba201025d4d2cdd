#include "provisioning/audit/audit.h"

#include "ca/certificate_key.h"
#include "ca/digest.h"
#include "ca/weak_keys.h"
#include "provisioning/registry/revocations.h"
#include "tests/provisioning/registry/registry_fixture.h"

#include <gmock/gmock.h>

namespace hatchery::audit {
namespace {

using registry::AuditCheckStatus;
using registry::AuditFinding;
using registry::AuditTask;
using registry::AuditTaskStatus;
using registry::kNow;
using registry::new_certificate;
using std::chrono::days;
using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class AuditTest : public registry::RegistryTest {
  protected:
    AuditTask begin(const std::vector<std::string>& checks, Time now = kNow) {
        auto task = write(
            [&](store::Tx& tx) { return registry::add_audit_task(tx, checks, std::nullopt, now); });
        EXPECT_TRUE(task);
        return *task;
    }
    AuditTask run(const std::string& check, Time now = kNow) {
        auto done = run_task(*store_, account_, begin({check}, now), now, {}, surroundings_);
        EXPECT_TRUE(done) << to_string(done.error());
        return *done;
    }
    std::vector<AuditFinding> findings(const AuditTask& task, bool with_suppressed = false) {
        registry::AuditFindingFilter filter;
        filter.task_id = task.id;
        filter.with_suppressed = with_suppressed;
        return all_pages(2,
                         [&](store::Reader& reader, const registry::PageRequest& request) {
                             return registry::list_audit_findings(reader, request, filter);
                         })
            .first;
    }
    /// "CODE identifier" of each finding.
    std::vector<std::string> found(const std::string& check, Time now = kNow) {
        std::vector<std::string> all;
        for (const auto& finding : findings(run(check, now)))
            all.push_back(finding.reason_code + " " + finding.resource.identifier);
        return all;
    }
    void conflict(registry::ConnectConflict::Kind kind,
                  const CertificateId& certificate,
                  const std::string& client,
                  Time when) {
        EXPECT_TRUE(write([&](store::Tx& tx) {
            return registry::note_connect_conflict(tx, {kind, certificate, client, when, when, 1});
        }));
    }

    Surroundings surroundings_;
};

std::string device(const ca::Certificate& certificate) {
    return R"({"deviceCertificateId":")" + certificate.id().hex() + R"("})";
}
std::string policy_version(const std::string& name) {
    return R"({"policyVersionIdentifier":{"policyName":")" + name + R"(","policyVersionId":"1"}})";
}

TEST_F(AuditTest, FindsWhatExpires) {
    const auto certificate = new_certificate("device"), off = new_certificate("off");
    ASSERT_TRUE(store_certificate(certificate));
    ASSERT_TRUE(store_certificate(off, registry::CertificateStatus::Inactive));
    const std::string check = "DEVICE_CERTIFICATE_EXPIRING_CHECK";
    EXPECT_THAT(found(check), IsEmpty());
    EXPECT_THAT(found(check, kNow + days(365 - 29)),
                ElementsAre("CERTIFICATE_APPROACHING_EXPIRATION " + device(certificate)));
    const auto done = run(check, kNow + days(366));
    EXPECT_EQ(done.status, AuditTaskStatus::Completed);
    ASSERT_EQ(done.checks.size(), 1U);
    EXPECT_EQ(done.checks[0].status, AuditCheckStatus::NonCompliant);
    EXPECT_EQ(done.checks[0].total, 2);
    EXPECT_EQ(done.checks[0].non_compliant, 1);
    const auto all = findings(done);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].severity, "MEDIUM");
    EXPECT_EQ(all[0].resource.type, "DEVICE_CERTIFICATE");
    EXPECT_EQ(all[0].reason_code, "CERTIFICATE_PAST_EXPIRATION");
    EXPECT_EQ(all[0].reason, "expired on " + to_iso8601(certificate.fields().not_after));
    auto again = read(
        [&](store::Reader& reader) { return registry::find_audit_finding(reader, all[0].id); });
    ASSERT_TRUE(again);
    EXPECT_EQ(again->reason, all[0].reason);
    EXPECT_EQ(again->task_id, done.id);
}

TEST_F(AuditTest, FindsAnExpiringCa) {
    const auto root = new_certificate("root");
    registry::CaCertificate settings;
    settings.active = true;
    ASSERT_TRUE(
        write([&](store::Tx& tx) { return registry::add_ca(tx, account_, root, settings, kNow); }));
    EXPECT_THAT(found("CA_CERTIFICATE_EXPIRING_CHECK", kNow + days(360)),
                ElementsAre("CERTIFICATE_APPROACHING_EXPIRATION {\"caCertificateId\":\"" +
                            root.id().hex() + "\"}"));
    EXPECT_THAT(found("CA_CERTIFICATE_KEY_QUALITY_CHECK"), IsEmpty());
}

TEST_F(AuditTest, FindsOldCertificatesByTheAccountsOwnThreshold) {
    const auto certificate = new_certificate("device");
    ASSERT_TRUE(store_certificate(certificate));
    const std::string check = "DEVICE_CERTIFICATE_AGE_CHECK";
    EXPECT_THAT(found(check, kNow + days(40)), IsEmpty());
    registry::AuditConfiguration configuration;
    configuration.checks[check] = {true, {{"CERT_AGE_THRESHOLD_IN_DAYS", "30"}}};
    ASSERT_TRUE(
        write([&](store::Tx& tx) { return registry::set_audit_configuration(tx, configuration); }));
    EXPECT_THAT(found(check, kNow + days(40)),
                ElementsAre("CERTIFICATE_PAST_AGE_THRESHOLD " + device(certificate)));
    EXPECT_TRUE(check_setting(check, {{"CERT_AGE_THRESHOLD_IN_DAYS", "3652"}}));
    EXPECT_FALSE(check_setting(check, {{"CERT_AGE_THRESHOLD_IN_DAYS", "29"}}));
    EXPECT_FALSE(check_setting("DEVICE_CERTIFICATE_EXPIRING_CHECK", {{"x", "1"}}));
}

TEST_F(AuditTest, FindsKeysThatCanBeBroken) {
    auto key = ca::PrivateKey::generate(ca::KeyKind::Rsa2048);
    ASSERT_TRUE(key);
    auto good = ca::make_root(*key, "good", hours(24), kNow);
    ASSERT_TRUE(good);
    ASSERT_TRUE(store_certificate(*good));
    EXPECT_THAT(found("DEVICE_CERTIFICATE_KEY_QUALITY_CHECK"), IsEmpty());
    // The last octets of the modulus, before the exponent 65,537, until three divides it.
    Bytes der = good->fields().der;
    const Bytes exponent{0x02, 0x03, 0x01, 0x00, 0x01};
    const auto at = std::search(der.begin(), der.end(), exponent.begin(), exponent.end());
    ASSERT_NE(at, der.end());
    Result<> weak;
    for (int step = 0; step < 200 && weak; ++step) {
        *(at - 1) = static_cast<std::uint8_t>(*(at - 1) + 2);  // stays odd
        weak = ca::check_certificate_key(der);
    }
    ASSERT_FALSE(weak);
    auto spoiled = ca::Certificate::from_der(der);
    ASSERT_TRUE(spoiled);
    ASSERT_TRUE(store_certificate(*spoiled));
    const auto all = findings(run("DEVICE_CERTIFICATE_KEY_QUALITY_CHECK"));
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].resource.identifier, device(*spoiled));
    EXPECT_EQ(all[0].severity, "CRITICAL");
    EXPECT_EQ(all[0].reason, weak.error().message);
}

TEST_F(AuditTest, FindsKeysOfDebiansListAndWeakSignatures) {
    auto key = ca::PrivateKey::generate(ca::KeyKind::Rsa2048);
    ASSERT_TRUE(key);
    auto certificate = ca::make_root(*key, "good", hours(24), kNow);
    ASSERT_TRUE(certificate);
    Bytes der = certificate->fields().der;
    // The 256 octets before the exponent 65,537, as Debian's openssl-blacklist lists them.
    const Bytes exponent{0x02, 0x03, 0x01, 0x00, 0x01};
    const auto at = std::search(der.begin(), der.end(), exponent.begin(), exponent.end());
    ASSERT_GT(at - der.begin(), 256);
    std::string modulus = to_hex(Bytes(at - 256, at));
    for (char& c : modulus)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const auto digest = ca::sha1(bytes_of("Modulus=" + modulus + "\n"));
    auto weak = std::make_shared<ca::WeakKeys>();
    ASSERT_TRUE(weak->add(to_hex(digest).substr(20), "blacklist.RSA-2048"));
    ASSERT_TRUE(store_certificate(*certificate));
    const std::string check = "DEVICE_CERTIFICATE_KEY_QUALITY_CHECK";
    EXPECT_THAT(found(check), IsEmpty());
    surroundings_.weak_keys = weak;
    EXPECT_THAT(found(check),
                ElementsAre("CERTIFICATE_KEY_VULNERABILITY_CVE-2008-0166 " + device(*certificate)));
    surroundings_.weak_keys = nullptr;

    // sha256WithRSAEncryption becomes sha1WithRSAEncryption: a root may, what it signs may not.
    const Bytes sha256{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B};
    const auto oid = std::search(der.begin(), der.end(), sha256.begin(), sha256.end());
    ASSERT_NE(oid, der.end());
    *(oid + 8) = 0x05;
    EXPECT_TRUE(ca::check_certificate_signature(der)) << "signed by itself";
    const std::string name = "good";
    *std::search(der.begin(), der.end(), name.begin(), name.end()) = 'f';
    auto issued = ca::Certificate::from_der(der);
    ASSERT_TRUE(issued);
    ASSERT_TRUE(store_certificate(*issued));
    const auto all = findings(run(check));
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].reason_code, "CERTIFICATE_SIGNATURE_WEAK");
    EXPECT_EQ(all[0].reason, "weak signature: sha1WithRSAEncryption");
    EXPECT_EQ(all[0].resource.identifier, device(*issued));
}

TEST_F(AuditTest, SaysWhenTheLogLeavesOutWhatDevicesDo) {
    EXPECT_THAT(found("LOGGING_DISABLED_CHECK"), IsEmpty());
    surroundings_.logs_events = false;
    EXPECT_THAT(found("LOGGING_DISABLED_CHECK"),
                ElementsAre("LOGGING_DISABLED {\"account\":\"" + account_.id + "\"}"));
}

TEST_F(AuditTest, FindsActiveCertificatesOfARevokedIntermediate) {
    const auto issue = [&](const ca::Issuer& issuer, const char* name, const char* more) {
        auto profile = ca::Profile::parse("name = \"p\"\nkeys = [\"p256\"]\nvalidity = \"10d\"\n" +
                                              std::string(more) + "[subject]\nCN = {}\n",
                                          "p.toml");
        EXPECT_TRUE(profile) << to_string(profile.error());
        auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
        const ca::CsrSubject subject{{{"2.5.4.3", name}}, {}, {}};
        auto csr = ca::Csr::parse(bytes_of(*ca::make_csr(*key, subject)));
        auto prepared = issuer.prepare(*csr, *profile, kNow);
        EXPECT_TRUE(prepared) << to_string(prepared.error());
        registry::StoreLedger ledger(*store_);
        auto recorded = ledger.record(std::move(*prepared), "cli:test", kNow);
        EXPECT_TRUE(recorded) << to_string(recorded.error());
        auto certificate = issuer.sign(std::move(*recorded));
        EXPECT_TRUE(certificate) << to_string(certificate.error());
        EXPECT_TRUE(ledger.complete(*certificate, kNow));
        return std::pair(std::move(*certificate), std::move(*key));
    };
    auto root_key = ca::PrivateKey::generate(ca::KeyKind::P256);
    auto root = ca::make_root(*root_key, "root", hours(24 * 365), kNow);
    auto root_issuer = ca::Issuer::make(*root, std::move(*root_key), {});
    ASSERT_TRUE(root_issuer);
    auto [intermediate, intermediate_key] =
        issue(*root_issuer, "intermediate", "ca = true\nkey_usage = [\"keyCertSign\"]\n");
    auto issuer = ca::Issuer::make(intermediate, std::move(intermediate_key), {*root});
    ASSERT_TRUE(issuer) << to_string(issuer.error());
    constexpr const char* kUse = "key_usage = [\"digitalSignature\"]\n";
    const auto ours = issue(*issuer, "ours", kUse).first;
    const auto off = issue(*issuer, "off", kUse).first;
    const auto other = issue(*root_issuer, "other", kUse).first;
    const auto by_registration = new_certificate("registered");
    registry::CaCertificate settings;
    settings.active = true;
    ASSERT_TRUE(write([&](store::Tx& tx) {
        return registry::add_ca(tx, account_, intermediate, settings, kNow);
    }));
    ASSERT_TRUE(store_certificate(ours));
    ASSERT_TRUE(store_certificate(off, registry::CertificateStatus::Inactive));
    ASSERT_TRUE(store_certificate(other));
    ASSERT_TRUE(
        store_certificate(by_registration, registry::CertificateStatus::Active, intermediate.id()));
    const std::string check = "INTERMEDIATE_CA_REVOKED_FOR_ACTIVE_DEVICE_CERTIFICATES_CHECK";
    EXPECT_THAT(found(check), IsEmpty());
    ASSERT_TRUE(write([&](store::Tx& tx) {
        return registry::revoke(tx,
                                root->id(),
                                intermediate.fields().serial_number,
                                ca::RevocationReason::KeyCompromise,
                                "cli:test",
                                kNow);
    }));
    EXPECT_THAT(
        found(check),
        UnorderedElementsAre("INTERMEDIATE_CA_REVOKED_BY_ISSUER " + device(ours),
                             "INTERMEDIATE_CA_REVOKED_BY_ISSUER " + device(by_registration)));
    const auto all = findings(run(check));
    ASSERT_FALSE(all.empty());
    ASSERT_EQ(all[0].related.size(), 1U);
    EXPECT_EQ(all[0].related[0].type, "ISSUER_CERTIFICATE");
}

TEST_F(AuditTest, FindsPoliciesThatAllowTooMuch) {
    const auto policy = [](const std::string& statement) {
        return R"({"Version":"2012-10-17","Statement":[{)" + statement + "}]}";
    };
    // AWS IoT Device Defender, "AWS IoT policies overly permissive".
    const std::vector<std::pair<std::string, std::string>> documents{
        {"any-client",
         R"("Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:r:1:client/*")"},
        {"own-id",
         R"("Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:r:1:client/${iot:ClientId}")"},
        {"attached",
         R"("Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:r:1:client/${iot:ClientId}",
            "Condition":{"Bool":{"iot:Connection.Thing.IsAttached":["true"]}})"},
        {"shadows",
         R"("Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/$aws/things/*")"},
        {"all-filters",
         R"("Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:r:1:topicfilter/$aws/things/+/shadow/*")"},
        {"receives",
         R"("Effect":"Allow","Action":"iot:Receive","Resource":"arn:aws:iot:r:1:topic/$aws/things/*")"},
        {"narrow",
         R"("Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/${iot:Connection.Thing.ThingName}/*")"},
        {"mqtt",
         R"("Effect":"Deny","Action":["iot:Subscribe","iot:Receive"],"Resource":"arn:aws:iot:r:1:topicfilter/a/#")"},
        {"subscribe",
         R"("Effect":"Deny","Action":"iot:Subscribe","Resource":"arn:aws:iot:r:1:topicfilter/a/b")"}};
    for (const auto& [name, statement] : documents)
        ASSERT_TRUE(make_policy(name, policy(statement)));
    const auto broad = [](const std::string& name) {
        return "ALLOWS_BROAD_ACCESS_TO_IOT_DATA_PLANE_ACTIONS " + policy_version(name);
    };
    EXPECT_THAT(found("IOT_POLICY_OVERLY_PERMISSIVE_CHECK"),
                UnorderedElementsAre(
                    broad("any-client"), broad("own-id"), broad("shadows"), broad("all-filters")));
    EXPECT_THAT(found("IOT_POLICY_POTENTIAL_MISCONFIGURATION_CHECK"),
                UnorderedElementsAre(
                    "POLICY_CONTAINS_MQTT_WILDCARDS_IN_DENY_STATEMENT " + policy_version("mqtt"),
                    "TOPIC_FILTERS_INTENDED_TO_DENY_ALLOWED_USING_WILDCARDS " +
                        policy_version("subscribe")));
}

TEST_F(AuditTest, FindsWhatNobodyUses) {
    const auto used = new_certificate("used"), idle = new_certificate("idle");
    ASSERT_TRUE(store_certificate(used));
    ASSERT_TRUE(store_certificate(idle));
    ASSERT_TRUE(make_policy("used"));
    ASSERT_TRUE(make_policy("idle"));
    ASSERT_TRUE(write([&](store::Tx& tx) {
        return registry::attach_policy_to_certificate(tx, "used", used.id());
    }));
    EXPECT_THAT(found("HATCHERY_UNUSED_CERTIFICATE_CHECK"),
                ElementsAre("CERTIFICATE_WITHOUT_THING_OR_POLICY " + device(idle)));
    EXPECT_THAT(found("HATCHERY_UNUSED_POLICY_CHECK"),
                ElementsAre("POLICY_WITHOUT_TARGET " + policy_version("idle")));
}

TEST_F(AuditTest, FindsSharedCertificatesAndConflictingClientIds) {
    using Kind = registry::ConnectConflict::Kind;
    const auto shared = new_certificate("shared").id(), other = new_certificate("other").id();
    conflict(Kind::SharedCertificate, shared, "c1", kNow);
    conflict(Kind::SharedCertificate, shared, "c2", kNow);
    conflict(Kind::SharedCertificate, other, "c3", kNow - days(32));  // too long ago
    conflict(Kind::ClientId, shared, "twin", kNow);
    conflict(Kind::ClientId, other, "twin", kNow + hours(1));
    conflict(Kind::ClientId, shared, "lost-its-network", kNow);
    for (int i = 0; i < 3; ++i)
        conflict(Kind::ClientId, other, "clones", kNow + hours(i));
    const auto all = findings(run("DEVICE_CERTIFICATE_SHARED_CHECK"));
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].reason_code, "CERTIFICATE_SHARED_BY_MULTIPLE_DEVICES");
    EXPECT_EQ(all[0].resource.identifier, R"({"deviceCertificateId":")" + shared.hex() + R"("})");
    ASSERT_EQ(all[0].related.size(), 2U);
    EXPECT_EQ(all[0].related[0].identifier, R"({"clientId":"c1"})");
    const auto twins = findings(run("CONFLICTING_CLIENT_IDS_CHECK"));
    ASSERT_EQ(twins.size(), 2U);
    EXPECT_EQ(twins[0].resource.identifier, R"({"clientId":"clones"})");
    EXPECT_EQ(twins[0].reason, "was taken over by another connection 3 times");
    EXPECT_EQ(twins[1].reason_code, "DUPLICATE_CLIENT_ID_ACROSS_CONNECTIONS");
    EXPECT_EQ(twins[1].resource.identifier, R"({"clientId":"twin"})");
    EXPECT_EQ(twins[1].related.size(), 2U);
}

TEST_F(AuditTest, ForgetsConflictsOfConnectionsThatAreTooOld) {
    using Kind = registry::ConnectConflict::Kind;
    const auto id = new_certificate("shared").id();
    conflict(Kind::ClientId, id, "old", kNow - days(90) - hours(1));
    conflict(Kind::ClientId, id, "kept", kNow - days(90));
    ASSERT_TRUE(write(
        [](store::Tx& tx) { return registry::forget_connect_conflicts(tx, kNow - days(90)); }));
    const auto left = read([](store::Reader& reader) {
        return registry::connect_conflicts(reader, Kind::ClientId, Time{});
    });
    ASSERT_EQ(left->size(), 1U);
    EXPECT_EQ(left->front().client_id, "kept");
}

TEST_F(AuditTest, FindsRevokedCertificatesThatAreStillActive) {
    auto root_key = ca::PrivateKey::generate(ca::KeyKind::P256);
    auto root = ca::make_root(*root_key, "root", hours(24 * 365), kNow);
    auto issuer = ca::Issuer::make(*root, std::move(*root_key), {});
    ASSERT_TRUE(issuer) << to_string(issuer.error());
    auto profile = ca::Profile::parse(
        "name = \"device\"\nkeys = [\"p256\"]\nvalidity = \"10d\"\nkey_usage = "
        "[\"digitalSignature\"]\n"
        "[subject]\nCN = {}\n",
        "device.toml");
    ASSERT_TRUE(profile) << to_string(profile.error());
    auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
    const ca::CsrSubject subject{{{"2.5.4.3", "device"}}, {}, {}};
    auto csr = ca::Csr::parse(bytes_of(*ca::make_csr(*key, subject)));
    auto prepared = issuer->prepare(*csr, *profile, kNow);
    ASSERT_TRUE(prepared) << to_string(prepared.error());
    registry::StoreLedger ledger(*store_);
    auto recorded = ledger.record(std::move(*prepared), "cli:test", kNow);
    ASSERT_TRUE(recorded);
    auto certificate = issuer->sign(std::move(*recorded));
    ASSERT_TRUE(certificate);
    ASSERT_TRUE(ledger.complete(*certificate, kNow));
    ASSERT_TRUE(store_certificate(*certificate));
    ASSERT_TRUE(write([&](store::Tx& tx) {
        return registry::revoke(tx,
                                root->id(),
                                certificate->fields().serial_number,
                                ca::RevocationReason::Superseded,
                                "cli:test",
                                kNow);
    }));
    const std::string check = "REVOKED_DEVICE_CERTIFICATE_STILL_ACTIVE_CHECK";
    EXPECT_THAT(found(check), IsEmpty()) << "a revocation takes the certificate off";
    ASSERT_TRUE(
        write([](store::Tx& tx) { return tx.query("UPDATE certificates SET status = 0").run(); }));
    EXPECT_THAT(found(check), ElementsAre("CERTIFICATE_REVOKED_BY_ISSUER " + device(*certificate)));
}

TEST_F(AuditTest, LeavesOutWhatIsSuppressed) {
    ASSERT_TRUE(make_policy("idle"));
    ASSERT_TRUE(make_policy("other"));
    registry::AuditSuppression suppression{
        "HATCHERY_UNUSED_POLICY_CHECK", policy_version("idle"), kNow + days(2), "known", "token"};
    const auto add = [&] {
        return write(
            [&](store::Tx& tx) { return registry::add_audit_suppression(tx, suppression); });
    };
    ASSERT_TRUE(add());
    EXPECT_TRUE(add()) << "by its client token the same";
    suppression.client_token = "other";
    EXPECT_EQ(add().error().code, Code::AlreadyExists);
    const auto done = run(suppression.check);
    EXPECT_EQ(done.checks[0].non_compliant, 1);
    EXPECT_EQ(done.checks[0].suppressed, 1);
    EXPECT_EQ(findings(done).size(), 1U);
    EXPECT_EQ(findings(done, true).size(), 2U);
    EXPECT_EQ(run(suppression.check, kNow + days(3)).checks[0].suppressed, 0) << "it has expired";
}

TEST_F(AuditTest, EndsWhenSomebodyCancelsIt) {
    ASSERT_TRUE(make_policy("idle"));
    const auto task = begin({"HATCHERY_UNUSED_POLICY_CHECK"});
    ASSERT_TRUE(write([&](store::Tx& tx) {
        return registry::set_audit_task_status(tx, task.key, AuditTaskStatus::Canceled);
    }));
    auto done = run_task(*store_, account_, task, kNow);
    ASSERT_TRUE(done);
    EXPECT_EQ(done->status, AuditTaskStatus::Canceled);
    EXPECT_THAT(findings(*done), IsEmpty());
}

TEST_F(AuditTest, BeginsAnewWithoutDoublingWhatAStoppedRunFound) {
    ASSERT_TRUE(make_policy("idle"));
    const auto task = begin({"HATCHERY_UNUSED_POLICY_CHECK"});
    AuditFinding left;
    left.check = task.checks[0].name;
    ASSERT_TRUE(
        write([&](store::Tx& tx) { return registry::add_audit_finding(tx, task.key, left); }));
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(run_task(*store_, account_, task, kNow, stop.get_token()).error().code,
              Code::Unavailable);
    auto next = read(registry::next_audit_task);
    ASSERT_TRUE(next && *next) << "it is still there to be run";
    auto done = run_task(*store_, account_, **next, kNow);
    ASSERT_TRUE(done);
    EXPECT_EQ(findings(*done).size(), 1U);
    EXPECT_FALSE(read(registry::next_audit_task)->has_value());
}

TEST_F(AuditTest, ForgetsOldTasksAFewFindingsAtOnce) {
    for (const char* name : {"a", "b", "c"})
        ASSERT_TRUE(make_policy(name));
    const auto task = run("HATCHERY_UNUSED_POLICY_CHECK");
    const auto forget = [&](Time end) {
        return *write([&](store::Tx& tx) { return registry::delete_old_audits(tx, end, 2); });
    };
    EXPECT_EQ(forget(kNow), 0);
    EXPECT_EQ(findings(task).size(), 3U);
    EXPECT_EQ(forget(kNow + days(1)), 2);
    EXPECT_EQ(forget(kNow + days(1)), 1);
    EXPECT_EQ(forget(kNow + days(1)), 0);
    EXPECT_FALSE(
        read([&](store::Reader& reader) { return registry::find_audit_task(reader, task.id); }));
}

Time at(int year, unsigned month, unsigned day, int hour = 0) {
    return Time(std::chrono::sys_days(std::chrono::year(year) / static_cast<int>(month) /
                                      static_cast<int>(day))) +
           hours(hour);
}

TEST(Schedule, IsDueOnItsDays) {
    using registry::AuditFrequency;
    registry::ScheduledAudit audit;
    const Time wednesday = at(2026, 11, 25, 13);
    EXPECT_EQ(last_due(audit, wednesday), at(2026, 11, 25));
    audit.frequency = AuditFrequency::Weekly;
    audit.day_of_week = 0;
    EXPECT_EQ(last_due(audit, wednesday), at(2026, 11, 22));
    audit.day_of_week = 3;
    EXPECT_EQ(last_due(audit, wednesday), at(2026, 11, 25));
    audit.frequency = AuditFrequency::Biweekly;
    const Time even = last_due(audit, wednesday);
    EXPECT_EQ(last_due(audit, even + days(13)), even);
    EXPECT_EQ(last_due(audit, even + days(14)), even + days(14));
    audit.frequency = AuditFrequency::Monthly;
    audit.day_of_month = 31;
    EXPECT_EQ(last_due(audit, at(2026, 3, 1)), at(2026, 2, 28));
    EXPECT_EQ(last_due(audit, at(2026, 4, 29)), at(2026, 3, 31));
    audit.day_of_month = 0;
    EXPECT_EQ(last_due(audit, at(2028, 3, 5)), at(2028, 2, 29));
}

TEST_F(AuditTest, StartsWhatIsDueOnce) {
    registry::ScheduledAudit audit;
    audit.name = "daily";
    audit.checks = {"HATCHERY_UNUSED_POLICY_CHECK"};
    audit.created = kNow + hours(1);
    ASSERT_TRUE(write([&](store::Tx& tx) { return registry::add_scheduled_audit(tx, audit); }));
    EXPECT_EQ(*start_due(*store_, kNow + hours(2)), 0) << "not for the day it was made on";
    EXPECT_EQ(*start_due(*store_, kNow + days(1) + hours(1)), 1);
    EXPECT_EQ(*start_due(*store_, kNow + days(1) + hours(2)), 0);
    auto task = read(registry::next_audit_task);
    ASSERT_TRUE(task && *task);
    EXPECT_EQ((*task)->schedule, "daily");
    EXPECT_EQ((*task)->checks[0].name, "HATCHERY_UNUSED_POLICY_CHECK");
}

TEST(Checks, AreSortedAndKnownByName) {
    std::string last;
    for (const auto& check : all_checks()) {
        EXPECT_LT(last, check.name);
        last = check.name;
        EXPECT_EQ(find_check(check.name)->name, check.name);
    }
    EXPECT_EQ(find_check("NO_CHECK"), nullptr);
    EXPECT_EQ(check_names({"NO_CHECK"}).error().message,
              "expected the name of an audit check, found 'NO_CHECK'");
}

}  // namespace
}  // namespace hatchery::audit
