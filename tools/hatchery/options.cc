#include "tools/hatchery/options.h"

#include "tools/hatchery/exit_code.h"

#include <CLI/CLI.hpp>
#include <pwd.h>
#include <unistd.h>

#include <utility>
#include <vector>

namespace hatchery::command {

namespace {
constexpr const char* kDataText = "Data directory (default: $HATCHERY_DATA, else this folder)";
}

void add_data_option(CLI::App& command, DataOptions& options) {
    command.add_option("--data", options.directory, kDataText)->envname("HATCHERY_DATA");
}

void add_data_argument(CLI::App& command, DataOptions& options) {
    command.add_option("DIR", options.directory, kDataText)->envname("HATCHERY_DATA");
}

void add_passphrase_option(CLI::App& command, DataOptions& options) {
    command.add_option("--passphrase-file",
                       options.passphrase_file,
                       "File with the passphrase (else HATCHERY_PASSPHRASE, else a prompt)");
}

void on_run(CLI::App& command, int& exit_code, std::function<Result<>()> run) {
    command.callback([&exit_code, run = std::move(run)] { exit_code = finish(run()); });
}

std::string requester() {
    std::vector<char> buffer(16 * 1024);
    passwd entry{};
    passwd* found = nullptr;
    const uid_t user = ::geteuid();
    if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
        return std::string("cli:") + found->pw_name;
    }
    return "cli:" + std::to_string(user);
}

}  // namespace hatchery::command
