// hatchery init: a data directory from nothing, whole or not at all.
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/initialise.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"

#include <CLI/CLI.hpp>

#include <memory>

namespace hatchery::command {

namespace {

struct InitOptions {
    DataOptions data;
    InitChoices choices;
    std::string key_kind = "p256";
    bool is_json = false;
};

std::string next_steps(const Layout& layout) {
    const std::string folder = shell_word(layout.root.string());
    return "Made " + folder +
           ":\n"
           "  hatchery.toml     the configuration, every key explained\n"
           "  ca/root.crt       the root that clients and devices trust; put ca/root.key away\n"
           "  ca/issuing.crt    the CA that signs devices\n"
           "  profiles/         what may be in a certificate\n"
           "Private keys are encrypted with the passphrase; there is no way to get at them without "
           "it.\n\n"
           "Next:\n"
           "  hatchery serve " +
           folder +
           "\n"
           "  eval \"$(hatchery env " +
           folder +
           ")\"      # in another shell\n"
           "  aws --endpoint-url \"$HATCHERY_ENDPOINT\" iot list-things\n"
           "  hatchery sign --data " +
           folder + " --profile device --csr device.csr\n";
}

Result<> run_init(InitOptions& options) {
    auto kind = ca::parse_key_kind(options.key_kind);
    if (!kind) {
        Error error = std::move(kind).error();
        error.where = "--key-kind";
        return error;
    }
    options.choices.key_kind = *kind;
    if (auto checked = check_choices(options.choices); !checked) return checked;
    // Before the passphrase is asked for, and again when the directory moves into place.
    if (auto free = check_can_initialise(options.data.directory); !free) return free;
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Choose);
    if (!passphrase) return std::move(passphrase).error();
    auto made = initialise(options.data.directory, options.choices, *passphrase, clock_now());
    if (!made) return std::move(made).error();
    if (!options.is_json) return print(next_steps(made->layout));
    return print(to_json(environment_of(
        made->layout, made->config, configured_ports(made->config), made->credentials)));
}

}  // namespace

void add_init_command(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("init", "Make a data directory: CAs, keys, configuration");
    auto options = std::make_shared<InitOptions>();
    command->add_option("DIR", options->data.directory, "Directory to make; new or empty")
        ->required();
    command->add_option("--name",
                        options->choices.names,
                        "Name or address of this server; may be repeated, the first is the one "
                        "that clients are told (default: localhost, 127.0.0.1, the host's name)");
    command->add_option(
        "--account", options->choices.account.id, "Account in ARNs (default: 123456789012)");
    command->add_option(
        "--region", options->choices.account.region, "Region in ARNs (default: us-east-1)");
    command->add_option("--key-kind",
                        options->key_kind,
                        "Keys of the CAs and the server: rsa2048, rsa3072, rsa4096, p256, p384, "
                        "ed25519 (default: p256)");
    command->add_flag("--json", options->is_json, "Print what clients need, as one JSON object");
    add_passphrase_option(*command, options->data);
    command->footer(
        "Example:\n  HATCHERY_PASSPHRASE=... hatchery init demo --name factory.example --name "
        "192.0.2.10\n\n"
        "Never overwrites: DIR must be new or empty. With --json the output holds a secret access\n"
        "key.");
    on_run(*command, exit_code, [options] { return run_init(*options); });
}

}  // namespace hatchery::command
