// hatchery ledger: the record of everything that may have been signed.
#include "provisioning/registry/certificates.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/options.h"

#include <CLI/CLI.hpp>

#include <memory>

namespace hatchery::command {

namespace {

Result<> run_verify(const DataOptions& options) {
    auto data = DataDirectory::open(options.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    auto rows =
        (*store)->read([](store::Reader& reader) { return registry::verify_ledger(reader); });
    if (!rows) return std::move(rows).error();
    return print("ledger: " + std::to_string(*rows) + " entries, chain unbroken\n");
}

}  // namespace

void add_ledger_command(CLI::App& app, int& exit_code) {
    auto* group =
        app.add_subcommand("ledger", "The record of everything that may have been signed");
    group->require_subcommand(1);
    group->footer("Example:\n  hatchery ledger verify --data demo");
    auto* command = group->add_subcommand("verify", "Recompute the ledger's hash chain");
    auto options = std::make_shared<DataOptions>();
    add_data_option(*command, *options);
    command->footer(
        "Example:\n  hatchery ledger verify --data demo\n\n"
        "Exit code 1 names the first entry that was changed.");
    on_run(*command, exit_code, [options] { return run_verify(*options); });
}

}  // namespace hatchery::command
