#include "tools/hatchery/options.h"

#include "tools/hatchery/exit_code.h"

#include <CLI/CLI.hpp>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>
#include <vector>

namespace hatchery::command {

namespace {

// The environment is the default here and not CLI11's envname: that is read for every subcommand,
// given or not, and would overrule the --data of one that shares its options with another.
void add_directory(CLI::App& command, const char* name, DataOptions& options) {
    const char* set = std::getenv("HATCHERY_DATA");  // NOLINT(concurrency-mt-unsafe): one thread
    if (set != nullptr && *set != '\0') options.directory = set;
    command.add_option(
        name, options.directory, "Data directory (default: $HATCHERY_DATA, else this folder)");
}

}  // namespace

void add_data_option(CLI::App& command, DataOptions& options) {
    add_directory(command, "--data", options);
}

void add_data_argument(CLI::App& command, DataOptions& options) {
    add_directory(command, "DIR", options);
}

void add_passphrase_option(CLI::App& command, DataOptions& options) {
    command.add_option("--passphrase-file",
                       options.passphrase_file,
                       "File with the passphrase (else HATCHERY_PASSPHRASE, else a prompt)");
}

void on_run(CLI::App& command, int& exit_code, std::function<Result<>()> run) {
    command.callback([&exit_code, run = std::move(run)] { exit_code = finish(run()); });
}

namespace {

std::string find_requester() {
    std::vector<char> buffer(16 * 1024);
    passwd entry{};
    passwd* found = nullptr;
    const uid_t user = ::geteuid();
    if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
        return std::string("cli:") + found->pw_name;
    }
    return "cli:" + std::to_string(user);
}

}  // namespace

std::string requester() {
    // The user database is a file that would be read for every certificate of a batch.
    static const std::string name = find_requester();
    return name;
}

}  // namespace hatchery::command
