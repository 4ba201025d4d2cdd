#include "provisioning/flows/bulk.h"

#include "provisioning/flows/trace.h"
#include "provisioning/registry/things.h"
#include "tests/provisioning/flows/fleet.h"

#include <gtest/gtest.h>

#include <sstream>

namespace hatchery::flows {
namespace {

using testing::Fleet;
using testing::kNow;

constexpr const char* kThingOnly = R"({
  "Parameters": {"Name": {"Type": "String"}, "Group": {"Type": "String", "Default": "stock"}},
  "Resources": {"thing": {"Type": "AWS::IoT::Thing", "Properties": {
    "ThingName": {"Ref": "Name"}, "ThingGroups": [{"Ref": "Group"}]}}}})";

constexpr const char* kFromRequest = R"({
  "Parameters": {"Name": {"Type": "String"}, "CSR": {"Type": "String"}},
  "Resources": {
    "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}},
    "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {
      "CertificateSigningRequest": {"Ref": "CSR"}}},
    "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "meters"}}}})";

struct BulkFleet : Fleet {
    explicit BulkFleet(const char* body) {
        EXPECT_TRUE(write([&](store::Tx& tx) -> Result<> {
            registry::ThingGroup group;
            group.name = "stock";
            auto made = registry::create_thing_group(tx, service.settings.account, group, kNow);
            if (!made) return std::move(made).error();
            return {};
        }));
        add_policy("meters", testing::kTutorialPolicy);
        registry::RegistrationTask wanted;
        wanted.id = "task";
        wanted.template_body = body;
        task = write([&](store::Tx& tx) {
                   return registry::start_registration_task(tx, wanted, kNow);
               }).value();
    }

    /// Runs `lines`, `chunk` at a time, and stops after `chunks` of them if that is not 0.
    std::vector<BulkResult> run(const std::string& lines, std::size_t chunk = 4, int chunks = 0) {
        std::istringstream input(lines);
        std::vector<BulkResult> results;
        BulkOptions options;
        options.threads = 2;
        options.chunk = chunk;
        options.requester = "test";
        options.clock = [] { return kNow; };
        options.report = [&](const BulkResult& result) -> Result<> {
            results.push_back(result);
            return {};
        };
        options.go_on = [&](const BulkProgress&) { return --chunks != 0; };
        progress = register_lines(service, task, input, options).value();
        return results;
    }

    registry::RegistrationTask task;
    BulkProgress progress;
};

std::string request_line(const std::string& name) {
    auto key = ca::PrivateKey::generate(ca::KeyKind::P256).value();
    std::string pem = ca::make_csr(key, {{{"2.5.4.3", name}}, {}, {}}).value();
    std::string escaped;
    for (const char c : pem)
        escaped += c == '\n' ? std::string("\\n") : std::string(1, c);
    return R"({"Name": ")" + name + R"(", "CSR": ")" + escaped + "\"}\n";
}

std::string one_line_of(const BulkResult& result) {
    return result.outcome ? "ok" : to_string(result.outcome.error());
}

TEST(Bulk, RegistersEachLineByItself) {
    BulkFleet fleet(kThingOnly);
    const auto results = fleet.run(
        "{\"Name\": \"a\"}\n\n{\"Name\": \"b c\"}\r\n{\"Name\": \"d\", \"Group\": \"none\"}\n"
        "[1]\n{\"Name\": 1}\nrubbish\n{\"Name\": \"a\"}\n{\"Name\": \"e\", \"Group\": \"\"}\n"
        "{\"Name\": \"f\", \"Name\": \"g\"}");
    std::vector<std::string> texts;
    std::vector<std::int64_t> numbers;
    for (const BulkResult& result : results) {
        texts.push_back(one_line_of(result));
        numbers.push_back(result.line);
    }
    EXPECT_EQ(numbers, (std::vector<std::int64_t>{1, 3, 4, 5, 6, 7, 8, 9, 10}));
    EXPECT_EQ(texts[0], "ok");
    EXPECT_EQ(texts[1],
              "/Resources/thing/Properties/ThingName: expected a thing name of 1-128 characters "
              "[a-zA-Z0-9:_-], found \"b c\"");
    EXPECT_EQ(texts[2], "/Resources/thing/Properties/ThingGroups: thing group none does not exist");
    EXPECT_EQ(texts[3], "expected a JSON object of parameters, found a list");
    EXPECT_EQ(texts[4], "column 10: expected a string as the value of Name, found a number");
    EXPECT_EQ(texts[5], "column 1: expected a JSON value, found 'rubbish'");
    EXPECT_EQ(texts[6], "ok");  // the same thing again, with equal values
    EXPECT_EQ(texts[7], "ok");  // an empty value means the Default
    EXPECT_EQ(texts[8], "column 23: expected Name once, found it twice");
    EXPECT_EQ(fleet.thing_count(), 2U);
    EXPECT_EQ(fleet.progress.successes, 3);
    EXPECT_EQ(fleet.progress.failures, 6);
    EXPECT_EQ(results[1].offset, 15);
    EXPECT_EQ(to_json_line(results[0]),
              R"({"lineNumber":1,"offset":0,"response":{"ResourceArns":{"thing":")" +
                  fleet.service.settings.account.arn("thing", "a") + "\"}}}\n");
}

TEST(Bulk, GoesOnWhereItWasStoppedAndGivesTheSameAnswers) {
    BulkFleet fleet(kFromRequest);
    std::string lines;
    for (int i = 0; i < 10; ++i)
        lines += i == 3 ? std::string("{}\n") : request_line("d" + std::to_string(i));
    const auto first =
        fleet.run(lines, 2, 1);  // told to stop while two more chunks are on their way
    ASSERT_EQ(first.size(), 6U);
    EXPECT_EQ(fleet.thing_count(), 5U);
    const auto second = fleet.run(lines, 4);
    ASSERT_EQ(second.size(), 10U);
    const auto third = fleet.run(lines, 1024);
    for (std::size_t i = 0; i < second.size(); ++i) {
        EXPECT_EQ(second[i].is_earlier, i < 6);
        EXPECT_TRUE(third[i].is_earlier);
        if (i < first.size()) {
            EXPECT_EQ(to_json_line(first[i]), to_json_line(second[i]));
        }
        EXPECT_EQ(to_json_line(third[i]), to_json_line(second[i]));
    }
    EXPECT_EQ(fleet.thing_count(), 9U);
    const auto certificates = fleet.read([](store::Reader& reader) {
        return registry::list_certificates(reader, {}, true, std::nullopt);
    });
    EXPECT_EQ(certificates->items.size(), 9U);
    for (const auto& certificate : certificates->items)
        EXPECT_EQ(certificate.status, registry::CertificateStatus::Active);
    EXPECT_TRUE(fleet.read([](store::Reader& reader) { return registry::verify_ledger(reader); })
                    .has_value());
}

TEST(Bulk, WhatWasSignedForARefusedLineStandsInTheLedger) {
    BulkFleet fleet(kFromRequest);
    EXPECT_TRUE(fleet.write([](store::Tx& tx) { return registry::delete_policy(tx, "meters"); }));
    const auto results = fleet.run(request_line("d1"));
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(one_line_of(results[0]),
              "/Resources/policy/Properties/PolicyName: policy meters does not exist");
    EXPECT_EQ(fleet.thing_count(), 0U);
    const auto rows =
        fleet.read([](store::Reader& reader) { return registry::ledger_rows(reader, 0, 1000); });
    ASSERT_FALSE(rows->empty());
    EXPECT_TRUE(rows->back().certificate.has_value());
}

TEST(Bulk, LeavesATraceOfEachRefusedLine) {
    BulkFleet fleet(kFromRequest);
    TraceLog log(*fleet.store);
    fleet.service.traces = &log;
    EXPECT_TRUE(fleet.write([](store::Tx& tx) { return registry::delete_policy(tx, "meters"); }));
    fleet.run(request_line("d1") + R"({"Name": "d2", "CSR": "none"})"
                                   "\n");
    log.flush();
    const auto why = [&](const std::string& name) {
        return fleet
            .read([&](store::Reader& reader) { return registry::find_attempts(reader, name, 10); })
            .value();
    };
    const auto steps = [](const registry::Attempt& attempt) {
        std::string text;
        for (const auto& step : attempt.steps)
            text += step.name + (step.passed ? " " : " failed ");
        return text;
    };
    const auto first = why("d1"), second = why("d2");
    ASSERT_EQ(first.size(), 1U);
    EXPECT_EQ(to_string(first[0].kind), "register-bulk");
    EXPECT_EQ(steps(first[0]), "line plan certificate ledger records failed ");
    EXPECT_EQ(first[0].steps.back().found, "policy meters does not exist");
    EXPECT_EQ(first[0].steps.back().where, "/Resources/policy/Properties/PolicyName");
    ASSERT_EQ(second.size(), 1U);
    EXPECT_EQ(steps(second[0]), "line plan certificate failed ");
    EXPECT_EQ(why("task").size(), 2U) << "by the task, too";
}

TEST(Bulk, ForgetsTasksThatAreOverForLong) {
    BulkFleet fleet(kThingOnly);
    fleet.run("{\"Name\": \"a\"}\n{\"Name\": \"b\"}\n");
    const auto lines = [&] {
        return fleet
            .read([&](store::Reader& reader) {
                return registry::registered_lines(reader, fleet.task.key, 1, 10);
            })
            .value()
            .size();
    };
    const auto old = [&](Time before) {
        return fleet
            .read([&](store::Reader& reader) {
                return registry::old_registration_tasks(reader, before);
            })
            .value();
    };
    EXPECT_TRUE(old(kNow + std::chrono::hours(1)).empty()) << "it is not over";
    fleet.task.status = registry::RegistrationTaskStatus::Completed;
    ASSERT_TRUE(fleet.write(
        [&](store::Tx& tx) { return registry::update_registration_task(tx, fleet.task, kNow); }));
    EXPECT_TRUE(old(kNow).empty());
    EXPECT_EQ(old(kNow + std::chrono::seconds(1)), std::vector<std::string>{"task"});
    const auto forget = [&] {
        return fleet
            .write([](store::Tx& tx) { return registry::forget_registration_task(tx, "task", 2); })
            .value();
    };
    EXPECT_FALSE(forget()) << "there may be more lines";
    EXPECT_EQ(lines(), 0U);
    EXPECT_TRUE(forget());
    EXPECT_TRUE(old(kNow + std::chrono::hours(1)).empty());
    EXPECT_EQ(fleet.thing_count(), 2U);
}

TEST(Bulk, ALineWithoutAnEndIsRefusedNotKept) {
    BulkFleet fleet(kThingOnly);
    const auto results =
        fleet.run("{\"Name\": \"" + std::string(600'000, 'x') + "\"}\n{\"Name\": \"b\"}\n");
    ASSERT_EQ(results.size(), 2U);
    EXPECT_EQ(one_line_of(results[0]), "expected a line of at most 524288 bytes");
    EXPECT_EQ(one_line_of(results[1]), "ok");
}

TEST(Bulk, AnUnfinishedTemplateRegistersNothing) {
    BulkFleet fleet(R"({"Resources": {"thing": {"Type": "AWS::IoT::Thing", "Properties": {}}}})");
    std::istringstream input("{}\n");
    const auto refused = register_lines(fleet.service, fleet.task, input, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::InvalidRequest);
    EXPECT_EQ(fleet.thing_count(), 0U);
}

}  // namespace
}  // namespace hatchery::flows
