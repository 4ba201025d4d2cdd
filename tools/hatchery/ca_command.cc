// hatchery ca: what the control plane asks of a certificate authority.
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/issuing.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"

#include <CLI/CLI.hpp>

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

}  // namespace

void add_ca_command(CLI::App& app, int& exit_code) {
    auto* group = app.add_subcommand("ca", "The certificate authority of a data directory");
    group->require_subcommand(1);
    group->footer("Example:\n  hatchery ca verification-cert --data demo --code CODE");
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
