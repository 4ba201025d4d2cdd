#include "tools/hatchery/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hatchery::command {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;

/// The error of a configuration that must be refused, as a person reads it.
std::string refusal(std::string_view toml) {
    auto config = parse_config(toml, "t.toml");
    if (config) return "accepted";
    EXPECT_EQ(config.error().code, Code::InvalidRequest);
    return to_string(config.error());
}

TEST(Config, AnEmptyFileMeansTheDefaults) {
    auto config = parse_config("", "t.toml");
    ASSERT_TRUE(config);
    EXPECT_EQ(config->account.id, "123456789012");
    EXPECT_EQ(config->account.region, "us-east-1");
    EXPECT_EQ(config->server.host, "localhost");
    EXPECT_EQ(config->control_plane.host, "127.0.0.1");
    EXPECT_EQ(config->control_plane.port, 8180);
    EXPECT_FALSE(config->control_plane.tls);
    EXPECT_EQ(config->audit.webhook, "");
    EXPECT_EQ(config->files.max_megabytes, 1024U);
    EXPECT_EQ(config->files.url, "");
    EXPECT_EQ(config->mqtt.port, 8883);
    EXPECT_EQ(config->mqtt.first_connect, FirstConnect::Accept);
    EXPECT_EQ(config->https.port, 8443);
    EXPECT_EQ(config->broker.upstream, "");
    EXPECT_EQ(config->provisioning.device_key, ca::KeyKind::Rsa2048);
    EXPECT_EQ(config->provisioning.ownership_token_lifetime, seconds(3600));
    EXPECT_EQ(config->log.format, LogFormat::Text);
    EXPECT_TRUE(config->hooks.empty());
}

TEST(Config, RefusesWhatTheTomlReaderDoesNotSurvive) {
    static constexpr std::string_view expected =
        ": expected TOML 1.0, brackets at most 32 deep, keys of at most 16 dots";
    EXPECT_EQ(refusal("[mqtt]\nport = 1\n\xc3\xa9 = 2\n"), "t.toml:3:1" + std::string(expected));
    std::string deep = "a";
    for (int i = 0; i < 500'000; ++i)
        deep += ".a";
    EXPECT_EQ(refusal(deep + " = 1\n"), "t.toml:1:34" + std::string(expected));
}

TEST(Config, ReadsEveryKey) {
    auto config = parse_config(R"(
[account]
id = "000000000042"
region = "eu-central-1"
[server]
host = "factory.example"
[control_plane]
host = "0.0.0.0"
port = 1
tls = true
[mqtt]
host = "10.0.0.1"
port = 2
first_connect = "close"
max_packet_bytes = 131072
[https]
host = "::"
port = 3
[broker]
upstream = "broker.example:1883"
executable = "/opt/mosquitto"
[provisioning]
serial_number_source = "subject"
device_key = "p256"
ownership_token_lifetime = "15m"
[audit]
webhook = "https://ops.example/audits"
[files]
max_megabytes = 7
url = "https://files.example:444"
[log]
level = "debug"
format = "json"
)",
                               "t.toml");
    ASSERT_TRUE(config) << to_string(config.error());
    EXPECT_EQ(config->account.id, "000000000042");
    EXPECT_EQ(config->account.region, "eu-central-1");
    EXPECT_EQ(config->server.host, "factory.example");
    EXPECT_EQ(config->control_plane.host, "0.0.0.0");
    EXPECT_EQ(config->audit.webhook, "https://ops.example/audits");
    EXPECT_EQ(config->files.max_megabytes, 7U);
    EXPECT_EQ(config->files.url, "https://files.example:444");
    EXPECT_EQ(config->control_plane.port, 1);
    EXPECT_TRUE(config->control_plane.tls);
    EXPECT_EQ(config->mqtt.host, "10.0.0.1");
    EXPECT_EQ(config->mqtt.port, 2);
    EXPECT_EQ(config->mqtt.first_connect, FirstConnect::Close);
    EXPECT_EQ(config->mqtt.max_packet_bytes, 131072U);
    EXPECT_EQ(config->https.host, "::");
    EXPECT_EQ(config->https.port, 3);
    EXPECT_EQ(config->broker.upstream, "broker.example:1883");
    EXPECT_EQ(config->broker.executable, "/opt/mosquitto");
    EXPECT_EQ(config->provisioning.serial_number_source, templates::SerialNumberSource::Subject);
    EXPECT_EQ(config->provisioning.device_key, ca::KeyKind::P256);
    EXPECT_EQ(config->provisioning.ownership_token_lifetime, seconds(900));
    EXPECT_EQ(config->log.level, "debug");
    EXPECT_EQ(config->log.format, LogFormat::Json);
}

TEST(Config, ReadsWhatTopicRulesReach) {
    auto config = parse_config(R"(
[rules]
folder = "out"
attempts = 7
s3_endpoint = "https://s3.example"
s3_region = "eu-west-3"
s3_access_key_id = "AKIDEXAMPLE"
s3_secret_file = "secret.txt"
s3_ca_file = "ca.pem"
smtp_host = "mail.example"
smtp_port = 2525
mail_from = "hatchery@example.com"
mail = { topic = "a@example.com, b@example.com" }
)",
                               "t.toml");
    ASSERT_TRUE(config) << to_string(config.error());
    EXPECT_EQ(config->rules.folder, "out");
    EXPECT_EQ(config->rules.attempts, 7);
    EXPECT_EQ(config->rules.s3_endpoint, "https://s3.example");
    EXPECT_EQ(config->rules.s3_region, "eu-west-3");
    EXPECT_EQ(config->rules.s3_access_key_id, "AKIDEXAMPLE");
    EXPECT_EQ(config->rules.s3_secret_file, "secret.txt");
    EXPECT_EQ(config->rules.s3_ca_file, "ca.pem");
    EXPECT_EQ(config->rules.smtp_host, "mail.example");
    EXPECT_EQ(config->rules.smtp_port, 2525);
    EXPECT_EQ(config->rules.mail_from, "hatchery@example.com");
    EXPECT_EQ(config->rules.mail.at("topic"), "a@example.com, b@example.com");
}

TEST(Config, ReadsTheKeysOfEveryKindOfHook) {
    auto config = parse_config(R"(
[hooks.A]
kind = "lambda"
handler = "h.py:handler"
interpreter = "python3.11"
environment = { STAGE = "test" }
queue = 5
[hooks.B]
kind = "http"
url = "https://h/"
ca_file = "ca"
bearer_file = "b"
hmac_file = "m"
[hooks.C]
kind = "library"
library = "x.so"
configuration = "123"
[hooks.D]
kind = "chain"
hooks = ["A", "B"]
[hooks.E]
kind = "allow-list"
list = "factory"
single_use = false
[hooks.F]
kind = "rules"
rules = "rules.toml"
)",
                               "t.toml");
    ASSERT_TRUE(config) << to_string(config.error());
    ASSERT_EQ(config->hooks.size(), 6U);
    EXPECT_EQ(config->hooks[0].handler, "h.py:handler");
    EXPECT_EQ(config->hooks[0].interpreter, "python3.11");
    EXPECT_EQ(config->hooks[0].environment.at("STAGE"), "test");
    EXPECT_EQ(config->hooks[0].queue, 5);
    EXPECT_EQ(config->hooks[1].url, "https://h/");
    EXPECT_EQ(config->hooks[1].ca_file, "ca");
    EXPECT_EQ(config->hooks[1].bearer_file, "b");
    EXPECT_EQ(config->hooks[1].hmac_file, "m");
    EXPECT_EQ(config->hooks[2].library, "x.so");
    EXPECT_EQ(config->hooks[2].configuration, "123");
    EXPECT_THAT(config->hooks[3].hooks, ElementsAre("A", "B"));
    EXPECT_EQ(config->hooks[4].list, "factory");
    EXPECT_FALSE(config->hooks[4].single_use);
    EXPECT_EQ(config->hooks[5].rules, "rules.toml");
}

TEST(Config, ReadsHooksOfBothKinds) {
    auto config = parse_config(R"(
[hooks.A]
kind = "allow-list"
parameter = "Serial"
serial_numbers = ["1", "2"]
prefixes = ["SN-"]
file = "list.txt"
[hooks.B]
kind = "command"
command = ["python3", "hook.py"]
workers = 7
timeout_ms = 250
)",
                               "t.toml");
    ASSERT_TRUE(config) << to_string(config.error());
    ASSERT_EQ(config->hooks.size(), 2U);
    const auto& list = config->hooks[0];
    EXPECT_EQ(list.name, "A");
    EXPECT_EQ(list.kind, "allow-list");
    EXPECT_EQ(list.parameter, "Serial");
    EXPECT_THAT(list.serial_numbers, ElementsAre("1", "2"));
    EXPECT_THAT(list.prefixes, ElementsAre("SN-"));
    EXPECT_EQ(list.file, "list.txt");
    const auto& command = config->hooks[1];
    EXPECT_EQ(command.name, "B");
    EXPECT_EQ(command.kind, "command");
    EXPECT_THAT(command.command, ElementsAre("python3", "hook.py"));
    EXPECT_EQ(command.workers, 7);
    EXPECT_EQ(command.timeout, std::chrono::milliseconds(250));
}

TEST(Config, RefusesWhatIsWrongAndSaysWhere) {
    const struct {
        const char* toml;
        const char* message;
    } cases[] = {
        {"[account]\nidd = \"1\"\n",
         "t.toml:2:1: unknown key \"idd\" in [account], expected one of id, region"},
        {"[mqtts]\n",
         "t.toml:1:2: unknown key \"mqtts\", expected one of account, server, control_plane, mqtt, "
         "limits, https, status, broker, provisioning, bulk, files, audit, log, rules, hooks"},
        {"port = 1\n",
         "t.toml:1:1: unknown key \"port\", expected one of account, server, control_plane, mqtt, "
         "limits, https, status, broker, provisioning, bulk, files, audit, log, rules, hooks"},
        {"[files]\nurl = \"https://files.example/\"\n",
         "t.toml:2:7: url: expected https://HOST or https://HOST:PORT"},
        {"mqtt = 1\n", "t.toml:1:8: mqtt: expected a table, found an integer"},
        {"[account]\nid = 123456789012\n", "t.toml:2:6: id: expected a string, found an integer"},
        {"[account]\nid = \"12345\"\n", "t.toml:2:6: id: expected 12 digits, found \"12345\""},
        {"[account]\nregion = \"mars east\"\n",
         "t.toml:2:10: region: expected a region such as us-east-1, found \"mars east\""},
        {"[mqtt]\nport = 65536\n", "t.toml:2:8: port: expected 0 to 65535, found 65536"},
        {"[mqtt]\nport = \"8883\"\n", "t.toml:2:8: port: expected an integer, found a string"},
        {"[mqtt]\nfirst_connect = \"maybe\"\n",
         "t.toml:2:17: first_connect: expected one of accept, close, found \"maybe\""},
        {"[mqtt]\nfirst_connect = \"\"\n",
         "t.toml:2:17: first_connect: expected one of accept, close, found \"\""},
        {"[mqtt]\nfirst_connect = true\n",
         "t.toml:2:17: first_connect: expected a string, found a boolean"},
        {"[control_plane]\ntls = \"yes\"\n",
         "t.toml:2:7: tls: expected true or false, found a string"},
        {"[control_plane]\nhost = \"0.0.0.0\"\n",
         "t.toml:2:8: host: expected a loopback address while tls = false, found \"0.0.0.0\"; set "
         "tls = true to serve other machines"},
        {"[https]\nhost = \"a b\"\n",
         "t.toml:2:8: host: expected a host name or an IP address, found \"a b\""},
        {"[broker]\nupstream = \"broker.example\"\n",
         "t.toml:2:12: upstream: expected \"\", \"HOST:PORT\" or \"unix:PATH\", found "
         "\"broker.example\""},
        {"[broker]\nupstream = \"broker.example:0\"\n",
         "t.toml:2:12: upstream: expected \"\", \"HOST:PORT\" or \"unix:PATH\", found "
         "\"broker.example:0\""},
        {"[provisioning]\nownership_token_lifetime = \"1 hour\"\n",
         "t.toml:2:28: ownership_token_lifetime: expected a duration such as 90s, 15m, 1h or 7d "
         "(366d at most), found \"1 hour\""},
        {"[rules]\nmail_from = \"nobody\"\n",
         "t.toml:2:13: mail_from: expected e-mail addresses, found \"nobody\""},
        {"[rules]\nmail = { t = \"<a@b>\" }\n",
         "t.toml:2:8: mail.t: expected e-mail addresses, found \"<a@b>\""},
        {"[hooks]\nA = 1\n", "t.toml:2:5: hooks.A: expected a table, found an integer"},
        {"[hooks.A]\nworkers = 2\n",
         "t.toml:1:1: [hooks.A]: expected kind = \"allow-list\", \"rules\", \"command\", "
         "\"lambda\", "
         "\"http\", \"library\" or \"chain\""},
        {"[hooks.A]\nkind = \"command\"\ncommand = \"x\"\n",
         "t.toml:3:11: command: expected an array of strings, found a string"},
        {"[hooks.A]\nkind = \"command\"\ncommand = [\"x\", 1]\n",
         "t.toml:3:17: command: expected strings only, found an integer"},
        {"[hooks.A]\nkind = \"command\"\ntimeout_ms = 5001\n",
         "t.toml:3:14: timeout_ms: expected 1 to 5000, found 5001"},
        {"[hooks.A]\nkind = \"command\"\nretries = 1\n",
         "t.toml:3:1: unknown key \"retries\" in [hooks.A], expected one of kind, parameter, "
         "serial_numbers, prefixes, file, list, single_use, rules, command, handler, interpreter, "
         "environment, url, ca_file, bearer_file, hmac_file, library, configuration, hooks, "
         "workers, queue, timeout_ms"},
    };
    for (const auto& c : cases)
        EXPECT_EQ(refusal(c.toml), c.message) << c.toml;
}

TEST(Config, RefusesWhatIsNoToml) {
    EXPECT_THAT(refusal("[account\nid = 1"), ::testing::StartsWith("t.toml:1:9: "));
    EXPECT_THAT(refusal("[log]\nlevel = \"info\"\nlevel = \"info\"\n"),
                ::testing::StartsWith("t.toml:3:"));
}

TEST(Config, TheWrittenFileReadsBackAsItself) {
    Config config;
    config.account = {"000000000042", "eu-west-1"};
    config.server.host = "factory.example";
    config.control_plane = {"0.0.0.0", 1, true};
    config.mqtt = {"10.0.0.1", 2, FirstConnect::Close, 4096, 443};
    config.limits = {1, 2, 3, 4, 5, 4096, seconds(7), seconds(8), 9, 10};
    config.https = {"10.0.0.2", 3};
    config.broker = {"unix:/run/a \"b\"\\c", "mosquitto2"};
    config.provisioning = {
        templates::SerialNumberSource::Certificate, ca::KeyKind::P256, seconds(61)};
    config.buckets = {{"factory", "in \"quotes\""}, {"other.bucket", "/srv"}};
    config.log = {"warning", LogFormat::Json};
    const std::string text = render_config(config);
    auto read = parse_config(text, "t.toml");
    ASSERT_TRUE(read) << to_string(read.error());
    EXPECT_EQ(render_config(*read), text);
    EXPECT_EQ(read->broker.upstream, config.broker.upstream);
    EXPECT_EQ(read->buckets, config.buckets);
    EXPECT_EQ(read->mqtt.first_connect, FirstConnect::Close);
    EXPECT_EQ(read->provisioning.serial_number_source, templates::SerialNumberSource::Certificate);
}

/// Every key stands in the written file, each below a comment of its own or its neighbour's.
TEST(Config, TheWrittenFileShowsEveryKey) {
    const std::string text = render_config(Config{});
    for (const auto* key : {"\nid = ",
                            "\nregion = ",
                            "\nhost = ",
                            "\nport = ",
                            "\ntls = ",
                            "\nupstream = ",
                            "\nfirst_connect = ",
                            "\nmax_packet_bytes = ",
                            "\nexecutable = ",
                            "\nlevel = ",
                            "\nformat = ",
                            "\nserial_number_source = ",
                            "\ndevice_key = ",
                            "\nownership_token_lifetime = ",
                            "\nbuckets = ",
                            "\n# kind = ",
                            "\n# parameter = ",
                            "\n# serial_numbers = ",
                            "\n# prefixes = ",
                            "\n# file = ",
                            "\n# command = ",
                            "\n# workers = ",
                            "\n# timeout_ms = "}) {
        EXPECT_THAT(text, ::testing::HasSubstr(key));
    }
}

/// A user takes the `#` off the example: what is left must be right.
/// The example of the written file that starts with `first`, as if its # had been taken away.
std::string written_example(std::string_view first) {
    std::string text = render_config(Config{});
    text.erase(0, text.find(first));
    std::string example;
    for (std::size_t at = 0; at < text.size() && text[at] == '#';) {
        const std::size_t end = text.find('\n', at);
        const std::string line = text.substr(at, end - at);
        example += line.starts_with("# ") ? line.substr(2) : line.substr(1);
        example += "\n";
        at = end + 1;
    }
    return example;
}

TEST(Config, TheRulesExampleOfTheWrittenFileIsValid) {
    auto config = parse_config(written_example("# [rules]"), "t.toml");
    ASSERT_TRUE(config) << to_string(config.error());
    EXPECT_EQ(config->rules.s3_endpoint, "https://s3.example.com");
    EXPECT_EQ(config->rules.mail.at("iot-webinar-sns-topic"), "me@example.com");
}

TEST(Config, TheHookExampleOfTheWrittenFileIsValid) {
    auto config = parse_config(written_example("# [hooks."), "t.toml");
    ASSERT_TRUE(config) << to_string(config.error());
    ASSERT_EQ(config->hooks.size(), 2U);
    EXPECT_EQ(config->hooks[0].name, "AnotherHook");
    EXPECT_EQ(config->hooks[1].name, "FleetProvisioningHook");
}

TEST(Config, KnowsLoopbackAddresses) {
    for (const auto* host : {"127.0.0.1", "127.1.2.3", "::1", "localhost"})
        EXPECT_TRUE(is_loopback(host)) << host;
    for (const auto* host :
         {"0.0.0.0", "::", "10.0.0.1", "127.example.org", "127.0.0.1.example.org", "128.0.0.1", ""})
        EXPECT_FALSE(is_loopback(host)) << host;
}

TEST(Config, ReadsDurations) {
    EXPECT_EQ(parse_duration("90s").value(), seconds(90));
    EXPECT_EQ(parse_duration("15m").value(), seconds(900));
    EXPECT_EQ(parse_duration("1h").value(), seconds(3600));
    EXPECT_EQ(parse_duration("366d").value(), seconds(366 * 86400));
    for (const auto* text : {"",
                             "1",
                             "h",
                             "0s",
                             "-1s",
                             "1w",
                             "1h30m",
                             "367d",
                             "99999999999999999999s",
                             "9223372036854775807d",
                             " 1s",
                             "1 s"})
        EXPECT_FALSE(parse_duration(text)) << text;
}

}  // namespace
}  // namespace hatchery::command
