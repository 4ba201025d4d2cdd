// hatchery template …: check, explain, try out and compare provisioning templates. Each subcommand
// in a file of its own; what they share is in template_files.h.
#pragma once

namespace CLI {
class App;
}

/// Adds `template` with its subcommands to `app`; when one has run, `exit_code` holds its exit
/// code.
void add_template_command(CLI::App& app, int& exit_code);

namespace hatchery::command {

// template_validate_command.cc, template_render_command.cc, template_test_command.cc
void add_template_validate(CLI::App& command, int& exit_code);
void add_template_render(CLI::App& command, int& exit_code);
void add_template_diff(CLI::App& command, int& exit_code);
void add_template_test(CLI::App& command, int& exit_code);
// template_schema.cc
void add_template_schema(CLI::App& command, int& exit_code);

}  // namespace hatchery::command
