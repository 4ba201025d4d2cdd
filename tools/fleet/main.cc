// fleet: simulated devices that get their identity from a Hatchery server, and prove it.
#include "tools/fleet/device.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <random>

namespace {

using namespace hatchery::fleet;
using hatchery::Result;

constexpr int kAllAsExpected = 0;
constexpr int kNotAsExpected = 1;
constexpr int kCouldNotRun = 2;

constexpr const char* kFooter = R"(
Exit codes: 0 every device as expected, 1 some device not as expected, 2 could not run.

Example, with the environment of `hatchery env DIR`:
  fleet jitp --devices 20 --concurrency 4 --organization AnyCompany --ou Dev --dn-qualifier AnyType \
      --serial-prefix JITP- --station-cert station.pem --station-key station.key
  fleet claim --devices 20 --template FleetProvisioningTemplate --mix --serial-prefix SN- \
      --bad-serial SN-9999 --claim-cert claim.pem --claim-key claim.key
  fleet rotate --identities kept        # of devices made by: fleet jitp --keep kept …)";

/// So that two runs without --serial-prefix make different devices.
std::string random_prefix() {
    std::random_device random;
    char text[32];
    std::snprintf(text, sizeof text, "fleet-%08x-", static_cast<unsigned>(random()));
    return text;
}

enum class Kind { Jitp, Claim, Rotate };

struct Bound {
    Options options;
    std::vector<std::string> expected_refused;
    std::vector<std::string> bad_serials;
    std::string key = "p256";
    int timeout_seconds = 30;
    int patience_seconds = 300;
    bool is_csr = false;
    bool is_mix = false;
    bool has_no_subject_serial = false;
};

void add_common(CLI::App& command, Bound& bound) {
    auto& o = bound.options;
    command.add_option("--host", o.server.host, "server")
        ->envname("HATCHERY_MQTT_HOST")
        ->capture_default_str();
    command.add_option("--mqtt-port", o.server.mqtt_port, "port of the device gateway")
        ->envname("HATCHERY_MQTT_PORT")
        ->check(CLI::Range(1, 65535))
        ->capture_default_str();
    command
        .add_option("--server-ca",
                    o.server.ca_file,
                    "PEM root that signs server certificates (default: the system's)")
        ->envname("HATCHERY_SERVER_CA");
    command.add_option("--devices", o.devices, "numbered devices (default 1; 0 with --serial)")
        ->check(CLI::Range(0, 10'000'000));
    command.add_option("--concurrency", o.concurrency, "devices at once")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    command.add_option("--serial-prefix", o.serial_prefix, "of numbered devices (default random)");
    command.add_option("--serial-start", o.serial_start, "first number")
        ->check(CLI::Range(0, 1'000'000'000))
        ->capture_default_str();
    command.add_option("--serial-digits", o.serial_digits, "numbers are filled up with zeros")
        ->check(CLI::Range(1, 18))
        ->capture_default_str();
    command
        .add_option("--serial", o.serials, "a further device with this serial number; repeatable")
        ->allow_extra_args(false);
    command
        .add_option("--expect-refused",
                    bound.expected_refused,
                    "this serial number has to be refused; repeatable")
        ->allow_extra_args(false);
    command.add_option("--bad-serial", bound.bad_serials, "both: --serial S --expect-refused S")
        ->allow_extra_args(false);
    command.add_option("--key", bound.key, "key of a device that makes its own: p256, rsa2048")
        ->check(CLI::IsMember({"p256", "rsa2048"}))
        ->capture_default_str();
    command.add_option("--topic,--publish", o.topic, "topic of the message; {thing} is filled in")
        ->capture_default_str();
    command.add_option("--retries", o.retries, "after a closed connection, with back-off")
        ->check(CLI::Range(0, 100))
        ->capture_default_str();
    command.add_option("--timeout", bound.timeout_seconds, "seconds a step may take")
        ->check(CLI::Range(1, 3600))
        ->capture_default_str();
    command.add_option("--out", o.out_file, "write one JSON line a device as soon as it knows");
    command.add_flag("--json", o.is_json, "closing table as one JSON object");
}

void add_subject(CLI::App& command, Bound& bound) {
    auto& subject = bound.options.subject;
    command.add_option("--common-name", subject.common_name, "CN of the CSR")
        ->capture_default_str();
    command.add_option("--organization", subject.organization, "O of the CSR");
    command.add_option("--ou", subject.organizational_unit, "OU of the CSR");
    command.add_option("--dn-qualifier", subject.dn_qualifier, "dnQualifier of the CSR");
    command.add_flag(
        "--no-subject-serial",
        bound.has_no_subject_serial,
        "no serialNumber in the subject: the certificate's own in decimal names the thing");
}

CLI::App* add_jitp(CLI::App& app, Bound& bound) {
    auto& o = bound.options;
    auto* jitp = app.add_subcommand(
        "jitp", "CSR signed by the factory endpoint, registered on the first connect");
    add_common(*jitp, bound);
    add_subject(*jitp, bound);
    jitp->add_option("--https-port", o.server.https_port, "port of the factory endpoint")
        ->envname("HATCHERY_HTTPS_PORT")
        ->check(CLI::Range(1, 65535))
        ->capture_default_str();
    jitp->add_option("--station-cert", o.station_certificate_file, "the station's certificate, PEM")
        ->required();
    jitp->add_option("--station-key", o.station_key_file, "its key, PEM")->required();
    jitp->add_option("--client-id",
                     o.client_id,
                     "the thing name that the template gives; {serial}, {certificate-serial}")
        ->capture_default_str();
    jitp->add_option(
            "--keep", o.keep_folder, "folder for each device's key and certificates, THING.pem")
        ->check(CLI::ExistingDirectory);
    auto* bench =
        jitp->add_flag("--bench",
                       o.is_bench,
                       "sign every certificate first, then measure CONNECT to CONNACK alone");
    jitp->add_option("--power-on",
                     o.power_file,
                     "sign every certificate first; all devices connect at the same moment, once "
                     "this file is there")
        ->excludes(bench);
    return jitp;
}

CLI::App* add_claim(CLI::App& app, Bound& bound) {
    auto& o = bound.options;
    auto* claim = app.add_subcommand("claim", "registered with a claim certificate and a template");
    add_common(*claim, bound);
    add_subject(*claim, bound);
    claim->add_option("--template", o.template_name, "provisioning template")->required();
    claim->add_option("--claim-cert", o.claim_certificate_file, "claim certificate, PEM")
        ->required();
    claim->add_option("--claim-key", o.claim_key_file, "its key, PEM")->required();
    claim
        ->add_option("--claim-client-id", o.claim_client_id, "client id with the claim certificate")
        ->capture_default_str();
    auto* csr = claim->add_flag("--csr", bound.is_csr, "CreateCertificateFromCsr");
    claim->add_flag("--mix", bound.is_mix, "half CreateKeysAndCertificate, half from CSR")
        ->excludes(csr);
    return claim;
}

CLI::App* add_rotate(CLI::App& app, Bound& bound) {
    auto& o = bound.options;
    auto* rotate = app.add_subcommand(
        "rotate", "devices that have a rotation job (hatchery rotate) exchange their certificates");
    add_common(*rotate, bound);
    rotate->add_option("--identities", o.keep_folder, "folder with the devices' THING.pem (--keep)")
        ->required()
        ->check(CLI::ExistingDirectory);
    rotate
        ->add_option("--patience",
                     bound.patience_seconds,
                     "seconds until a device gives up, whatever happens to the server meanwhile")
        ->check(CLI::Range(1, 86'400))
        ->capture_default_str();
    return rotate;
}

/// What the command line means beyond its texts.
Options finish(Bound bound, const CLI::App& command) {
    Options options = std::move(bound.options);
    for (auto& serial : bound.bad_serials) {
        options.serials.push_back(serial);
        bound.expected_refused.push_back(serial);
    }
    options.expected_refused = {bound.expected_refused.begin(), bound.expected_refused.end()};
    if (command.count("--devices") == 0) options.devices = options.serials.empty() ? 1 : 0;
    if (command.count("--serial-prefix") == 0) options.serial_prefix = random_prefix();
    options.timeout = std::chrono::seconds(bound.timeout_seconds);
    options.patience = std::chrono::seconds(bound.patience_seconds);
    options.key =
        bound.key == "rsa2048" ? hatchery::ca::KeyKind::Rsa2048 : hatchery::ca::KeyKind::P256;
    options.subject.has_serial_number = !bound.has_no_subject_serial;
    options.claim = bound.is_mix ? Claim::Mix : bound.is_csr ? Claim::Csr : Claim::Keys;
    return options;
}

/// Runs the devices with a progress bar; how long they took.
std::chrono::duration<double> run_devices(const Fleet& fleet,
                                          const std::vector<std::string>& serials,
                                          Kind kind) {
    const Progress progress(fleet.report, serials.size());
    if (fleet.options.is_bench) return run_bench(fleet, serials);
    if (!fleet.options.power_file.empty()) return run_power_on(fleet, serials);
    const auto start = std::chrono::steady_clock::now();
    run_all(fleet, serials, static_cast<std::size_t>(fleet.options.concurrency), [&] {
        switch (kind) {
            case Kind::Jitp:
                return make_jitp_flow(fleet);
            case Kind::Claim:
                return make_claim_flow(fleet);
            case Kind::Rotate:
                break;
        }
        return make_rotate_flow(fleet);
    });
    return std::chrono::steady_clock::now() - start;
}

/// Of the station, or the claim certificate; a rotating device has only its own.
Result<Identity> shared_identity(const Options& options,
                                 Kind kind,
                                 const std::vector<std::string>& things) {
    if (kind == Kind::Jitp) {
        return read_identity(options.station_certificate_file, options.station_key_file);
    }
    if (kind == Kind::Claim) {
        return read_identity(options.claim_certificate_file, options.claim_key_file);
    }
    return kept_identity(options.keep_folder, things.front());
}

Result<int> run(const Options& options, Kind kind) {
    auto tls = TlsContext::make(options.server.ca_file);
    if (!tls) return std::move(tls).error();
    auto serials = kind == Kind::Rotate ? kept_things(options.keep_folder)
                                        : Result<std::vector<std::string>>(serial_numbers(options));
    if (!serials) return std::move(serials).error();
    auto identity = shared_identity(options, kind, *serials);
    if (!identity) return std::move(identity).error();
    Report report(serials->size(), options.expected_refused);
    if (!options.out_file.empty()) {
        if (auto opened = report.open(options.out_file); !opened) return std::move(opened).error();
    }
    const Fleet fleet{options, *std::move(tls), *std::move(identity), report};
    const auto summary = report.summary(run_devices(fleet, *serials, kind));
    std::printf("%s", (options.is_json ? to_json(summary) + "\n" : to_table(summary)).c_str());
    if (options.is_bench && !options.is_json) {
        std::printf("  %.1f first connects/s\n",
                    static_cast<double>(summary.provisioned) / summary.seconds);
    }
    return summary.unexpected.empty() ? kAllAsExpected : kNotAsExpected;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // a server that went away is a result, not our end
    CLI::App app("Simulated devices that get their identity from a Hatchery server, and use it.");
    app.require_subcommand(1);
    app.footer(kFooter);
    Bound bound;
    auto* jitp = add_jitp(app, bound);
    auto* claim = add_claim(app, bound);
    add_rotate(app, bound);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kAllAsExpected : kCouldNotRun;
    }
    const auto kind = jitp->parsed() ? Kind::Jitp : claim->parsed() ? Kind::Claim : Kind::Rotate;
    const CLI::App* given = app.get_subcommands().front();
    auto code = run(finish(std::move(bound), *given), kind);
    if (code) return *code;
    std::fprintf(stderr, "fleet: %s\n", to_string(code.error()).c_str());
    return kCouldNotRun;
}
