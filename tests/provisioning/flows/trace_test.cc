// What is left behind of an attempt, for `hatchery why`.
#include "provisioning/flows/trace.h"

#include "tests/provisioning/flows/fleet.h"

#include <gmock/gmock.h>

namespace hatchery::flows::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct TracedFleet : Fleet {
    explicit TracedFleet(const std::vector<hooks::HookConfig>& hooks = {}) : Fleet(hooks) {
        service.traces = &log;
        set_up_tutorial();
        register_ca(factory.root(), "jitp-provisioning-template");
    }
    std::vector<registry::Attempt> why(const std::string& name) {
        log.flush();
        return must(
            read([&](store::Reader& reader) { return registry::find_attempts(reader, name, 10); }));
    }
    Factory factory;
    TraceLog log{*store};
};

std::vector<std::string> step_names(const registry::Attempt& attempt) {
    std::vector<std::string> names;
    for (const auto& step : attempt.steps)
        names.push_back(step.name + (step.passed ? "" : " failed"));
    return names;
}

TEST(Trace, ShowsEachStepOfAFirstConnectByIdSerialNumberAndThing) {
    TracedFleet fleet;
    const auto device = fleet.factory.device(tutorial_subject());
    const std::string serial = device.serial_decimal();
    ASSERT_EQ(refusal(admit(fleet.service, connect_with(device, serial), kNow)), "admitted");

    for (const auto& name : {serial, device.serial_hex(), device.id().hex()}) {
        const auto attempts = fleet.why(name);
        ASSERT_EQ(attempts.size(), 1U) << name;
        const auto& attempt = attempts.front();
        EXPECT_TRUE(attempt.succeeded);
        EXPECT_EQ(attempt.thing, serial);
        EXPECT_THAT(step_names(attempt),
                    ElementsAre("certificate",
                                "CA",
                                "template",
                                "parameters",
                                "plan",
                                "records",
                                "status",
                                "iot:Connect"));
        EXPECT_EQ(attempt.steps.back().found, "ALLOWED");
        EXPECT_EQ(attempt.steps.back().where, "policy AnyTypeThing-policy /Statement/0");
    }
    // A known device that connects again has nothing to explain.
    ASSERT_EQ(refusal(admit(fleet.service, connect_with(device, serial), kNow)), "admitted");
    EXPECT_EQ(fleet.why(serial).size(), 1U);
}

TEST(Trace, NamesThePlaceInTheTemplateWhereAFieldWasMissing) {
    TracedFleet fleet;
    const auto device = fleet.factory.device({{std::string(ca::oid::kCommonName), "HW-100"}});
    EXPECT_NE(refusal(admit(fleet.service, connect_with(device, "c"), kNow)), "admitted");
    const auto attempts = fleet.why(device.id().hex());
    ASSERT_EQ(attempts.size(), 1U);
    EXPECT_FALSE(attempts[0].succeeded);
    EXPECT_THAT(step_names(attempts[0]),
                ElementsAre("certificate", "CA", "template", "parameters", "plan failed"));
    EXPECT_EQ(attempts[0].steps.back().where,
              "/Parameters/AWS::IoT::Certificate::DistinguishedNameQualifier");
    EXPECT_THAT(attempts[0].steps.back().found, HasSubstr("AWS::IoT::Certificate::"));
    EXPECT_EQ(attempts[0].code, "InvalidRequest");
}

TEST(Trace, NamesTheStatementsThatDidNotAllowTheClientId) {
    TracedFleet fleet;
    const auto device = fleet.factory.device(tutorial_subject());
    EXPECT_NE(refusal(admit(fleet.service, connect_with(device, "other"), kNow)), "admitted");
    const auto attempts = fleet.why("other");
    ASSERT_EQ(attempts.size(), 1U);
    EXPECT_EQ(attempts[0].steps.back().name, "iot:Connect");
    EXPECT_THAT(attempts[0].steps.back().found,
                HasSubstr("IMPLICIT_DENY, no statement of the attached policies allows it: "
                          "AnyTypeThing-policy"));
    EXPECT_THAT(attempts[0].steps.back().expected, HasSubstr("client/other"));
}

TEST(Trace, CountsIdenticalRetriesInsteadOfRepeatingThem) {
    TracedFleet fleet;
    Factory stranger("Other CA");
    const auto device = stranger.device(tutorial_subject());
    for (int attempt = 0; attempt < 3; ++attempt) {
        EXPECT_NE(refusal(admit(fleet.service, connect_with(device, "c"), kNow)), "admitted");
        fleet.log.flush();
    }
    const auto attempts = fleet.why("c");
    ASSERT_EQ(attempts.size(), 1U);
    EXPECT_EQ(attempts[0].count, 3);
    EXPECT_THAT(step_names(attempts[0]), ElementsAre("certificate", "CA failed"));
}

TEST(Trace, KeepsWhatTheHookAnswered) {
    hooks::HookConfig config;
    config.name = "Line";
    config.kind = "allow-list";
    config.prefixes = {"SN"};
    TracedFleet fleet({config});
    fleet.add_policy("device", kTutorialPolicy);
    fleet.add_template("claims",
                       R"({"Parameters": {"SerialNumber": {"Type": "String"}}, "Resources": {
        "thing": {"Type": "AWS::IoT::Thing",
                  "Properties": {"ThingName": {"Ref": "SerialNumber"}}}}})",
                       false,
                       "Line");
    const Claimant claimant{fleet.add_active(fleet.factory.device(tutorial_subject()), "device"),
                            "fleet-device"};
    const auto made = must(create_keys_and_certificate(fleet.service, claimant, kNow));
    const auto refused = register_thing(
        fleet.service, claimant, {"claims", made.ownership_token, {{"SerialNumber", "X1"}}}, kNow);
    ASSERT_FALSE(refused);
    const auto by_serial = fleet.why("X1");
    ASSERT_EQ(by_serial.size(), 1U);
    EXPECT_EQ(by_serial[0].template_name, "claims");
    EXPECT_THAT(step_names(by_serial[0]), ElementsAre("token", "template", "token", "hook failed"));
    EXPECT_THAT(by_serial[0].steps.back().found, HasSubstr("hook Line refused"));
    // The creation before it, and the refusal, by the new certificate's id.
    const auto both = fleet.why(made.id.hex());
    ASSERT_EQ(both.size(), 2U);
    EXPECT_EQ(both[1].kind, registry::AttemptKind::CreateKeys);
    for (const auto& attempt : both) {
        for (const auto& step : attempt.steps) {
            EXPECT_THAT(step.found, Not(HasSubstr(made.ownership_token)));
            EXPECT_THAT(step.found, Not(HasSubstr("PRIVATE KEY")));
        }
    }
}

/// The step that failed last time, and the code, for whatever `name` is.
std::string last_refusal(TracedFleet& fleet, const std::string& name) {
    const auto attempts = fleet.why(name);
    if (attempts.empty()) return "nothing";
    return attempts[0].steps.back().name + ": " + attempts[0].code;
}

TEST(Trace, NamesTheStepOfEachKindOfRefusalByCertificateClientAndSerialNumber) {
    TracedFleet fleet;
    int next = 0;
    const auto refused = [&](const ca::Certificate& device, Time when = kNow) {
        const std::string client = "client-" + std::to_string(++next);
        EXPECT_NE(refusal(admit(fleet.service, connect_with(device, client), when)), "admitted");
        const auto step = last_refusal(fleet, client);
        EXPECT_EQ(last_refusal(fleet, device.id().hex()), step);
        EXPECT_EQ(last_refusal(fleet, device.serial_decimal()), step);
        return step;
    };
    const auto& root = fleet.factory.root();
    const auto set_status = [&](const ca::Certificate& device, registry::CertificateStatus status) {
        must(fleet.write([&](store::Tx& tx) {
            return registry::set_certificate_status(tx, device.id(), status, kNow);
        }));
    };
    Factory stranger("Stranger");
    EXPECT_EQ(refused(stranger.device(tutorial_subject())), "CA: Unauthenticated");
    Factory impostor;  // the same name, another key
    EXPECT_EQ(refused(impostor.device(tutorial_subject())), "CA: Unauthenticated");
    EXPECT_EQ(
        refused(fleet.factory.device(tutorial_subject()), kNow + std::chrono::hours(24 * 400)),
        "CA: CertificateInvalid");
    EXPECT_EQ(refused(fleet.factory.device({{std::string(ca::oid::kCommonName), "HW-100"}})),
              "plan: InvalidRequest");
    // provisioned, and its policy wants the thing's name
    const auto known = fleet.factory.device(tutorial_subject());
    EXPECT_EQ(refused(known), "iot:Connect: Forbidden");
    for (const auto status :
         {registry::CertificateStatus::Inactive, registry::CertificateStatus::Revoked}) {
        set_status(known, status);
        EXPECT_EQ(refused(known), "status: Forbidden");
    }
    registry::CaUpdate off;
    off.auto_registration = false;
    fleet.update_ca(root, off);
    EXPECT_EQ(refused(fleet.factory.device(tutorial_subject())), "CA: Forbidden");
    registry::CaUpdate on;
    on.auto_registration = true;
    on.registration = registry::RegistrationConfig{"gone", std::nullopt, std::nullopt};
    fleet.update_ca(root, on);
    EXPECT_EQ(refused(fleet.factory.device(tutorial_subject())), "template: NotFound");
    registry::CaUpdate jitr;
    jitr.remove_registration = true;
    fleet.update_ca(root, jitr);
    EXPECT_EQ(refused(fleet.factory.device(tutorial_subject())), "registration: Forbidden");
}

TEST(TraceLog, DropsSuccessesFirstWhenTheStoreIsBehind) {
    Fleet fleet;
    TraceLog::Limits limits;
    limits.max_waiting = 4;
    TraceLog log(*fleet.store, limits);
    // Nothing is written while this write runs: one thread writes.
    must(fleet.write([&](store::Tx&) -> Result<> {
        for (int i = 0; i < 20; ++i) {
            Trace trace(registry::AttemptKind::Connect, kNow);
            trace.client("client-" + std::to_string(i));
            const Error error = fail(Code::Forbidden, "no");
            record(&log, trace, i < 10 ? nullptr : &error);
        }
        return {};
    }));
    log.flush();
    EXPECT_GE(log.dropped(), 8U);
    EXPECT_LE(log.dropped(), 18U);
}

}  // namespace
}  // namespace hatchery::flows::testing
