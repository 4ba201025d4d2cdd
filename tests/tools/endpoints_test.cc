#include "tools/hatchery/endpoints.h"

#include <gtest/gtest.h>

namespace hatchery::command {
namespace {

TEST(Endpoints, TheControlPlaneIsCalledByItsAddressOrTheServersName) {
    Config config;
    EXPECT_EQ(control_plane_url(config, 8180), "http://127.0.0.1:8180");
    config.control_plane.host = "::1";
    EXPECT_EQ(control_plane_url(config, 1), "http://[::1]:1");
    config.server.host = "factory.example";
    config.control_plane = {"0.0.0.0", 1, true};
    EXPECT_EQ(control_plane_url(config, 1), "https://factory.example:1");
}

TEST(Endpoints, PortsReadBack) {
    const std::string text = ports_json(Config{}, {1, 2, 3, 4}, 42);
    EXPECT_EQ(
        text,
        R"({"mqtt":1,"https":2,"controlPlane":3,"status":4,"endpoint":"http://127.0.0.1:3","pid":42})"
        "\n");
    auto ports = parse_ports_json(text, "ports.json");
    ASSERT_TRUE(ports);
    EXPECT_EQ(ports->mqtt, 1);
    EXPECT_EQ(ports->https, 2);
    EXPECT_EQ(ports->control_plane, 3);
    EXPECT_EQ(ports->status, 4);
}

TEST(Endpoints, RefusesAPortsFileOfAnotherKind) {
    for (const auto* text : {"",
                             "[]",
                             "{}",
                             "{\"mqtt\":1}",
                             R"({"mqtt":"1","https":2,"controlPlane":3,"status":4})"}) {
        auto ports = parse_ports_json(text, "ports.json");
        ASSERT_FALSE(ports) << text;
        EXPECT_EQ(to_string(ports.error()),
                  "ports.json: expected the running server's ports, found something else");
    }
}

TEST(Endpoints, TheEnvironmentHasWhatScriptsRead) {
    std::string secret = "s/+e";
    const Credentials credentials{"AKIAEXAMPLE", Secret::take(secret)};
    const auto environment = environment_of({"/data/o'clock"}, Config{}, {1, 2, 3, 4}, credentials);
    EXPECT_EQ(to_shell(environment),
              "export HATCHERY_ENDPOINT='http://127.0.0.1:3'\n"
              "export HATCHERY_MQTT_HOST='localhost'\n"
              "export HATCHERY_MQTT_PORT='1'\n"
              "export HATCHERY_HTTPS_PORT='2'\n"
              "export HATCHERY_SERVER_CA='/data/o'\\''clock/ca/root.crt'\n"
              "export AWS_ACCESS_KEY_ID='AKIAEXAMPLE'\n"
              "export AWS_SECRET_ACCESS_KEY='s/+e'\n"
              "export AWS_DEFAULT_REGION='us-east-1'\n"
              "export HATCHERY_ACCOUNT='123456789012'\n");
    EXPECT_EQ(to_json({{"A", "\""}, {"B", "2"}}), "{\n  \"A\": \"\\\"\",\n  \"B\": \"2\"\n}\n");
}

TEST(Endpoints, QuotesAWordOnlyWhereItMust) {
    EXPECT_EQ(shell_word("/srv/demo-1.x"), "/srv/demo-1.x");
    EXPECT_EQ(shell_word("/srv/my demo"), "'/srv/my demo'");
    EXPECT_EQ(shell_word("$(reboot)"), "'$(reboot)'");
    EXPECT_EQ(shell_word(""), "''");
}

}  // namespace
}  // namespace hatchery::command
