// The commented hatchery.toml that `init` writes: the reference of every key.
#include "tools/hatchery/config.h"

namespace hatchery::command {

namespace {

/// A TOML basic string.
std::string quoted_toml(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string serial_number_source_name(templates::SerialNumberSource source) {
    switch (source) {
        case templates::SerialNumberSource::Auto:
            return "auto";
        case templates::SerialNumberSource::Certificate:
            return "certificate";
        case templates::SerialNumberSource::Subject:
            return "subject";
    }
    return "auto";
}

std::string identity_sections(const Config& config) {
    return R"(# hatchery.toml: how `hatchery serve` runs on this data directory.
# Read once at start. Every key stands here with its value; a key left out has its default, and an
# unknown key is an error. Durations are written 90s, 15m, 1h or 7d.

[account]
# The 12-digit account number and the region that every ARN carries and that clients sign for.
# Policies and devices' settings repeat them: choose them before the first device.
id = )" + quoted_toml(config.account.id) +
           "\nregion = " + quoted_toml(config.account.region) + R"(

[server]
# The name (or address) by which devices and clients reach this server: in `hatchery env`, and in
# the answer of `aws iot describe-endpoint`. It must be one of the names in server/server.crt.
host = )" + quoted_toml(config.server.host) +
           "\n";
}

std::string limits_section(const Config::Limits& limits) {
    const auto seconds = [](std::chrono::seconds time) {
        return "\"" + std::to_string(time.count()) + "s\"";
    };
    return R"(

[limits]
# Of one connection of the gateway; AWS IoT's own quotas.
subscriptions = )" +
           std::to_string(limits.subscriptions) +
           "\nfilters_a_packet = " + std::to_string(limits.filters_a_packet) +
           "\ntopic_bytes = " + std::to_string(limits.topic_bytes) +
           "\ntopic_levels = " + std::to_string(limits.topic_levels) + R"(
# QoS 1 messages that the broker has not acknowledged; then the device is not read.
inflight = )" +
           std::to_string(limits.inflight) + R"(
# What a device has not read yet; then the broker is not read, and after `stall` it is closed.
buffered_bytes = )" +
           std::to_string(limits.buffered_bytes) + "\nstall = " + seconds(limits.stall) + R"(
# From the TCP connection to the CONNECT packet.
connect = )" +
           seconds(limits.connect) + R"(
# Connections that have not got so far; then no other is accepted until one has.
unauthenticated = )" +
           std::to_string(limits.unauthenticated) + R"(
# TCP connections of one address; others are closed at once. 0: any number.
connects_a_second = )" +
           std::to_string(limits.connects_a_second) + "\n";
}

std::string front_sections(const Config& config) {
    const auto& control_plane = config.control_plane;
    const bool accepts = config.mqtt.first_connect == FirstConnect::Accept;
    return R"(
[control_plane]
# AWS IoT's REST interface, for the AWS CLI and SDKs (SigV4). port = 0 takes any free port.
host = )" + quoted_toml(control_plane.host) +
           "\nport = " + std::to_string(control_plane.port) + R"(
# false: plain HTTP, allowed on a loopback address only. true: HTTPS with server/server.crt.
tls = )" + (control_plane.tls ? "true" : "false") +
           R"(
# true: plain HTTP on any address, behind a proxy that ends TLS. Keys that the server makes cross
# the network in the clear.
plain_http = )" +
           (control_plane.plain_http ? "true" : "false") +
           R"(

[mqtt]
# The device gateway: MQTT over mutual TLS. port = 0 takes any free port.
host = )" + quoted_toml(config.mqtt.host) +
           "\nport = " + std::to_string(config.mqtt.port) + R"(
# What happens to the connection that provisions a device: "accept" goes on with it, "close" drops
# it once the device is provisioned, as AWS IoT does, so that the device has to come again.
first_connect = )" +
           (accepts ? "\"accept\"" : "\"close\"") + R"(
# A longer packet closes the connection. AWS IoT's limit of a payload is 131072.
max_packet_bytes = )" +
           std::to_string(config.mqtt.max_packet_bytes) + R"(
# A second port, for devices that name the protocol x-amzn-mqtt-ca in the TLS handshake (ALPN), as
# AWS IoT has it on 443. 0: none.
alpn_port = )" +
           std::to_string(config.mqtt.alpn_port) + limits_section(config.limits) + R"(
[https]
# HTTPS for factory stations, by client certificate (see `hatchery station`).
host = )" + quoted_toml(config.https.host) +
           "\nport = " + std::to_string(config.https.port) + R"(

[status]
# Plain HTTP for anybody: revocation lists (/crl/), OCSP (/ocsp) and CA certificates (/ca/).
host = )" + quoted_toml(config.status.host) +
           "\nport = " + std::to_string(config.status.port) + R"(
# The base URL that profiles put into certificates for {status_url}: it must be reachable as long as
# the certificates live, and cannot be changed in them. "" = http://SERVER.HOST:PORT of above.
url = )" + quoted_toml(config.status.url) +
           R"(
# nextUpdate - thisUpdate of a revocation list. A new one is published after a quarter of it, and
# within a second of every revocation.
crl_lifetime = ")" +
           std::to_string(config.status.crl_lifetime.count()) + "s\"\n";
}

std::string inner_sections(const Config& config) {
    const bool is_rsa = config.provisioning.device_key == ca::KeyKind::Rsa2048;
    return R"(
[broker]
# The MQTT broker that carries the messages. "" starts a mosquitto of our own on a private socket;
# "HOST:PORT" or "unix:PATH" uses one that runs already and accepts connections from here.
upstream = )" +
           quoted_toml(config.broker.upstream) + R"(
# The mosquitto of our own: a path, or a name looked up in PATH and /usr/sbin.
executable = )" +
           quoted_toml(config.broker.executable) + R"(

[provisioning]
# What AWS::IoT::Certificate::SerialNumber gives a template: "certificate" = the certificate's
# serial number in decimal, "subject" = the subject's serialNumber attribute, "auto" = the subject's
# if there is one, else the certificate's.
serial_number_source = )" +
           quoted_toml(serial_number_source_name(config.provisioning.serial_number_source)) + R"(
# Keys that CreateKeysAndCertificate makes for a device: "rsa2048" as AWS IoT does, or "p256", which
# takes much less work to make.
device_key = )" +
           (is_rsa ? "\"rsa2048\"" : "\"p256\"") + R"(
# How long a device may take between its new certificate and RegisterThing.
ownership_token_lifetime = ")" +
           std::to_string(config.provisioning.ownership_token_lifetime.count()) + R"(s"
# Escrow: a file with a certificate or public key, PEM. Every private key that this service makes for
# a device is kept, encrypted so that only the holder of its private key can read it
# (`hatchery thing key`). "": keys are handed out once and not kept.
escrow = )" +
           quoted_toml(config.provisioning.escrow) + R"(

[audit]
# An http or https URL: every finished audit is POSTed to it as JSON. "": none.
webhook = )" +
           quoted_toml(config.audit.webhook) + R"(

[log]
# Lines on standard error, one an event. level: "debug", "info", "warning" or "error".
level = )" +
           quoted_toml(config.log.level) +
           R"(
# "text" for people, "json" for collectors.
format = )" +
           (config.log.format == LogFormat::Text ? "\"text\"" : "\"json\"") + "\n";
}

std::string files_section(const Config& config) {
    return R"(
[files]
# Of one file of `hatchery file put`.
max_megabytes = )" +
           std::to_string(config.files.max_megabytes) + R"(
# How devices reach them, if not by the server's name and the port of [https]: behind a load
# balancer, say. "https://HOST" or "https://HOST:PORT".
url = )" + quoted_toml(config.files.url) +
           "\n";
}

std::string bulk_section(const Config& config) {
    std::string text = R"(
[bulk]
# Folders of input files for StartThingRegistrationTask, by the name that inputFileBucket gives them;
# a relative path starts in this folder. For example: buckets = { factory = "/srv/factory" }
buckets = {)";
    for (const auto& [name, folder] : config.buckets) {
        text += text.back() == '{' ? " " : ", ";
        text += quoted_toml(name) + " = " + quoted_toml(folder);
    }
    return text + (config.buckets.empty() ? "}\n" : " }\n") +
           "# How long tasks that are over stay, with their reports and what each line became.\n"
           "keep_days = " +
           std::to_string(config.keep_registrations_days) + "\n";
}

constexpr std::string_view kHookSection = R"(
# Pre-provisioning hooks: may this device register? A template names one by its function's ARN
# (arn:aws:lambda:REGION:ACCOUNT:function:FleetProvisioningHook is [hooks.FleetProvisioningHook]) or
# by its bare name. Whatever goes wrong in a hook refuses the device. There are more kinds
# (lambda, http, library, rules, chain: see docs/hooks.md). For example:
#
# [hooks.FleetProvisioningHook]
# kind = "allow-list"               # decided by a list, in this process
# parameter = "SerialNumber"        # the template parameter that is looked up
# serial_numbers = ["SN-0001"]      # allowed values
# prefixes = ["SN-2026-"]           # or allowed beginnings of it
# file = "serial-numbers.txt"       # or a file in this folder, one value a line, # for comments
# # list = "factory"                # instead of the three: a list of `hatchery allow`, single-use
#
# [hooks.AnotherHook]
# kind = "command"                  # long-lived programs that answer one JSON document a line
# command = ["/usr/bin/python3", "/path/to/worker.py"]
# workers = 2                       # how many run at once
# queue = 1000                      # how many devices may wait for one
# timeout_ms = 5000                 # at most 5000, AWS's limit
)";

constexpr std::string_view kRulesSection = R"(
# What the actions of topic rules reach (docs/rules.md). For example:
#
# [rules]
# folder = "rules"                  # where cloudwatchLogs actions append, in this folder
# attempts = 5                      # then a rule's errorAction
# s3_endpoint = "https://s3.example.com"
# s3_access_key_id = "AKIDEXAMPLE"
# s3_secret_file = "s3-secret.txt"  # the secret access key on its first line
# smtp_host = "127.0.0.1"           # a relay that needs neither TLS nor a login
# mail_from = "hatchery@example.com"
# mail = { iot-webinar-sns-topic = "me@example.com" }  # who gets what sns actions send
)";

}  // namespace

std::string render_config(const Config& config) {
    return identity_sections(config) + front_sections(config) + inner_sections(config) +
           files_section(config) + bulk_section(config) + std::string(kHookSection) +
           std::string(kRulesSection);
}

}  // namespace hatchery::command
