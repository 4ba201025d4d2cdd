// hatchery key: access keys of the control plane.
#include "tools/hatchery/access_keys.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace hatchery::command {

namespace {

struct KeyOptions {
    DataOptions data;
    std::string role = "admin";
    std::string id;
    bool is_json = false;
};

Result<> run_add(const KeyOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto wrap = data->wrap_key(*passphrase);
    if (!wrap) return std::move(wrap).error();
    auto key = make_access_key(*wrap, options.role, clock_now());
    if (!key) return std::move(key).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    auto added = (*store)->write(
        [&](store::Tx& tx) -> Result<> { return registry::add_access_key(tx, key->row); });
    if (!added) return added;
    const Environment environment = {
        {"AWS_ACCESS_KEY_ID", key->credentials.id},
        {"AWS_SECRET_ACCESS_KEY", std::string(key->credentials.secret.text())}};
    return print(options.is_json ? to_json(environment) : to_shell(environment));
}

std::string as_json(const std::vector<registry::AccessKey>& keys) {
    auto json = nlohmann::ordered_json::array();
    for (const auto& key : keys) {
        json.push_back({{"accessKeyId", key.id},
                        {"role", key.role},
                        {"enabled", key.enabled},
                        {"created", to_iso8601(key.created)}});
    }
    return json.dump(2) + "\n";
}

std::string as_text(const std::vector<registry::AccessKey>& keys) {
    std::string text;
    for (const auto& key : keys) {
        text += key.id + "  " + key.role + "  " + (key.enabled ? "enabled" : "disabled") + "  " +
                to_iso8601(key.created) + "\n";
    }
    return text;
}

Result<> run_list(const KeyOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    auto keys = (*store)->read([](store::Reader& reader) { return registry::access_keys(reader); });
    if (!keys) return std::move(keys).error();
    return print(options.is_json ? as_json(*keys) : as_text(*keys));
}

Result<> run_disable(const KeyOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    return (*store)->write([&](store::Tx& tx) -> Result<> {
        return registry::set_access_key_enabled(tx, options.id, false);
    });
}

}  // namespace

void add_key_command(CLI::App& app, int& exit_code) {
    auto* group = app.add_subcommand("key", "Access keys of the control plane");
    group->require_subcommand(1);
    group->footer("Example:\n  hatchery key add --data demo --role read-only");
    auto options = std::make_shared<KeyOptions>();

    auto* add = group->add_subcommand("add", "Make an access key and print it");
    add->add_option("--role", options->role, "admin or read-only (default: admin)")
        ->check(CLI::IsMember({"admin", "read-only"}));
    add->add_flag("--json", options->is_json, "One JSON object instead of shell exports");
    add_data_option(*add, options->data);
    add_passphrase_option(*add, options->data);
    add->footer("Example:\n  hatchery key add --data demo --role read-only");
    on_run(*add, exit_code, [options] { return run_add(*options); });

    auto* list = group->add_subcommand("list", "List access keys, without their secrets");
    list->add_flag("--json", options->is_json, "A JSON array");
    add_data_option(*list, options->data);
    list->footer("Example:\n  hatchery key list --data demo");
    on_run(*list, exit_code, [options] { return run_list(*options); });

    auto* disable = group->add_subcommand("disable", "Refuse an access key from now on");
    disable->add_option("ID", options->id, "The key's id, AKIA…")->required();
    add_data_option(*disable, options->data);
    disable->footer("Example:\n  hatchery key disable --data demo AKIAEXAMPLE");
    on_run(*disable, exit_code, [options] { return run_disable(*options); });
}

}  // namespace hatchery::command
