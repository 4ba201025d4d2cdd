// hatchery env: what a shell or a script needs to talk to the server.
#include "tools/hatchery/access_keys.h"
#include "tools/hatchery/endpoints.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"
#include "tools/hatchery/serve_lock.h"

#include <CLI/CLI.hpp>

#include <memory>

namespace hatchery::command {

namespace {

struct EnvOptions {
    DataOptions data;
    bool is_json = false;
};

Result<> run_env(const EnvOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto wrap = data->wrap_key(*passphrase);
    if (!wrap) return std::move(wrap).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    auto credentials = admin_credentials(**store, *wrap);
    if (!credentials) return std::move(credentials).error();
    auto running = running_ports(data->layout());
    if (!running) return std::move(running).error();
    const Ports ports = running->value_or(configured_ports(data->config()));
    const auto environment = environment_of(data->layout(), data->config(), ports, *credentials);
    return print(options.is_json ? to_json(environment) : to_shell(environment));
}

}  // namespace

void add_env_command(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("env", "Print what a client needs, as shell exports");
    auto options = std::make_shared<EnvOptions>();
    add_data_argument(*command, options->data);
    add_passphrase_option(*command, options->data);
    command->add_flag("--json", options->is_json, "One JSON object instead of shell exports");
    command->footer(
        "Example:\n  eval \"$(hatchery env demo)\"\n"
        "  aws --endpoint-url \"$HATCHERY_ENDPOINT\" iot list-things\n\n"
        "The ports are those of the running server, else the configured ones. The output holds a\n"
        "secret access key.");
    on_run(*command, exit_code, [options] { return run_env(*options); });
}

}  // namespace hatchery::command
