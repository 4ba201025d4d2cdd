// hatchery.toml: what a data directory's server is. Read once at start; every key is documented
// where `init` writes it (render_config), unknown keys are refused.
#pragma once

#include "ca/key.h"
#include "hooks/hook.h"
#include "provisioning/registry/account.h"
#include "templates/template.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::command {

enum class FirstConnect { Accept, Close };
enum class LogFormat { Text, Json };

/// A valid configuration; the defaults are those of an empty file.
struct Config {
    registry::Account account;

    struct Server {
        std::string host = "localhost";  ///< the name by which devices and clients reach us
    } server;

    struct ControlPlane {
        std::string host = "127.0.0.1";
        int port = 8180;
        bool tls = false;
        bool plain_http = false;  ///< allowed on addresses that others reach
    } control_plane;

    struct Mqtt {
        std::string host = "0.0.0.0";
        int port = 8883;
        FirstConnect first_connect = FirstConnect::Accept;
        std::size_t max_packet_bytes = 256 * 1024;
        int alpn_port = 0;  ///< a second port for devices that name x-amzn-mqtt-ca; 0: none
    } mqtt;

    /// Of the device gateway; what each means stands where `init` writes it.
    struct Limits {
        std::size_t subscriptions = 50;
        std::size_t filters_a_packet = 8;
        std::size_t topic_bytes = 256;
        std::size_t topic_levels = 8;
        std::size_t inflight = 100;
        std::size_t buffered_bytes = 256 * 1024;
        std::chrono::seconds stall{30};
        std::chrono::seconds connect{10};
        std::size_t unauthenticated = 20'000;
        int connects_a_second = 0;
    } limits;

    struct Https {
        std::string host = "0.0.0.0";
        int port = 8443;
    } https;

    /// Plain HTTP: revocation lists, OCSP, CA certificates.
    struct Status {
        std::string host = "0.0.0.0";
        int port = 8181;
        std::string url;  ///< its base URL in certificates; empty: http://SERVER.HOST:PORT
        std::chrono::seconds crl_lifetime = std::chrono::days(7);
    } status;

    struct Broker {
        std::string upstream;  ///< empty: a mosquitto of our own
        std::string executable = "mosquitto";
    } broker;

    struct Provisioning {
        templates::SerialNumberSource serial_number_source = templates::SerialNumberSource::Auto;
        ca::KeyKind device_key = ca::KeyKind::Rsa2048;
        std::chrono::seconds ownership_token_lifetime{3600};
        std::string escrow{};  ///< file of whom the keys made here are kept for; empty: nobody
    } provisioning;

    /// Kept for devices, served by the front `https`.
    struct Files {
        std::uint64_t max_megabytes = 1024;  ///< of one file
        std::string url;  ///< how links begin; empty: https://SERVER.HOST:HTTPS.PORT
    } files;

    /// Folders of input files of bulk registrations, by the name of the bucket that they stand for;
    /// relative to the data directory.
    std::map<std::string, std::string> buckets;
    int keep_registrations_days = 90;  ///< what bulk registrations that are over leave

    struct Audit {
        std::string webhook;  ///< http(s) URL that a finished audit is POSTed to; empty: none
    } audit;

    struct Log {
        std::string level = "info";
        LogFormat format = LogFormat::Text;
    } log;

    std::vector<hooks::HookConfig> hooks;

    /// What the actions of topic rules reach; docs/rules.md.
    struct Rules {
        std::string folder = "rules";
        int attempts = 5;
        std::string s3_endpoint, s3_access_key_id, s3_secret_file, s3_ca_file;
        std::string s3_region = "us-east-1";
        std::string smtp_host;
        int smtp_port = 25;
        std::string mail_from = "hatchery@localhost";
        std::map<std::string, std::string> mail;  ///< SNS topic -> addresses, by commas
    } rules;
};

/// @param source  the file's name, for messages
/// @errors InvalidRequest  no TOML, an unknown key, a wrong type or value, or plain HTTP on an
/// address that others reach; `where` = "source:line:column"
Result<Config> parse_config(std::string_view toml, std::string_view source);

/// `config` as a commented hatchery.toml that parse_config reads back; hooks are shown as examples
/// only.
std::string render_config(const Config& config);

/// The base URL that certificates name for CRLs and OCSP, without a slash at the end.
std::string status_url(const Config& config);

/// Is `host` an address that only this machine reaches (127.0.0.0/8, ::1, localhost)?
bool is_loopback(std::string_view host);

/// What may stand in [account] and as a host. @errors InvalidRequest  without `where`
Result<> check_account_id(std::string_view id);
Result<> check_region(std::string_view region);
Result<> check_host(std::string_view host);

/// "90s", "15m", "1h", "7d". @errors InvalidRequest  another form, zero, or over 366 days
Result<std::chrono::seconds> parse_duration(std::string_view text);

}  // namespace hatchery::command
