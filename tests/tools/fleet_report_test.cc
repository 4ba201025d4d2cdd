#include "tools/fleet/device.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace hatchery::fleet {
namespace {

DeviceResult provisioned(const std::string& serial, double ms) {
    return {serial, "thing-" + serial, Outcome::Provisioned, "", "", "abcd", ms};
}
DeviceResult refused(const std::string& serial) {
    return {serial, "", Outcome::Refused, "AccessDenied", "the hook said no", "", 3.14159};
}

TEST(Percentile, IsTheNearestRank) {
    std::vector<double> values;
    for (int i = 100; i >= 1; --i)
        values.push_back(i);
    EXPECT_EQ(percentile(values, 50), 50);
    EXPECT_EQ(percentile(values, 99), 99);
    EXPECT_EQ(percentile(values, 100), 100);
    EXPECT_EQ(percentile(values, 0), 1);
    EXPECT_EQ(percentile({7}, 50), 7);
    EXPECT_EQ(percentile({1, 2}, 50), 1);
    EXPECT_EQ(percentile({1, 2}, 51), 2);
    EXPECT_EQ(percentile({}, 50), 0);
}

TEST(Report, WritesALineADeviceBeforeAddReturns) {
    std::string path = (std::filesystem::temp_directory_path() / "fleet.XXXXXX").string();
    const std::string folder = mkdtemp(path.data());
    Report report(2, {"S2"});
    ASSERT_TRUE(report.open(folder + "/out"));
    report.add(provisioned("S1", 12.34));
    EXPECT_EQ(*read_file(folder + "/out"),
              R"({"serial":"S1","thing":"thing-S1","outcome":"provisioned","reason":"",)"
              R"("message":"","certificateId":"abcd","ms_first_connect":12.3})"
              "\n");
    report.add(refused("S2"));
    const auto text = *read_file(folder + "/out");
    EXPECT_EQ(text.substr(text.find('\n') + 1),
              R"({"serial":"S2","thing":"","outcome":"refused","reason":"AccessDenied",)"
              R"("message":"the hook said no","certificateId":"","ms_first_connect":3.1})"
              "\n");
    EXPECT_EQ(report.finished(), 2U);
    std::filesystem::remove_all(folder);
}

TEST(Report, SaysWhichFileItCantWrite) {
    Report report(1, {});
    const auto opened = report.open("/nowhere/at/all");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().message, "can't write /nowhere/at/all");
}

TEST(Report, ComparesOutcomesWithWhatWasExpected) {
    Report report(5, {"bad", "worse"});
    report.add(provisioned("good", 10));
    report.add(refused("bad"));
    EXPECT_TRUE(report.summary(std::chrono::seconds(1)).unexpected.empty());
    report.add(refused("good2"));
    report.add(provisioned("worse", 20));
    report.add({"lost", "", Outcome::Failed, "no answer in time", "", "", 0});
    report.unfinished("good", "publish to t: closed");
    const auto summary = report.summary(std::chrono::seconds(2));
    EXPECT_EQ(summary.unexpected,
              (std::vector<std::string>{
                  "good2: expected provisioned, found refused: AccessDenied: the hook said no",
                  "worse: expected refused, found provisioned",
                  "lost: expected provisioned, found failed: no answer in time",
                  "good: provisioned, then publish to t: closed"}));
}

TEST(Report, ExpectsARefusalNotAFailure) {
    // A device that found no server at all proves nothing about refusing it.
    Report report(1, {"bad"});
    report.add({"bad", "", Outcome::Failed, "can't connect", "", "", 0});
    EXPECT_EQ(report.summary({}).unexpected,
              (std::vector<std::string>{"bad: expected refused, found failed: can't connect"}));
}

TEST(Report, ClosesWithATable) {
    Report report(3, {"bad"});
    report.add(provisioned("a", 10));
    report.add(provisioned("b", 30.05));
    report.message_acknowledged();
    report.add(refused("bad"));
    report.unfinished("b", "closed");
    const auto summary = report.summary(std::chrono::milliseconds(1500));
    EXPECT_EQ(to_table(summary),
              "devices 3 in 1.5 s\n"
              "  provisioned           2\n"
              "  refused               1\n"
              "  failed                0\n"
              "  messages acknowledged 1\n"
              "  first connect p50     10.0 ms\n"
              "  first connect p99     30.1 ms\n"
              "  reason                1 x AccessDenied\n"
              "  not as expected: b: provisioned, then closed\n");
    EXPECT_EQ(to_json(summary),
              R"({"devices":3,"provisioned":2,"refused":1,"failed":0,"messages":1,)"
              R"("seconds":1.5,"per_second":1.3,"p50_ms":10.0,"p99_ms":30.1,"max_ms":30.1,)"
              R"("reasons":{"AccessDenied":1},"unexpected":["b: provisioned, then closed"]})");
}

TEST(ProgressBar, FillsUp) {
    EXPECT_EQ(progress_bar(0, 20), "[>                   ] 0/20 devices");
    EXPECT_EQ(progress_bar(10, 20), "[==========>         ] 10/20 devices");
    EXPECT_EQ(progress_bar(20, 20), "[====================] 20/20 devices");
    EXPECT_EQ(progress_bar(0, 0), "[====================] 0/0 devices");
}

TEST(Options, NumberDevicesAndAppendExplicitSerials) {
    Options options;
    options.devices = 2;
    options.serial_prefix = "SN-";
    options.serial_start = 9;
    options.serial_digits = 2;
    options.serials = {"SN-9999"};
    EXPECT_EQ(serial_numbers(options), (std::vector<std::string>{"SN-09", "SN-10", "SN-9999"}));
    EXPECT_EQ(fill("a/{thing}/{thing}/{x}", "thing", "{thing}"), "a/{thing}/{thing}/{x}");
    EXPECT_EQ(fill("AnyCompany/{thing}/telemetry", "thing", "t1"), "AnyCompany/t1/telemetry");
}

TEST(Retry, IsForWhatMayEndOtherwise) {
    EXPECT_TRUE(is_worth_a_retry(fail(Code::Forbidden, "closed without CONNACK")));
    EXPECT_TRUE(is_worth_a_retry(fail(Code::Unavailable, "no answer in time")));
    EXPECT_TRUE(is_worth_a_retry(fail(Code::Throttled, "slow down", "HTTP 429")));
    EXPECT_FALSE(is_worth_a_retry(fail(Code::Forbidden, "no", "AccessDenied")));
    EXPECT_FALSE(is_worth_a_retry(fail(Code::InvalidRequest, "no key")));
    Options options;
    options.retries = 0;
    int attempts = 0;
    const auto outcome = with_retries(options, [&]() -> Result<int> {
        ++attempts;
        return fail(Code::Unavailable, "gone");
    });
    EXPECT_EQ(outcome.error().message, "gone");
    EXPECT_EQ(attempts, 1);
    options.retries = 1;
    EXPECT_EQ(*with_retries(options,
                            [&]() -> Result<int> {
                                if (++attempts == 2) return fail(Code::Unavailable, "gone");
                                return 5;
                            }),
              5);
    EXPECT_EQ(attempts, 3);
}

}  // namespace
}  // namespace hatchery::fleet
