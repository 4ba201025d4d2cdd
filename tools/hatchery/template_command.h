// `hatchery template …`: what a template says before a device meets it.
#pragma once

namespace CLI {
class App;
}

/// Adds the subcommand `template` to `app`. When it has run, `exit_code` is 0 (clean), 1 (findings)
/// or 2 (could not run). `exit_code` must outlive the parsing of the command line.
void add_template_command(CLI::App& app, int& exit_code);
