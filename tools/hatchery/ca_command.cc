// hatchery ca: the certificate authorities of a data directory.
#include "tools/hatchery/ca_hierarchy.h"
#include "tools/hatchery/ceremony_command.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/issuing.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace hatchery::command {

namespace {

struct VerificationOptions {
    DataOptions data;
    std::string code;
    std::string out;
};

Result<> run_verification_cert(const VerificationOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto profile = data->profile("verification");
    if (!profile) return std::move(profile).error();
    if (!options.out.empty()) {
        if (auto absent = check_absent(options.out); !absent) return absent;
    }
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto desk = OfflineIssuer::open(*data, *passphrase);
    if (!desk) return std::move(desk).error();
    // The certificate proves that we hold the CA's key; its own key is never used and not kept.
    auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
    if (!key) return std::move(key).error();
    auto csr = request_for(*key, options.code);
    if (!csr) return std::move(csr).error();
    auto certificate = desk->issue(*csr, *profile);
    if (!certificate) return std::move(certificate).error();
    if (options.out.empty()) return print(certificate->pem());
    return write_file(options.out, certificate->pem(), kPublic, Existing::Refuse);
}

struct CaOptions {
    DataOptions data;
    std::string name;
    std::string key_kind = "p384";
    std::string hsm;
    std::string out;
    std::string certificate;
    std::string chain;
    int years = 25;
    bool is_json = false;
};

Result<> run_list_cas(const CaOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto cas = list_cas(data->layout());
    if (!cas) return std::move(cas).error();
    auto json = nlohmann::ordered_json::array();
    std::string text;
    for (const auto& ca : *cas) {
        const auto& fields = ca.certificate.fields();
        json.push_back({{"role", ca.role},
                        {"id", fields.id.hex()},
                        {"subject", fields.subject.to_string()},
                        {"issuer", fields.issuer.to_string()},
                        {"notAfter", to_iso8601(fields.not_after)},
                        {"key", ca.has_key}});
        text += ca.role + "  " + fields.id.hex().substr(0, 16) + "  " + fields.subject.to_string() +
                "  until " + to_iso8601(fields.not_after) + (ca.has_key ? "" : "  key elsewhere") +
                "\n";
    }
    return print(options.is_json ? json.dump(2) + "\n" : text);
}

Result<> run_show_ca(const CaOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto cas = list_cas(data->layout());
    if (!cas) return std::move(cas).error();
    for (const auto& ca : *cas) {
        const auto& fields = ca.certificate.fields();
        if (ca.role != options.name && !fields.id.hex().starts_with(options.name)) continue;
        const std::string curve = fields.curve.empty() ? "" : " " + fields.curve;
        return print("role           " + ca.role + "\nid             " + fields.id.hex() +
                     "\nsubject        " + fields.subject.to_string() + "\nissuer         " +
                     fields.issuer.to_string() + "\nserial number  " +
                     to_hex(fields.serial_number) + "\nvalid          " +
                     to_iso8601(fields.not_before) + " to " + to_iso8601(fields.not_after) +
                     "\nkey            " + fields.key_algorithm + curve +
                     (ca.has_key ? "" : ", elsewhere") + "\nkey identifier " +
                     to_hex(fields.subject_key_identifier) + "\n" + ca.certificate.pem());
    }
    return fail(Code::NotFound, "no CA \"" + options.name + "\"; see hatchery ca list");
}

Result<NewKey> new_key(const CaOptions& options) {
    auto kind = ca::parse_key_kind(options.key_kind);
    if (!kind) return fail(Code::InvalidRequest, kind.error().message, "--key-kind");
    return NewKey{*kind, options.hsm};
}

Result<> run_init_root(const CaOptions& options) {
    auto key = new_key(options);
    if (!key) return std::move(key).error();
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Choose);
    if (!passphrase) return std::move(passphrase).error();
    const RootChoices choices{options.name, *key, std::chrono::days(365) * options.years};
    auto root = make_offline_root(options.data.directory, choices, *passphrase, clock_now());
    if (!root) return std::move(root).error();
    return print("root " + root->id().hex() + "\n");
}

Result<> run_ca_csr(const CaOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto key = new_key(options);
    if (!key) return std::move(key).error();
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    // The present key opens: one passphrase for all of them.
    if (auto present = data->issuing_ca(*passphrase); !present) return std::move(present).error();
    auto csr = make_ca_request(data->layout(), options.name, *key, *passphrase);
    if (!csr) return std::move(csr).error();
    if (options.out.empty()) return print(*csr);
    return write_file(options.out, *csr, kPublic, Existing::Refuse);
}

constexpr std::string_view kAfterInstall =
    "the new CA issues from the next start of hatchery serve on; what the one before it signed "
    "stays good.\nIf devices register by JITP, register the new CA as well: hatchery ca "
    "verification-cert\n";

Result<> run_install(const CaOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto pem = read_file(options.certificate);
    if (!pem) return std::move(pem).error();
    auto certificates = ca::Certificate::all_from_pem(*pem);
    if (!certificates) return std::move(certificates).error();
    std::vector<ca::Certificate> above(certificates->begin() + 1, certificates->end());
    if (!options.chain.empty()) {
        auto chain = read_file(options.chain);
        if (!chain) return std::move(chain).error();
        auto more = ca::Certificate::all_from_pem(*chain);
        if (!more) return std::move(more).error();
        above.insert(above.end(), more->begin(), more->end());
    }
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto done = install_ca(data->layout(), certificates->front(), above, *passphrase, clock_now());
    if (!done) return done;
    return print(std::string(kAfterInstall));
}

/// csr, sign by the root that is here, install: in one.
Result<> run_rotate(const CaOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto key = new_key(options);
    if (!key) return std::move(key).error();
    auto profile = data->profile("sub-ca");
    if (!profile) return std::move(profile).error();
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto desk = OfflineIssuer::open_root(*data, *passphrase);
    if (!desk) return std::move(desk).error();
    auto pem = make_ca_request(data->layout(), options.name, *key, *passphrase);
    if (!pem) return std::move(pem).error();
    auto csr = ca::Csr::parse(bytes_of(*pem));
    if (!csr) return std::move(csr).error();
    // After a crash between signing and installing: the certificate is in the ledger.
    auto certificate = desk->store().read(
        [&](store::Reader& reader) { return OfflineIssuer::find_earlier(reader, *csr, *profile); });
    if (!certificate && certificate.error().code == Code::NotFound) {
        certificate = desk->issue(*csr, *profile);
    }
    if (!certificate) return std::move(certificate).error();
    auto done = install_ca(data->layout(), *certificate, {}, *passphrase, clock_now());
    if (!done) return done;
    return print("issuing CA " + certificate->id().hex() + "\n" + std::string(kAfterInstall));
}

void add_hierarchy_commands(CLI::App& group, int& exit_code) {
    auto options = std::make_shared<CaOptions>();
    auto* list = group.add_subcommand("list", "The CAs of this directory");
    list->add_flag("--json", options->is_json, "A JSON array");
    add_data_option(*list, options->data);
    list->footer("Example:\n  hatchery ca list --data demo");
    on_run(*list, exit_code, [options] { return run_list_cas(*options); });

    auto* show = group.add_subcommand("show", "One CA, with its certificate");
    show->add_option("CA", options->name, "root, issuing, or the beginning of an id")->required();
    add_data_option(*show, options->data);
    show->footer("Example:\n  hatchery ca show issuing --data demo");
    on_run(*show, exit_code, [options] { return run_show_ca(*options); });

    const auto add_key_kind = [&](CLI::App& command) {
        command.add_option("--key-kind", options->key_kind, "Of the new key (default: p384)");
        command.add_option("--hsm", options->hsm, kHsmHelp);
    };
    auto* init = group.add_subcommand("init", "Make an offline root, a directory of its own");
    init->add_option("DIR", options->data.directory, "Directory to make; new or empty")->required();
    init->add_option("--name", options->name, "The root's common name")->required();
    init->add_option("--years", options->years, "Of validity (default: 25)")
        ->check(CLI::Range(1, 50));
    add_key_kind(*init);
    add_passphrase_option(*init, options->data);
    init->footer("Example:\n  hatchery ca init offline-root --name 'Plant Root'");
    on_run(*init, exit_code, [options] { return run_init_root(*options); });

    auto* csr = group.add_subcommand("csr", "A new issuing CA's key and request");
    csr->add_option("--name", options->name, "Its common name")->required();
    csr->add_option("--out", options->out, "File to write (default: standard output)");
    add_key_kind(*csr);
    add_data_option(*csr, options->data);
    add_passphrase_option(*csr, options->data);
    csr->footer(
        "Example:\n  hatchery ca csr --data demo --name 'Plant Issuing 2' --out issuing2.csr\n"
        "  hatchery sign --ca root --profile sub-ca --csr issuing2.csr --data offline-root \\\n"
        "      --out issuing2.crt            # on the root's machine\n"
        "  hatchery ca install --certificate issuing2.crt --chain root.crt --data demo");
    on_run(*csr, exit_code, [options] { return run_ca_csr(*options); });

    auto* install = group.add_subcommand("install", "Make the answer to csr the issuing CA");
    install->add_option("--certificate", options->certificate, "The certificate, PEM")->required();
    install->add_option("--chain", options->chain, "CA certificates above it, PEM");
    add_data_option(*install, options->data);
    add_passphrase_option(*install, options->data);
    install->footer(
        "Example:\n  hatchery ca install --certificate issuing2.crt --chain root.crt --data demo");
    on_run(*install, exit_code, [options] { return run_install(*options); });

    auto* rotate = group.add_subcommand("rotate", "A new issuing CA by the root that is here");
    rotate->add_option("--name", options->name, "Its common name")->required();
    add_key_kind(*rotate);
    add_data_option(*rotate, options->data);
    add_passphrase_option(*rotate, options->data);
    rotate->footer("Example:\n  hatchery ca rotate --data demo --name 'Plant Issuing 2'");
    on_run(*rotate, exit_code, [options] { return run_rotate(*options); });
}

}  // namespace

void add_ca_command(CLI::App& app, int& exit_code) {
    auto* group = app.add_subcommand("ca", "The certificate authority of a data directory");
    group->require_subcommand(1);
    group->footer("Example:\n  hatchery ca list --data demo");
    add_hierarchy_commands(*group, exit_code);
    add_ceremony_command(*group, exit_code);
    auto* command = group->add_subcommand("verification-cert",
                                          "Prove to the control plane that this CA's key is here");
    auto options = std::make_shared<VerificationOptions>();
    command->add_option("--code", options->code, "Answer of aws iot get-registration-code")
        ->required();
    command->add_option("--out", options->out, "File to write (default: standard output)");
    add_data_option(*command, options->data);
    add_passphrase_option(*command, options->data);
    command->footer(
        "Example:\n  code=$(aws --endpoint-url \"$HATCHERY_ENDPOINT\" iot get-registration-code "
        "\\\n"
        "      --query registrationCode --output text)\n"
        "  hatchery ca verification-cert --data demo --code \"$code\" --out verification.crt\n"
        "  aws --endpoint-url \"$HATCHERY_ENDPOINT\" iot register-ca-certificate --set-as-active "
        "\\\n"
        "      --ca-certificate file://demo/ca/issuing.crt \\\n"
        "      --verification-certificate file://verification.crt");
    on_run(*command, exit_code, [options] { return run_verification_cert(*options); });
}

}  // namespace hatchery::command
