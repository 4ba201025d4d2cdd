// The `hatchery` command. Each subcommand lives in its own file, NAME_command.cc.
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/template_command.h"

#include <CLI/CLI.hpp>
#include <sys/prctl.h>

#include <exception>
#include <string>

namespace {

namespace command = hatchery::command;

/// Help goes to stdout with 0; anything that CLI11 could not parse is one line on stderr with 2.
int answer_parse_error(CLI::App& app, const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::string name = app.get_name();
    for (const CLI::App* sub = &app; !sub->get_subcommands().empty();) {
        sub = sub->get_subcommands().front();
        name += " " + sub->get_name();
    }
    return command::report(hatchery::fail(hatchery::Code::Unavailable,
                                          std::string(error.what()) + "; see " + name + " --help"));
}

int run(int argc, char** argv) {
    CLI::App app{
        "Certificates for devices, and their registration: a private certificate authority and\n"
        "AWS IoT's provisioning interfaces in one process",
        "hatchery"};
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("hatchery ") + HATCHERY_VERSION);
    app.footer(
        "Example:\n  hatchery init demo && hatchery serve demo\n\n"
        "Exit codes: 0 done, 1 refused, 2 could not run.");
    int exit_code = command::kDone;
    command::add_init_command(app, exit_code);
    command::add_serve_command(app, exit_code);
    command::add_status_command(app, exit_code);
    command::add_env_command(app, exit_code);
    command::add_sign_command(app, exit_code);
    command::add_register_command(app, exit_code);
    command::add_station_command(app, exit_code);
    command::add_key_command(app, exit_code);
    command::add_policy_command(app, exit_code);
    command::add_profile_command(app, exit_code);
    command::add_ca_command(app, exit_code);
    command::add_revoke_command(app, exit_code);
    command::add_ledger_command(app, exit_code);
    command::add_audit_command(app, exit_code);
    command::add_why_command(app, exit_code);
    command::add_hook_command(app, exit_code);
    command::add_allow_command(app, exit_code);
    command::add_file_command(app, exit_code);
    command::add_rotate_command(app, exit_code);
    command::add_thing_command(app, exit_code);
    add_template_command(app, exit_code);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return answer_parse_error(app, error);
    }
    return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
#ifndef __SANITIZE_ADDRESS__      // its leak check must attach to the process
    ::prctl(PR_SET_DUMPABLE, 0);  // a core dump would hold private keys
#endif
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        return command::report(hatchery::fail(hatchery::Code::Internal, error.what()));
    }
}
