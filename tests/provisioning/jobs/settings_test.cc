#include "provisioning/jobs/settings.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace hatchery::jobs {
namespace {

TEST(JobSettings, AreReadWhole) {
    const auto settings = parse_settings(nlohmann::json::parse(R"({
        "description": "not ours",
        "timeoutConfig": {"inProgressTimeoutInMinutes": 10080},
        "presignedUrlConfig": {"roleArn": "arn:aws:iam::123456789012:role/r", "expiresInSec": 60},
        "jobExecutionsRetryConfig": {"criteriaList": [
            {"failureType": "FAILED", "numberOfRetries": 3},
            {"failureType": "TIMED_OUT", "numberOfRetries": 0}]},
        "abortConfig": {"criteriaList": [{"failureType": "REJECTED", "action": "CANCEL",
            "thresholdPercentage": 12.5, "minNumberOfExecutedThings": 8}]},
        "jobExecutionsRolloutConfig": {"maximumPerMinute": 500, "exponentialRate": {
            "baseRatePerMinute": 10, "incrementFactor": 1.5,
            "rateIncreaseCriteria": {"numberOfSucceededThings": 100}}},
        "schedulingConfig": {"startTime": "2026-11-25 21:30", "endTime": "2026-12-01 00:00",
            "endBehavior": "FORCE_CANCEL"}})"));
    ASSERT_TRUE(settings) << to_string(settings.error());
    EXPECT_EQ(settings->in_progress_timeout, std::chrono::minutes(10080));
    EXPECT_TRUE(settings->presigns);
    EXPECT_EQ(settings->link_lifetime, std::chrono::seconds(60));
    ASSERT_EQ(settings->retries.size(), 2U);
    EXPECT_EQ(settings->retries[0].most, 3);
    ASSERT_EQ(settings->aborts.size(), 1U);
    EXPECT_EQ(settings->aborts[0].kind, FailureKind::Rejected);
    EXPECT_EQ(settings->aborts[0].percent, 12.5);
    ASSERT_TRUE(settings->rollout);
    EXPECT_EQ(settings->rollout->most_per_minute, 500);
    EXPECT_EQ(settings->rollout->base_per_minute, 10);
    EXPECT_EQ(settings->rollout->succeeded_things, 100);
    EXPECT_EQ(to_iso8601(settings->starts.value()), "2026-11-25T21:30:00Z");
    EXPECT_EQ(to_iso8601(settings->ends.value()), "2026-12-01T00:00:00Z");
    EXPECT_EQ(settings->end_behavior, EndBehavior::ForceCancel);
}

TEST(JobSettings, RefusalsNamePlaceExpectedAndFound) {
    struct Case {
        const char *settings, *error;
    };
    constexpr Case kCases[] = {
        {R"({"timeoutConfig":{"inProgressTimeoutInMinutes":0}})",
         "/timeoutConfig/inProgressTimeoutInMinutes: expected an integer from 1 to 10080, found 0"},
        {R"({"timeoutConfig":7})", "/timeoutConfig: expected an object, found 7"},
        {R"({"presignedUrlConfig":{"expiresInSec":59}})",
         "/presignedUrlConfig/expiresInSec: expected an integer from 60 to 3600, found 59"},
        {R"({"jobExecutionsRetryConfig":{}})",
         "/jobExecutionsRetryConfig/criteriaList: expected a list of 1 to 2 objects, found "
         "nothing"},
        {R"({"jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"REJECTED","numberOfRetries":1}]}})",
         "/jobExecutionsRetryConfig/criteriaList/0: expected failureType FAILED, TIMED_OUT or ALL, "
         R"(found {"failureType":"REJECTED","numberOfRetries":1})"},
        {R"({"abortConfig":{"criteriaList":[{"failureType":"ALL","action":"CANCEL","thresholdPercentage":101,"minNumberOfExecutedThings":1}]}})",
         "/abortConfig/criteriaList/0/thresholdPercentage: expected a number from 0 to 100, found "
         "101"},
        {R"({"jobExecutionsRolloutConfig":{"exponentialRate":{"baseRatePerMinute":1,"incrementFactor":2,"rateIncreaseCriteria":{}}}})",
         "/jobExecutionsRolloutConfig/exponentialRate/rateIncreaseCriteria: expected "
         "rateIncreaseCriteria with one of numberOfNotifiedThings and numberOfSucceededThings, "
         "found {}"},
        {R"({"schedulingConfig":{"startTime":"tomorrow"}})",
         "/schedulingConfig/startTime: expected a time of the form yyyy-MM-dd HH:mm (UTC), found "
         "\"tomorrow\""},
        {R"({"schedulingConfig":{"startTime":"2026-11-25 21:30","endTime":"2026-11-25 21:30"}})",
         "/schedulingConfig/endTime: expected an end after startTime, found \"2026-11-25 21:30\""},
        {R"({"schedulingConfig":{"maintenanceWindows":[{}]}})",
         "/schedulingConfig/maintenanceWindows: expected no maintenance windows, which are not "
         "there, found [{}]"},
    };
    for (const auto& one : kCases) {
        const auto settings = parse_settings(nlohmann::json::parse(one.settings));
        ASSERT_FALSE(settings) << one.settings;
        EXPECT_EQ(to_string(settings.error()), one.error);
    }
}

}  // namespace
}  // namespace hatchery::jobs
