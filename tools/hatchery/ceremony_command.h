// `hatchery ca ceremony`, a subcommand of `hatchery ca`.
#pragma once

namespace CLI {
class App;
}

namespace hatchery::command {

void add_ceremony_command(CLI::App& group, int& exit_code);

}  // namespace hatchery::command
