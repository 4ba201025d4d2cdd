// hatchery ledger: the record of everything that may have been signed, was refused or revoked.
#include "ca/statement.h"
#include "provisioning/registry/ledger.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/ledger_file.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <fstream>
#include <memory>

namespace hatchery::command {

namespace {

constexpr int kRowsAtOnce = 500;

struct LedgerOptions {
    DataOptions data;
    std::string checkpoint;
    std::string out;
    std::string file;
    std::string what;
    std::int64_t after = 0;
};

struct Opened {
    DataDirectory data;
    std::unique_ptr<store::Store> store;
};
Result<Opened> open_ledger(const LedgerOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    return Opened{std::move(*data), std::move(*store)};
}

/// Every CA certificate of the data directory: one of them has signed a checkpoint.
Result<std::vector<ca::Certificate>> signers_of(const Layout& layout) {
    std::vector<ca::Certificate> all;
    std::vector<std::filesystem::path> files{layout.issuing_certificate(),
                                             layout.root_certificate()};
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(layout.earlier(), ignored)) {
        if (entry.path().extension() == ".crt") files.push_back(entry.path());
    }
    for (const auto& file : files) {
        if (!std::filesystem::exists(file, ignored)) continue;
        auto pem = read_file(file);
        if (!pem) return std::move(pem).error();
        auto certificate = ca::Certificate::from_pem(*pem);
        if (!certificate) return std::move(certificate).error();
        all.push_back(std::move(*certificate));
    }
    return all;
}

/// A ledger that was rolled back, or rewritten with all its hashes, no longer holds the row that
/// the checkpoint names.
Result<> check_against(store::Store& store, const Layout& layout, const std::string& file) {
    auto text = read_file(file);
    if (!text) return std::move(text).error();
    auto checkpoint = parse_checkpoint(*text);
    if (!checkpoint) return std::move(checkpoint).error();
    auto signers = signers_of(layout);
    if (!signers) return std::move(signers).error();
    const auto signer = std::ranges::find_if(
        *signers, [&](const auto& one) { return one.id() == checkpoint->signer; });
    if (signer == signers->end()) {
        return fail(Code::Conflict, file + ": signed by a CA that is not of this directory");
    }
    auto signature = from_base64(checkpoint->signature);
    if (!signature) return std::move(signature).error();
    if (auto good = ca::verify_text(*signer, checkpoint->text, *signature); !good) return good;
    auto hash = store.read(
        [&](store::Reader& reader) { return registry::ledger_hash(reader, checkpoint->sequence); });
    if (!hash && hash.error().code == Code::NotFound) {
        return fail(Code::Conflict,
                    "the ledger ends before row " + std::to_string(checkpoint->sequence) +
                        " of the checkpoint: it was rolled back");
    }
    if (!hash) return std::move(hash).error();
    if (to_hex(*hash) == checkpoint->hash) return {};
    return fail(Code::Conflict,
                "ledger row " + std::to_string(checkpoint->sequence) +
                    ": it is not the one of the checkpoint");
}

Result<> run_verify(const LedgerOptions& options) {
    auto opened = open_ledger(options);
    if (!opened) return std::move(opened).error();
    auto rows =
        opened->store->read([](store::Reader& reader) { return registry::verify_ledger(reader); });
    if (!rows) return std::move(rows).error();
    std::string text = "ledger: " + std::to_string(*rows) + " entries, chain unbroken";
    if (!options.checkpoint.empty()) {
        auto same = check_against(*opened->store, opened->data.layout(), options.checkpoint);
        if (!same) return same;
        text += ", as in the checkpoint";
    }
    return print(text + "\n");
}

Result<> run_checkpoint(const LedgerOptions& options) {
    auto opened = open_ledger(options);
    if (!opened) return std::move(opened).error();
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto issuer = opened->data.issuing_ca(*passphrase);
    if (!issuer) return std::move(issuer).error();
    auto sound =
        opened->store->read([](store::Reader& reader) { return registry::verify_ledger(reader); });
    if (!sound) return std::move(sound).error();
    auto head =
        opened->store->read([](store::Reader& reader) { return registry::ledger_head(reader); });
    if (!head) return std::move(head).error();
    auto text = make_checkpoint(*head, *issuer, clock_now());
    if (!text) return std::move(text).error();
    if (options.out.empty()) return print(*text);
    return write_file(options.out, *text, kPublic, Existing::Refuse);
}

template <class Each>
Result<> for_each_row(store::Store& store, std::int64_t after, Each each) {
    for (;;) {
        auto rows = store.read([&](store::Reader& reader) {
            return registry::ledger_rows(reader, after, kRowsAtOnce);
        });
        if (!rows) return std::move(rows).error();
        if (rows->empty()) return {};
        std::string text;
        for (const auto& row : *rows)
            text += to_json_line(row) + "\n";
        if (auto done = each(text); !done) return done;
        after = rows->back().sequence;
    }
}

Result<> run_export(const LedgerOptions& options) {
    auto opened = open_ledger(options);
    if (!opened) return std::move(opened).error();
    if (options.out.empty()) {
        return for_each_row(
            *opened->store, options.after, [](const std::string& text) { return print(text); });
    }
    std::ofstream file(options.out, std::ios::binary | std::ios::trunc);
    auto done =
        for_each_row(*opened->store, options.after, [&](const std::string& text) -> Result<> {
            file << text;
            if (!file) return file_error("write", options.out, errno);
            return {};
        });
    file.close();
    if (done && !file) return file_error("write", options.out, errno);
    return done;
}

Result<> run_search(const LedgerOptions& options) {
    auto opened = open_ledger(options);
    if (!opened) return std::move(opened).error();
    auto rows = opened->store->read([&](store::Reader& reader) {
        return registry::search_ledger(reader, options.what, kRowsAtOnce);
    });
    if (!rows) return std::move(rows).error();
    if (rows->empty()) return fail(Code::NotFound, "nothing about \"" + options.what + "\"");
    std::string text;
    for (const auto& row : *rows)
        text += to_json_line(row) + "\n";
    return print(text);
}

/// Brings a restored backup up to a newer export of the same ledger.
Result<> run_replay(const LedgerOptions& options) {
    auto opened = open_ledger(options);
    if (!opened) return std::move(opened).error();
    auto sound =
        opened->store->read([](store::Reader& reader) { return registry::verify_ledger(reader); });
    if (!sound) return std::move(sound).error();
    std::ifstream file(options.file, std::ios::binary);
    if (!file) return file_error("read", options.file, errno);
    std::int64_t added = 0;
    int number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        auto row = parse_json_line(line);
        if (!row) {
            row.error().where = options.file + ":" + std::to_string(number);
            return std::move(row).error();
        }
        auto done = opened->store->write([&](store::Tx& tx) -> Result<std::int64_t> {
            auto head = registry::ledger_head(tx);
            if (!head) return std::move(head).error();
            if (row->sequence > head->sequence) {
                auto replayed = registry::replay_row(tx, *row);
                if (!replayed) return std::move(replayed).error();
                return 1;
            }
            auto hash = registry::ledger_hash(tx, row->sequence);
            if (!hash) return std::move(hash).error();
            if (*hash != row->hash) {
                return fail(Code::Conflict,
                            "ledger row " + std::to_string(row->sequence) +
                                ": the export is of another ledger");
            }
            if (!row->certificate) return 0;
            // Recorded before the backup, signed after it.
            auto certificate = ca::Certificate::from_der(row->certificate_der);
            if (!certificate) return std::move(certificate).error();
            auto issued = registry::find_issued(tx, row->issuer, row->serial_number);
            if (!issued) return std::move(issued).error();
            if (issued->certificate) return 0;
            auto completed = registry::StoreLedger::complete_in(tx, *certificate, row->recorded);
            if (!completed) return std::move(completed).error();
            return 0;
        });
        if (!done) return std::move(done).error();
        added += *done;
    }
    return print(std::to_string(added) + " rows replayed\n");
}

}  // namespace

void add_ledger_command(CLI::App& app, int& exit_code) {
    auto* group =
        app.add_subcommand("ledger", "The record of everything that may have been signed");
    group->require_subcommand(1);
    group->footer("Example:\n  hatchery ledger verify --data demo");
    auto options = std::make_shared<LedgerOptions>();
    auto* verify = group->add_subcommand("verify", "Recompute the ledger's hash chain");
    verify->add_option("--checkpoint", options->checkpoint, "And compare with this checkpoint");
    add_data_option(*verify, options->data);
    verify->footer(
        "Example:\n  hatchery ledger verify --data demo\n\n"
        "Exit code 1 names the first entry that was changed.");
    on_run(*verify, exit_code, [options] { return run_verify(*options); });

    auto* checkpoint = group->add_subcommand("checkpoint", "Sign what the ledger is now");
    checkpoint->add_option("--out", options->out, "File to write (default: standard output)");
    add_data_option(*checkpoint, options->data);
    add_passphrase_option(*checkpoint, options->data);
    checkpoint->footer(
        "Example:\n  hatchery ledger checkpoint --data demo --out 2026-11-22.json\n\n"
        "Keep it on another machine: ledger verify --checkpoint finds a ledger that was rolled "
        "back\nor written anew.");
    on_run(*checkpoint, exit_code, [options] { return run_checkpoint(*options); });

    auto* exporting = group->add_subcommand("export", "Every row as one JSON object a line");
    exporting->add_option("--out", options->out, "File to write (default: standard output)");
    exporting->add_option("--after", options->after, "Only rows after this number");
    add_data_option(*exporting, options->data);
    exporting->footer("Example:\n  hatchery ledger export --data demo --out ledger.jsonl");
    on_run(*exporting, exit_code, [options] { return run_export(*options); });

    auto* search = group->add_subcommand("search", "Rows of a certificate or a device");
    search
        ->add_option(
            "WHAT", options->what, "Certificate id, serial number (hex), device serial number")
        ->required();
    add_data_option(*search, options->data);
    search->footer("Example:\n  hatchery ledger search SN-0001 --data demo");
    on_run(*search, exit_code, [options] { return run_search(*options); });

    auto* replay = group->add_subcommand("replay", "Bring a restored backup up to a newer export");
    replay->add_option("FILE", options->file, "What ledger export wrote")->required();
    add_data_option(*replay, options->data);
    replay->footer(
        "Example:\n  hatchery ledger replay ledger.jsonl --data restored\n\n"
        "Rows that the backup lacks are added as they were, hashes included; what they revoke is\n"
        "revoked again.");
    on_run(*replay, exit_code, [options] { return run_replay(*options); });
}

}  // namespace hatchery::command
