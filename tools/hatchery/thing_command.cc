// hatchery thing: a thing with key, certificate and policies, made, deleted, or kept as a file
// says.
#include "provisioning/flows/escrow.h"
#include "provisioning/flows/fleet_profile.h"
#include "provisioning/flows/thing_lifecycle.h"
#include "provisioning/registry/escrow.h"
#include "provisioning/registry/things.h"
#include "tools/hatchery/device_files.h"
#include "tools/hatchery/endpoints.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/issuing.h"
#include "tools/hatchery/offline_service.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"
#include "tools/hatchery/thing_file.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <set>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

struct ThingOptions {
    DataOptions data;
    std::string name;
    std::string type, billing_group;
    std::vector<std::string> groups, policies, attributes, forms;
    std::string out;
    std::string key = "p256";
    std::string profile;
    std::string escrow;
    std::string p12_passphrase_file;
    std::string file;
    bool is_plan_only = false;
};

Result<std::pair<std::string, std::string>> read_pair(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos && equals > 0) {
        return std::pair(text.substr(0, equals), text.substr(equals + 1));
    }
    return fail(Code::InvalidRequest, "expected NAME=VALUE, found \"" + text + "\"", "--attribute");
}

Result<flows::ThingWish> read_wish(const ThingOptions& options) {
    flows::ThingWish wish;
    wish.name = options.name;
    if (!options.type.empty()) wish.thing_type = options.type;
    if (!options.billing_group.empty()) wish.billing_group = options.billing_group;
    wish.thing_groups = options.groups;
    wish.policies = options.policies;
    for (const std::string& text : options.attributes) {
        auto pair = read_pair(text);
        if (!pair) return std::move(pair).error();
        wish.attributes.insert_or_assign(std::move(pair->first), std::move(pair->second));
    }
    if (auto good = registry::check_thing_name(wish.name); !good) {
        return std::move(good).error();
    }
    return wish;
}

Result<std::set<DeviceForm>> read_forms(const ThingOptions& options) {
    std::set<DeviceForm> forms;
    for (const std::string& text : options.forms) {
        auto form = parse_device_form(text);
        if (!form) return std::move(form).error();
        forms.insert(*form);
    }
    if (forms.contains(DeviceForm::Pkcs12) && options.p12_passphrase_file.empty()) {
        return fail(Code::Unavailable, "p12 goes with --p12-passphrase-file; see --help");
    }
    return forms;
}

/// The first line of a file; nothing without a file.
Result<Secret> read_p12_passphrase(const std::string& path) {
    if (path.empty()) return Secret();
    auto line = read_file(path);
    if (!line) return std::move(line).error();
    line->resize(std::min(line->size(), line->find_first_of("\r\n")));
    return Secret::take(*line);
}

Result<ca::Profile> profile_of(OfflineService& offline, const std::string& name) {
    if (name.empty()) return flows::fleet_profile(offline.service(), clock_now());
    const auto found = offline.profiles().find(name);
    if (found != offline.profiles().end()) return found->second;
    return fail(Code::NotFound, "there is no profile " + name);
}

/// The device's key in escrow, for whom the option names or else hatchery.toml; empty if neither.
Result<std::string> escrowed(flows::Settings settings,
                             const ThingOptions& options,
                             const ca::PrivateKey& key) {
    if (!options.escrow.empty()) {
        auto recipient = read_file(options.escrow);
        if (!recipient) return recipient;
        settings.escrow_recipient = std::move(*recipient);
    }
    auto cms = flows::escrow(settings, key);
    if (!cms) return fail(cms.error().code, cms.error().message, options.escrow);
    return cms;
}

Result<> run_thing_create(const ThingOptions& options) {
    auto wish = read_wish(options);
    if (!wish) return std::move(wish).error();
    auto forms = read_forms(options);
    if (!forms) return std::move(forms).error();
    auto kind = ca::parse_key_kind(options.key);
    if (!kind) return std::move(kind).error();
    for (const fs::path& path : device_paths(options.out, wish->name, *forms)) {
        if (auto absent = check_absent(path); !absent) return absent;
    }
    auto p12_passphrase = read_p12_passphrase(options.p12_passphrase_file);
    if (!p12_passphrase) return std::move(p12_passphrase).error();
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto server_ca = read_file(data->layout().root_certificate());
    if (!server_ca) return std::move(server_ca).error();
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto offline = OfflineService::open(*data, *passphrase);
    if (!offline) return std::move(offline).error();
    auto profile = profile_of(**offline, options.profile);
    if (!profile) return std::move(profile).error();

    auto key = ca::PrivateKey::generate(*kind);
    if (!key) return std::move(key).error();
    auto csr = request_for(*key, wish->name);
    if (!csr) return std::move(csr).error();
    auto cms = escrowed((*offline)->service().settings, options, *key);
    if (!cms) return std::move(cms).error();
    std::error_code problem;
    fs::create_directories(options.out, problem);
    if (problem) return file_error("make", options.out, problem.value());
    // First: a certificate whose key is lost would be of no use to anybody.
    if (auto written = write_device_key(options.out, wish->name, *key); !written) return written;
    auto certificate = flows::create_thing_with_certificate(
        (*offline)->service(), *wish, *csr, *profile, requester(), *cms, clock_now());
    if (!certificate) {
        fs::remove(device_paths(options.out, wish->name, {}).front(), problem);
        return std::move(certificate).error();
    }
    const ca::Issuer& issuer = (*offline)->ca();
    DeviceFiles files{wish->name,
                      data->config().server.host,
                      configured_ports(data->config()).mqtt,
                      std::move(*server_ca),
                      issuer.chain_pem(*certificate),
                      std::move(*key),
                      *certificate,
                      {issuer.certificate()}};
    auto written = write_device_files(options.out, files, *forms, *p12_passphrase);
    if (!written) return written;
    return print(certificate->id().hex() + "\n");
}

Result<> run_delete(const ThingOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    auto deleted = flows::delete_thing_with_certificates(**store, options.name, clock_now());
    if (!deleted) return std::move(deleted).error();
    std::string text;
    for (const CertificateId& id : deleted->deleted)
        text += "deleted certificate " + id.hex() + "\n";
    for (const CertificateId& id : deleted->kept)
        text += "kept certificate " + id.hex() + ", which other things use\n";
    return print(text + "deleted thing " + options.name + "\n");
}

/// The escrowed key of a thing's only certificate, or of a certificate id.
Result<> run_key(const ThingOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    auto cms = (*store)->read([&](store::Reader& reader) -> Result<std::string> {
        if (auto id = CertificateId::parse(options.name)) {
            return registry::find_escrowed_key(reader, *id);
        }
        auto principals = registry::principals_of_thing(reader, options.name);
        if (!principals) return std::move(principals).error();
        for (const CertificateId& id : *principals) {
            auto found = registry::find_escrowed_key(reader, id);
            if (found || found.error().code != Code::NotFound) return found;
        }
        return fail(Code::NotFound, "thing " + options.name + " has no key in escrow");
    });
    if (!cms) return std::move(cms).error();
    return print(*cms);
}

Result<> run_apply(const ThingOptions& options) {
    auto text = read_file(options.file);
    if (!text) return std::move(text).error();
    auto wanted = parse_thing_file(*text, options.file);
    if (!wanted) return std::move(wanted).error();
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    auto plan = (*store)->read([&](store::Reader& reader) { return plan_things(reader, *wanted); });
    if (!plan) return std::move(plan).error();
    if (auto told = print(to_text(*plan)); !told) return told;
    if (options.is_plan_only || plan->empty()) return {};
    return apply_things(**store, data->config().account, *wanted, clock_now());
}

void add_create(CLI::App& group, int& exit_code, const std::shared_ptr<ThingOptions>& options) {
    auto* create = group.add_subcommand("create", "Make a thing, its key and its certificate");
    create->add_option("NAME", options->name, "The thing's name")->required();
    create->add_option("--type", options->type, "Thing type");
    create->add_option("--policy", options->policies, "Policy to attach; may be repeated");
    create->add_option("--group", options->groups, "Thing group; may be repeated");
    create->add_option("--billing-group", options->billing_group, "Billing group");
    create->add_option("--attribute", options->attributes, "NAME=VALUE; may be repeated");
    create->add_option("--key", options->key, "rsa2048, p256 … (default: p256)");
    create->add_option(
        "--profile", options->profile, "Certificate profile (default: that of AWS IoT's own)");
    create->add_option("--out", options->out, "Folder for the device's files")->required();
    create
        ->add_option(
            "--form", options->forms, "Beside PEM: header (C), p12, nvs (ESP-IDF); may be repeated")
        ->delimiter(',');
    create->add_option("--p12-passphrase-file",
                       options->p12_passphrase_file,
                       "The PKCS#12 file's passphrase, on the first line");
    create->add_option("--escrow",
                       options->escrow,
                       "Keep the key, encrypted to this certificate or public key (PEM)");
    add_data_option(*create, options->data);
    add_passphrase_option(*create, options->data);
    create->footer(
        "Example:\n"
        "  hatchery thing create meter-1 --type Meter --policy meters --out meter-1 --data plant\n"
        "  mosquitto_pub -h localhost -p 8883 --cafile meter-1/server-ca.crt \\\n"
        "      --cert meter-1/meter-1.crt --key meter-1/meter-1.key -i meter-1 -t t -m hello\n\n"
        "Prints the certificate's id. The private key is written once, mode 0600, and not kept,\n"
        "unless --escrow asks for it: `hatchery thing key`.");
    on_run(*create, exit_code, [options] { return run_thing_create(*options); });
}

}  // namespace

void add_thing_command(CLI::App& app, int& exit_code) {
    auto* group = app.add_subcommand("thing", "Things: create, delete, apply a file of them");
    group->require_subcommand(1);
    group->footer(
        "Example:\n  hatchery thing create meter-1 --policy meters --out meter-1 --data plant");
    auto options = std::make_shared<ThingOptions>();
    add_create(*group, exit_code, options);

    auto* remove = group->add_subcommand(
        "delete", "Deactivate, detach and delete a thing and its certificates");
    remove->add_option("NAME", options->name, "The thing's name")->required();
    add_data_option(*remove, options->data);
    remove->footer("Example:\n  hatchery thing delete meter-1 --data plant");
    on_run(*remove, exit_code, [options] { return run_delete(*options); });

    auto* key = group->add_subcommand("key", "Print a private key that is in escrow, encrypted");
    key->add_option("NAME", options->name, "A thing, or a certificate id")->required();
    add_data_option(*key, options->data);
    key->footer(
        "Example:\n  hatchery thing key meter-1 --data plant |\n"
        "      openssl cms -decrypt -inform PEM -inkey operator.key");
    on_run(*key, exit_code, [options] { return run_key(*options); });

    auto* apply = group->add_subcommand("apply", "Make things as a YAML or JSON file says");
    apply->add_option("FILE", options->file, "The things")->required();
    apply->add_flag("--plan", options->is_plan_only, "Only say what would change");
    add_data_option(*apply, options->data);
    apply->footer(
        "Example:\n  hatchery thing apply things.yaml --data plant\n\n"
        "The file:\n"
        "  things:\n    meter-1:\n      type: Meter\n      attributes: {site: bonn}\n"
        "      groups: [hall-1]\n      billingGroup: plant\n\n"
        "Prints the plan, then does it; a second time there is nothing to do. What a thing's "
        "entry\n"
        "does not name is left as it is, and so are things that the file does not name.");
    on_run(*apply, exit_code, [options] { return run_apply(*options); });
}

}  // namespace hatchery::command
