// hatchery sign: a certificate for a CSR, on this machine, with no server needed.
#include "ca/csr.h"
#include "tools/hatchery/batch.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/issuing.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <memory>

namespace hatchery::command {

namespace {

constexpr std::size_t kMaxCsrBytes = 64 * 1024;

struct SignOptions {
    DataOptions data;
    std::string profile;
    std::string csr;
    std::string out;
    std::string batch;
    std::string out_dir;
    std::string bundle;
    std::string report;
    unsigned threads = 0;
    std::string ca = "issuing";
    bool is_forced = false;
    bool is_json = false;
};

Result<ca::Csr> read_csr(const std::string& path) {
    auto content = read_file(path, kMaxCsrBytes);
    if (!content) return std::move(content).error();
    return ca::Csr::parse(bytes_of(*content));
}

std::string as_json(const ca::Issuer& issuer, const ca::Certificate& certificate) {
    const std::string leaf = certificate.pem();
    nlohmann::ordered_json json;
    json["certificateId"] = certificate.id().hex();
    json["serialNumber"] = certificate.serial_hex();
    json["certificatePem"] = leaf;
    json["chain"] = issuer.chain_pem(certificate).substr(leaf.size());
    return json.dump(2) + "\n";
}

Result<> deliver(const SignOptions& options, const std::string& text) {
    if (options.out.empty()) return print(text);
    const Existing existing = options.is_forced ? Existing::Replace : Existing::Refuse;
    return write_file(options.out, text, kPublic, existing);
}

/// Exit code 1 if anything was refused; everything else is signed all the same.
Result<> run_batch(const SignOptions& options) {
    if (!options.csr.empty() || options.out_dir.empty() == options.bundle.empty()) {
        return fail(Code::Unavailable,
                    "--batch goes with either --out-dir or --bundle, not with --csr; see --help");
    }
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto profile = data->profile(options.profile);
    if (!profile) return std::move(profile).error();
    std::error_code problem;
    if (!options.out_dir.empty()) std::filesystem::create_directories(options.out_dir, problem);
    if (problem) return file_error("make", options.out_dir, problem.value());
    auto items = read_batch(options.batch);
    if (!items) return std::move(items).error();
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto desk = OfflineIssuer::open(*data, *passphrase);
    if (!desk) return std::move(desk).error();
    BatchOptions how;
    how.out_folder = options.out_dir;
    how.bundle = options.bundle;
    how.report = options.report;
    if (options.report.empty()) {
        how.report = options.bundle.empty() ? how.out_folder / "report.csv"
                                            : std::filesystem::path(options.bundle + ".report.csv");
    }
    how.threads = options.threads;
    how.shows_progress = ::isatty(STDERR_FILENO) == 1;
    auto outcome = sign_batch(*desk, *profile, *items, how);
    if (!outcome) return std::move(outcome).error();
    auto told = print(std::to_string(outcome->is_signed) + " signed, " +
                      std::to_string(outcome->was_signed) + " signed before, " +
                      std::to_string(outcome->refused) + " refused; " + how.report.string() + "\n");
    if (!told || outcome->refused == 0) return told;
    return fail(
        Code::InvalidRequest,
        std::to_string(outcome->refused) + " requests were refused, see " + how.report.string());
}

Result<> run_sign(const SignOptions& options) {
    if (!options.batch.empty()) return run_batch(options);
    if (options.csr.empty()) return fail(Code::Unavailable, "--csr is required; see --help");
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto csr = read_csr(options.csr);
    if (!csr) return std::move(csr).error();
    auto profile = data->profile(options.profile);
    if (!profile) return std::move(profile).error();
    // Before signing: a certificate that cannot be handed over would still be in the ledger.
    if (!options.out.empty() && !options.is_forced) {
        if (auto absent = check_absent(options.out); !absent) {
            Error error = std::move(absent).error();
            error.message += "; --force replaces it";
            return error;
        }
    }
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto desk = options.ca == "root" ? OfflineIssuer::open_root(*data, *passphrase)
                                     : OfflineIssuer::open(*data, *passphrase);
    if (!desk) return std::move(desk).error();
    auto certificate = desk->issue(*csr, *profile);
    if (!certificate) return std::move(certificate).error();
    return deliver(
        options,
        options.is_json ? as_json(desk->ca(), *certificate) : desk->ca().chain_pem(*certificate));
}

}  // namespace

void add_sign_command(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("sign", "Sign a device's CSR, with or without a server");
    auto options = std::make_shared<SignOptions>();
    command->add_option("--profile", options->profile, "Certificate profile: profiles/NAME.toml")
        ->required();
    command->add_option("--csr", options->csr, "CSR, PEM or DER; - reads standard input");
    command->add_option(
        "--batch",
        options->batch,
        "Sign every CSR of a folder, or of a manifest (CSV: csr or csr,out a line)");
    command->add_option("--out-dir", options->out_dir, "Folder for the certificates of --batch");
    command->add_option(
        "--bundle",
        options->bundle,
        "One file for all certificates of --batch, in place of --out-dir: a line of JSON each");
    command->add_option(
        "--report",
        options->report,
        "CSV of --batch's outcomes (default: OUT-DIR/report.csv or BUNDLE.report.csv)");
    command->add_option("--threads", options->threads, "Of --batch (default: one a core)")
        ->check(CLI::Range(1, 256));
    command->add_option("--ca", options->ca, "issuing, or root for a CA's CSR (default: issuing)")
        ->check(CLI::IsMember({"issuing", "root"}));
    command->add_option("--out", options->out, "File to write (default: standard output)");
    command->add_flag("--force", options->is_forced, "Replace the file of --out if it exists");
    command->add_flag("--json",
                      options->is_json,
                      "One JSON object: certificateId, serialNumber, certificatePem, chain");
    add_data_option(*command, options->data);
    add_passphrase_option(*command, options->data);
    command->footer(
        "Example:\n  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \\\n"
        "      -keyout device.key -subj /CN=SN-0001/serialNumber=SN-0001 -out device.csr\n"
        "  hatchery sign --data demo --profile device --csr device.csr --out device.crt\n"
        "  hatchery sign --data demo --profile device --batch csrs --out-dir certificates\n"
        "  hatchery sign --data demo --profile device --batch csrs --bundle certificates.jsonl\n\n"
        "A batch can be killed and started again: nothing is issued twice. A bundle appears when "
        "it\n"
        "is whole; its certificates are without the chain.\n"
        "Writes the certificate with its chain, PEM. A refusal is one line on standard error and\n"
        "exit code 1.");
    on_run(*command, exit_code, [options] { return run_sign(*options); });
}

}  // namespace hatchery::command
