// The control plane end to end: the real server in this process, real clients outside of it.
#include "provisioning/api/server.h"

#include "tests/provisioning/front_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hatchery::api {
namespace {

using test::Front;
using test::must;
using test::run;

Options on_any_port(std::string host = "127.0.0.1") {
    Options options;
    options.host = std::move(host);
    options.port = 0;
    return options;
}

/// A served front, and the environment that clients need to use it.
struct Served {
    explicit Served(Options options = on_any_port())
        : server(must(Server::start(front.service, front.wrap, std::move(options)))),
          url("http://127.0.0.1:" + std::to_string(server->port())),
          environment("AWS_ACCESS_KEY_ID=" + std::string(Front::kAccessKey) +
                      " AWS_SECRET_ACCESS_KEY=" + std::string(Front::kSecret) +
                      " AWS_DEFAULT_REGION=us-east-1 AWS_MAX_ATTEMPTS=1 AWS_PAGER= "
                      "AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null "
                      "AWS_SHARED_CREDENTIALS_FILE=/dev/null ") {}

    Front front;
    std::unique_ptr<Server> server;
    std::string url, environment;
};

class ControlPlane : public testing::TestWithParam<const char*> {};

TEST_P(ControlPlane, AnswersBotocoreByAwsModel) {
    Served served;
    const auto ran =
        run(served.environment + "/usr/bin/python3 " + HATCHERY_TEST_SOURCE + "/control_plane.py " +
            served.url + " " + served.front.folder.path().string() + " " + GetParam());
    EXPECT_EQ(ran.status, 0) << ran.output;
}

INSTANTIATE_TEST_SUITE_P(Server,
                         ControlPlane,
                         testing::Values("things",
                                         "groups",
                                         "policies",
                                         "certificates",
                                         "cas",
                                         "templates",
                                         "errors",
                                         "account",
                                         "search",
                                         "authorization"),
                         [](const auto& one) { return std::string(one.param); });

TEST(Server, AnswersDebiansAwsCommand) {
    Served served;
    const std::string aws =
        served.environment + "/usr/bin/aws --endpoint-url " + served.url + " iot ";
    auto ran =
        run(aws + "create-thing-type --thing-type-name AnyType --query thingTypeArn --output text");
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(ran.output, "arn:aws:iot:us-east-1:123456789012:thingtype/AnyType\n");
    ran = run(aws + "describe-thing --thing-name t1");
    EXPECT_EQ(ran.status, 254);
    EXPECT_THAT(ran.output,
                testing::AllOf(testing::HasSubstr("An error occurred (ResourceNotFoundException) "
                                                  "when calling the DescribeThing operation"),
                               testing::HasSubstr(": thing t1 does not exist\n")));
}

TEST(Server, TellsAnUnsignedCallerSo) {
    Served served;
    const auto ran = run("curl -s -i " + served.url + "/things");
    EXPECT_NE(ran.output.find("HTTP/1.1 403"), std::string::npos) << ran.output;
    EXPECT_NE(ran.output.find("x-amzn-ErrorType: MissingAuthenticationTokenException"),
              std::string::npos)
        << ran.output;
    EXPECT_NE(ran.output.find(R"({"message":"Missing Authentication Token"})"), std::string::npos)
        << ran.output;
}

TEST(Server, RefusesABodyThatIsTooLarge) {
    Served served;
    const auto ran = run("head -c 1048577 /dev/zero | curl -s -i --data-binary @- " + served.url +
                         "/policies/p");
    EXPECT_NE(ran.output.find("HTTP/1.1 413"), std::string::npos) << ran.output;
    EXPECT_NE(ran.output.find("x-amzn-ErrorType: InvalidRequestException"), std::string::npos);
    EXPECT_NE(ran.output.find("Expected a request body of at most 1 MiB"), std::string::npos);
}

TEST(Server, AnswersAPathThatIsNoPath) {
    Served served;
    const auto ran = run("curl -s -i '" + served.url + "/a%0Ab%zz'");
    EXPECT_NE(ran.output.find("HTTP/1.1 400"), std::string::npos) << ran.output;
    EXPECT_NE(ran.output.find("expected two hexadecimal digits after '%'"), std::string::npos);
}

TEST(Server, StopsAcceptingADisabledKeyAtOnce) {
    Served served;
    const std::string command = served.environment + "/usr/bin/aws --endpoint-url " + served.url +
                                " iot list-things --query things --output text";
    EXPECT_EQ(run(command).status, 0);
    must(served.front.store->write([](store::Tx& tx) {
        return registry::set_access_key_enabled(tx, Front::kAccessKey, false);
    }));
    const auto ran = run(command);
    EXPECT_EQ(ran.status, 254);
    EXPECT_NE(ran.output.find("UnrecognizedClientException"), std::string::npos) << ran.output;
}

TEST(Server, SpeaksPlainHttpOnLoopbackOnly) {
    Front front;
    const auto refused = Server::start(front.service, front.wrap, on_any_port("0.0.0.0"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message,
              "expected a TLS certificate for the control plane on 0.0.0.0: plain HTTP is for "
              "loopback addresses only");
}

TEST(Server, SpeaksPlainHttpElsewhereOnlyWhenTold) {
    Front front;
    Options options = on_any_port("0.0.0.0");
    options.allow_plain_http = true;
    const auto server = must(Server::start(front.service, front.wrap, std::move(options)));
    EXPECT_GT(server->port(), 0);
}

TEST(Server, SpeaksTls) {
    Front front;
    auto identity = front.server_identity();
    Options options = on_any_port();
    options.tls_certificate_chain_pem = identity.chain_pem;
    options.tls_key = identity.key;
    const auto server = must(Server::start(front.service, front.wrap, std::move(options)));
    const std::string root = front.folder.write("root.pem", front.root.certificate().pem());
    const auto ran = run("curl -s -o /dev/null -w '%{http_code}' --cacert " + root +
                         " https://localhost:" + std::to_string(server->port()) + "/things");
    EXPECT_EQ(ran.output, "403");
}

TEST(Server, SaysThatThePortIsTaken) {
    Served served;
    Options options;
    options.port = served.server->port();
    const auto second = Server::start(served.front.service, served.front.wrap, std::move(options));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::Unavailable);
    EXPECT_EQ(second.error().message,
              "cannot listen on 127.0.0.1:" + std::to_string(served.server->port()) +
                  ": the port is taken or the address is not this machine's");
}

}  // namespace
}  // namespace hatchery::api
