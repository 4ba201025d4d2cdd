// hatchery revoke: end a certificate's life, or put it on hold and release it; hatchery crl.
#include "provisioning/flows/revocation.h"
#include "provisioning/registry/revocations.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/issuing.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"

#include <CLI/CLI.hpp>

#include <memory>

namespace hatchery::command {

namespace {

constexpr int kMaxFound = 100;

struct RevokeOptions {
    DataOptions data;
    std::string what;
    std::string reason = "unspecified";
    std::string key_file;
    bool is_release = false;
};

/// The one certificate that `what` names: a file, a certificate id, a serial number, or a device's
/// serial number with one certificate that still counts.
Result<registry::LedgerRow> find_one(store::Store& store, const std::string& what) {
    std::string name = what;
    std::error_code ignored;
    if (std::filesystem::is_regular_file(what, ignored)) {
        auto pem = read_file(what);
        if (!pem) return std::move(pem).error();
        auto certificate = ca::Certificate::from_pem(*pem);
        if (!certificate) return std::move(certificate).error();
        name = certificate->id().hex();
    }
    auto rows = store.read(
        [&](store::Reader& reader) { return registry::search_ledger(reader, name, kMaxFound); });
    if (!rows) return std::move(rows).error();
    std::vector<registry::LedgerRow> found;
    for (auto& row : *rows) {
        if (row.kind == registry::LedgerKind::Issued) found.push_back(std::move(row));
    }
    if (found.size() == 1) return std::move(found.front());
    if (found.empty()) {
        return fail(Code::NotFound,
                    "expected a certificate file, a certificate id, a serial number or a device's "
                    "serial number of a certificate that was issued here, found \"" +
                        what + "\"");
    }
    std::string serials;
    for (const auto& row : found)
        serials += " " + to_hex(row.serial_number);
    return fail(Code::Conflict, what + " has several certificates, name one:" + serials);
}

Result<> block_key_of(store::Store& store, const std::string& file) {
    auto content = read_file(file);
    if (!content) return std::move(content).error();
    Bytes key;
    if (auto certificate = ca::Certificate::from_pem(*content); certificate) {
        key = certificate->fields().public_key_der;
    } else if (auto csr = ca::Csr::parse(bytes_of(*content)); csr) {
        key = csr->fields().public_key_der;
    } else {
        return fail(Code::InvalidRequest, "expected a certificate or a CSR", file);
    }
    auto done = store.write([&](store::Tx& tx) -> Result<> {
        return registry::block_key(tx, key, "by an operator", requester(), clock_now());
    });
    if (!done) return done;
    return print("the key of " + file + " is blocked\n");
}

Result<> run_revoke(const RevokeOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto reason = ca::parse_revocation_reason(options.reason);
    if (!reason) return std::move(reason).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    if (!options.key_file.empty()) return block_key_of(**store, options.key_file);
    if (options.what.empty()) {
        return fail(Code::Unavailable, "expected CERTIFICATE or --block-key; see --help");
    }
    auto row = find_one(**store, options.what);
    if (!row) return std::move(row).error();
    auto done = (*store)->write([&](store::Tx& tx) -> Result<> {
        const Time now = clock_now();
        if (options.is_release) {
            return registry::release(tx, row->issuer, row->serial_number, requester(), now);
        }
        return registry::revoke(tx, row->issuer, row->serial_number, *reason, requester(), now);
    });
    if (!done) return done;
    const std::string serial = to_hex(row->serial_number);
    return print(options.is_release
                     ? "released " + serial + "\n"
                     : "revoked " + serial + " " + std::string(ca::to_string(*reason)) + "\n");
}

struct CrlOptions {
    DataOptions data;
    std::string ca = "issuing";
    std::string out;
};

/// Signs what is due now, without a server, and writes the lists as files if asked.
Result<> run_publish(const CrlOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto profiles = data->profiles();
    if (!profiles) return std::move(profiles).error();
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto issuer = options.ca == "root" ? data->root_ca(*passphrase) : data->issuing_ca(*passphrase);
    if (!issuer) return std::move(issuer).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    flows::CrlSchedule schedule;
    schedule.lifetime = data->config().status.crl_lifetime;
    schedule.is_forced = true;
    auto made = flows::publish_crls(
        **store, *issuer, flows::crl_patterns(*profiles), schedule, clock_now());
    if (!made) return std::move(made).error();
    if (options.out.empty()) return print(std::to_string(*made) + " lists published\n");
    std::vector<std::optional<unsigned>> shards{std::nullopt};
    for (unsigned shard = 0; shard < ca::kCrlShards; ++shard)
        shards.emplace_back(shard);
    std::error_code ignored;
    std::filesystem::create_directories(options.out, ignored);
    for (const auto& shard : shards) {
        auto crl = (*store)->read([&](store::Reader& reader) {
            return registry::find_crl(reader, issuer->certificate().id(), shard);
        });
        if (!crl) return std::move(crl).error();
        if (!*crl) continue;
        const std::string name = (shard ? std::to_string(*shard) : std::string("all")) + ".crl";
        auto written = write_file(std::filesystem::path(options.out) / name,
                                  text_of((*crl)->der),
                                  kPublic,
                                  Existing::Replace);
        if (!written) return written;
    }
    return print(std::to_string(*made) + " lists published, in " + options.out + "\n");
}

}  // namespace

void add_revoke_command(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("revoke", "Revoke a certificate, or block a key");
    auto options = std::make_shared<RevokeOptions>();
    command->add_option("CERTIFICATE",
                        options->what,
                        "A PEM file, a certificate id, a serial number (hex), or a device's serial "
                        "number");
    command->add_option(
        "--reason",
        options->reason,
        "RFC 5280: unspecified, keyCompromise, cACompromise, affiliationChanged, superseded, "
        "cessationOfOperation, certificateHold, privilegeWithdrawn, aACompromise");
    command->add_flag("--release", options->is_release, "End a certificateHold");
    command->add_option("--block-key",
                        options->key_file,
                        "Never certify the key of this certificate or CSR (instead of revoking)");
    add_data_option(*command, options->data);
    command->footer(
        "Example:\n  hatchery revoke device.crt --reason keyCompromise --data demo\n\n"
        "Needs no passphrase: a running server cuts the device off at once and publishes new\n"
        "lists within a second; without one, hatchery crl does. keyCompromise blocks the key.");
    on_run(*command, exit_code, [options] { return run_revoke(*options); });

    auto* crl = app.add_subcommand("crl", "Sign the revocation lists now, without a server");
    auto lists = std::make_shared<CrlOptions>();
    crl->add_option("--ca", lists->ca, "issuing or root (default: issuing)")
        ->check(CLI::IsMember({"issuing", "root"}));
    crl->add_option("--out", lists->out, "Folder to write the lists to: all.crl, 0.crl, 1.crl, …");
    add_data_option(*crl, lists->data);
    add_passphrase_option(*crl, lists->data);
    crl->footer("Example:\n  hatchery crl --data demo --out lists");
    on_run(*crl, exit_code, [lists] { return run_publish(*lists); });
}

}  // namespace hatchery::command
