// Options that several subcommands share, and the shape of a subcommand's file.
#pragma once

#include "tools/hatchery/data_directory.h"

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace hatchery::command {

/// Which data directory, and how to open its keys.
struct DataOptions {
    std::string directory = ".";
    std::string passphrase_file;
};

/// Adds --data (default: HATCHERY_DATA, else the current folder).
void add_data_option(CLI::App& command, DataOptions& options);
/// Adds DIR as an argument with the same default.
void add_data_argument(CLI::App& command, DataOptions& options);
/// Adds --passphrase-file.
void add_passphrase_option(CLI::App& command, DataOptions& options);
/// Runs `run` when `command` was given, and puts its exit code into `exit_code`.
void on_run(CLI::App& command, int& exit_code, std::function<Result<>()> run);

/// The requester of the ledger for somebody at this machine: "cli:USER".
std::string requester();

// Each adds one subcommand to `app`; when it has run, `exit_code` holds its exit code.
void add_init_command(CLI::App& app, int& exit_code);
void add_serve_command(CLI::App& app, int& exit_code);
void add_status_command(CLI::App& app, int& exit_code);
void add_env_command(CLI::App& app, int& exit_code);
void add_sign_command(CLI::App& app, int& exit_code);
void add_register_command(CLI::App& app, int& exit_code);
void add_station_command(CLI::App& app, int& exit_code);
void add_key_command(CLI::App& app, int& exit_code);
void add_policy_command(CLI::App& app, int& exit_code);
void add_profile_command(CLI::App& app, int& exit_code);
void add_ca_command(CLI::App& app, int& exit_code);
void add_revoke_command(CLI::App& app, int& exit_code);
void add_ledger_command(CLI::App& app, int& exit_code);
void add_audit_command(CLI::App& app, int& exit_code);
void add_why_command(CLI::App& app, int& exit_code);
void add_hook_command(CLI::App& app, int& exit_code);
void add_thing_command(CLI::App& app, int& exit_code);
void add_allow_command(CLI::App& app, int& exit_code);
void add_file_command(CLI::App& app, int& exit_code);
void add_rotate_command(CLI::App& app, int& exit_code);

}  // namespace hatchery::command
