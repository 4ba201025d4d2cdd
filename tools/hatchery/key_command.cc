// hatchery key: access keys of the control plane.
#include "tools/hatchery/access_keys.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace hatchery::command {

namespace {

struct KeyOptions {
    DataOptions data;
    std::string role = "admin";
    std::string id;
    bool is_json = false;
    bool keeps_old = false;
};

/// A new key of `role`, stored with what else `with` writes, and printed.
Result<> make_key(const KeyOptions& options,
                  const DataDirectory& data,
                  store::Store& store,
                  const std::string& role,
                  const std::function<Result<>(store::Tx&)>& with) {
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto wrap = data.wrap_key(*passphrase);
    if (!wrap) return std::move(wrap).error();
    auto key = make_access_key(*wrap, role, clock_now());
    if (!key) return std::move(key).error();
    auto added = store.write([&](store::Tx& tx) -> Result<> {
        if (auto done = registry::add_access_key(tx, key->row); !done) return done;
        return with(tx);
    });
    if (!added) return added;
    const Environment environment = {
        {"AWS_ACCESS_KEY_ID", key->credentials.id},
        {"AWS_SECRET_ACCESS_KEY", std::string(key->credentials.secret.text())}};
    return print(options.is_json ? to_json(environment) : to_shell(environment));
}

Result<> run_create(const KeyOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    return make_key(
        options, *data, **store, options.role, [](store::Tx&) -> Result<> { return {}; });
}

Result<> run_rotate(const KeyOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    auto old = (*store)->read(
        [&](store::Reader& reader) { return registry::find_access_key(reader, options.id); });
    if (!old) return std::move(old).error();
    return make_key(options, *data, **store, old->role, [&](store::Tx& tx) -> Result<> {
        if (options.keeps_old) return {};
        return registry::set_access_key_enabled(tx, options.id, false);
    });
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

Result<> run_enable(const KeyOptions& options, bool enabled) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    return (*store)->write([&](store::Tx& tx) -> Result<> {
        return registry::set_access_key_enabled(tx, options.id, enabled);
    });
}

}  // namespace

void add_key_command(CLI::App& app, int& exit_code) {
    auto* group = app.add_subcommand("key", "Access keys of the control plane");
    group->require_subcommand(1);
    group->footer("Example:\n  hatchery key create --data demo --role read-only");
    auto options = std::make_shared<KeyOptions>();
    const std::vector<std::string> roles(registry::kAccessRoles.begin(),
                                         registry::kAccessRoles.end());
    const auto add_id = [&](CLI::App* command) {
        command->add_option("ID", options->id, "The key's id, AKIA…")->required();
        add_data_option(*command, options->data);
    };

    auto* create = group->add_subcommand("create", "Make an access key and print it");
    create->alias("add");
    create
        ->add_option("--role",
                     options->role,
                     "admin: everything; operator: no CA changes; factory: making devices;\n"
                     "read-only: no changes; ci: policies and templates, read (default: admin)")
        ->check(CLI::IsMember(roles));
    create->add_flag("--json", options->is_json, "One JSON object instead of shell exports");
    add_data_option(*create, options->data);
    add_passphrase_option(*create, options->data);
    create->footer("Example:\n  hatchery key create --data demo --role read-only");
    on_run(*create, exit_code, [options] { return run_create(*options); });

    auto* list = group->add_subcommand("list", "List access keys, without their secrets");
    list->add_flag("--json", options->is_json, "A JSON array");
    add_data_option(*list, options->data);
    list->footer("Example:\n  hatchery key list --data demo");
    on_run(*list, exit_code, [options] { return run_list(*options); });

    auto* disable = group->add_subcommand("disable", "Refuse an access key from now on");
    add_id(disable);
    disable->footer("Example:\n  hatchery key disable --data demo AKIAEXAMPLE");
    on_run(*disable, exit_code, [options] { return run_enable(*options, false); });

    auto* enable = group->add_subcommand("enable", "Accept a disabled access key again");
    add_id(enable);
    enable->footer("Example:\n  hatchery key enable --data demo AKIAEXAMPLE");
    on_run(*enable, exit_code, [options] { return run_enable(*options, true); });

    auto* rotate = group->add_subcommand(
        "rotate", "Make a key of the same role, print it, and disable the old one");
    add_id(rotate);
    rotate->add_flag("--keep", options->keeps_old, "Leave the old key enabled, to disable later");
    rotate->add_flag("--json", options->is_json, "One JSON object instead of shell exports");
    add_passphrase_option(*rotate, options->data);
    rotate->footer("Example:\n  hatchery key rotate --data demo AKIAEXAMPLE");
    on_run(*rotate, exit_code, [options] { return run_rotate(*options); });
}

}  // namespace hatchery::command
