#include "provisioning/topic_rules/rule.h"

#include <gmock/gmock.h>

namespace hatchery::topic_rules {
namespace {

/// A rule with this list of actions, and what more stands in its payload.
std::string payload_with(const std::string& actions, const std::string& more = "") {
    return R"({"sql":"SELECT * FROM 'abcde-12345/+/audit'","actions":)" + actions + more + "}";
}

TEST(Rule, ReadsTheSeedsActions) {
    const auto rule = Rule::parse(payload_with(
        R"([{"s3":{"roleArn":"arn:aws:iam::123456789012:role/iot-webinar-s3-role",)"
        R"("bucketName":"iot-webinar-audits","key":"${topic()}/${timestamp()}"}},)"
        R"({"sns":{"targetArn":"arn:aws:sns:us-east-1:123456789012:iot-webinar-sns-topic",)"
        R"("roleArn":"arn:aws:iam::123456789012:role/r","messageFormat":"RAW"}}])",
        R"(,"ruleDisabled":false,"awsIotSqlVersion":"2016-03-23",)"
        R"("errorAction":{"republish":{"topic":"failed/${topic(2)}","qos":1,"roleArn":"r"}})"));
    ASSERT_TRUE(rule) << to_string(rule.error());
    const std::string text = R"({"message":"scan"})";
    const Message message("abcde-12345/device-1/audit",
                          bytes_of(text),
                          "device-1",
                          "cafe",
                          Moment(std::chrono::milliseconds(7)));
    ASSERT_EQ(rule->actions.size(), 2U);
    const auto stored = rule->actions[0].resolve(message);
    EXPECT_EQ(to_string(stored.kind), "s3");
    EXPECT_EQ(stored.texts,
              (std::map<std::string, std::string>{{"bucketName", "iot-webinar-audits"},
                                                  {"key", "abcde-12345/device-1/audit/7"}}));
    EXPECT_EQ(to_string(rule->actions[1].kind()), "sns");
    ASSERT_TRUE(rule->error_action);
    EXPECT_EQ(rule->error_action->resolve(message).texts,
              (std::map<std::string, std::string>{{"topic", "failed/device-1"}}));
}

TEST(Rule, KeepsTheHeadersOfAnHttpAction) {
    const auto rule =
        Rule::parse(payload_with(R"([{"http":{"url":"https://example.com/${topic(1)}",)"
                                 R"("headers":[{"key":"X-Device","value":"${clientid()}"}]}}])"));
    ASSERT_TRUE(rule) << to_string(rule.error());
    const Message message("a/b", {}, "device-1", "", Moment{});
    EXPECT_EQ(rule->actions[0].resolve(message).texts,
              (std::map<std::string, std::string>{{"header:X-Device", "device-1"},
                                                  {"url", "https://example.com/a"}}));
}

TEST(Rule, SaysWhatIsWrongAndWhere) {
    struct Case {
        std::string payload;
        const char* message;
    };
    for (const auto& [payload, message] : std::vector<Case>{
             {"[]", "expected a JSON object"},
             {R"({"actions":[]})", "/sql: expected a string"},
             {R"({"sql":"SELECT * FRM 'a'","actions":[]})", "/sql 1:10: expected FROM, found FRM"},
             {R"({"sql":"SELECT * FROM 'a'"})", "/actions: expected a list of at most 10 actions"},
             {payload_with("[{}]"), "/actions/0: expected an object with one kind of action"},
             {payload_with(R"([{"kinesis":{}}])"),
              "/actions/0: expected one of republish, http, s3, cloudwatchLogs, sns, found "
              "kinesis"},
             {payload_with(R"([{"s3":[]}])"), "/actions/0/s3: expected an object"},
             {payload_with(R"([{"s3":{"bucketName":"b"}}])"),
              "/actions/0/s3/key: expected a string"},
             {payload_with(R"([{"s3":{"bucketName":"","key":"k"}}])"),
              "/actions/0/s3/bucketName: expected a string"},
             {payload_with(R"([{"republish":{"topic":"${topic("}}])"),
              "/actions/0/republish/topic: 1:9: expected ), found the end"},
             {payload_with(R"([{"http":{"url":"u","headers":[{"key":"a b","value":""}]}}])"),
              "/actions/0/http/headers/0: expected a header's key and value"},
             {payload_with(R"([{"republish":{"topic":"t"}}])"),
              "/actions/0/republish/roleArn: expected a string"},
             {payload_with(R"([{"republish":{"topic":"t","roleArn":"r","qos":2}}])"),
              "/actions/0/republish/qos: expected 0 or 1, found 2"},
             {payload_with(R"([{"http":{"url":"u","auth":{"sigv4":{}}}}])"),
              "/actions/0/http/auth: expected nothing: this is not supported by this server"},
             {payload_with(R"([{"http":{"url":")" + std::string(2001, 'u') + R"("}}])"),
              "/actions/0/http/url: expected at most 2000 bytes, found 2001"},
             {payload_with(
                  R"([{"s3":{"bucketName":"b","key":"k","roleArn":"r","cannedAcl":"mine"}}])"),
              "/actions/0/s3/cannedAcl: expected one of |private|public-read|public-read-write|"
              "aws-exec-read|authenticated-read|bucket-owner-read|bucket-owner-full-control|"
              "log-delivery-write|, found mine"},
             {payload_with("[]", R"(,"errorAction":{"s3":{}})"),
              "/errorAction/s3/bucketName: expected a string"}}) {
        const auto rule = Rule::parse(payload);
        ASSERT_FALSE(rule) << payload;
        EXPECT_EQ(to_string(rule.error()), message);
    }
}

}  // namespace
}  // namespace hatchery::topic_rules
