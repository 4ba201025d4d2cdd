// hatchery status: is the server up, can it sign and write, and how far are lists and stations?
#include "provisioning/registry/access.h"
#include "provisioning/registry/ledger_probe.h"
#include "provisioning/registry/revocations.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"
#include "tools/hatchery/serve_lock.h"

#include <CLI/CLI.hpp>
#include <httplib.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <memory>

namespace hatchery::command {

namespace {

using nlohmann::ordered_json;

struct StatusCommandOptions {
    DataOptions data;
    bool is_json = false;
};

/// What is printed: a line a key, and whether something is wrong.
struct StatusReport {
    ordered_json lines = ordered_json::object();
    std::string problem;  ///< the first one

    void add(const std::string& name, std::string text) { lines[name] = std::move(text); }
    void add_problem(const std::string& name, const std::string& text) {
        if (problem.empty()) problem = name + ": " + text;
        add(name, "failing: " + text);
    }
    template <class T>
    void add_tried(const std::string& name, const Result<T>& tried) {
        tried ? add(name, "ok") : add_problem(name, tried.error().message);
    }
    std::string to_text() const {
        std::size_t width = 0;
        for (const auto& [name, text] : lines.items())
            width = std::max(width, name.size());
        std::string all;
        for (const auto& [name, text] : lines.items()) {
            all +=
                name + std::string(width + 2 - name.size(), ' ') + text.get<std::string>() + "\n";
        }
        return all;
    }
};

/// What the server says of itself. It is asked over this machine, which it tells the reasons.
void ask_server(const Config& config, const Ports& ports, StatusReport& report) {
    const bool is_everywhere = config.status.host == "0.0.0.0" || config.status.host == "::";
    httplib::Client client(is_everywhere ? "127.0.0.1" : config.status.host, ports.status);
    client.set_connection_timeout(5);
    client.set_read_timeout(30);  // an HSM that opens everything again
    const auto answer = client.Get("/health");
    if (!answer) {
        return report.add_problem("server", "no answer: " + httplib::to_string(answer.error()));
    }
    const auto body = ordered_json::parse(answer->body, nullptr, false);
    const auto parts = body.is_object() ? body.find("parts") : body.end();
    if (parts == body.end() || !parts->is_object()) {
        return report.add_problem("server", "expected a health document");
    }
    for (const auto& [name, text] : parts->items()) {
        if (!text.is_string()) continue;
        const auto said = text.get<std::string>();
        constexpr std::string_view kFailing = "failing";
        if (said.starts_with(kFailing)) {
            report.add_problem(name, said.substr(std::min(said.size(), kFailing.size() + 2)));
        } else if (!report.lines.contains(name)) {
            report.add(name, said);
        }
    }
}

/// No server: the store is tried here, the key if there is a passphrase that need not be asked for.
void try_here(const DataDirectory& data,
              store::Store& store,
              const DataOptions& options,
              StatusReport& report) {
    report.add_tried(
        "store", store.write([](store::Tx& tx) -> Result<> { return registry::try_to_write(tx); }));
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it
    if (options.passphrase_file.empty() && std::getenv("HATCHERY_PASSPHRASE") == nullptr) {
        return report.add("signingKey", "not tried: no passphrase was given");
    }
    auto passphrase = read_passphrase(options.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return report.add_problem("signingKey", passphrase.error().message);
    auto issuer = data.issuing_ca(*passphrase);
    if (!issuer) return report.add_problem("signingKey", issuer.error().message);
    report.add_tried("signingKey", issuer->key().sign(bytes_of("hatchery: can this key sign?")));
}

/// The issuing CA as its files say: no key is opened for it.
Result<CertificateId> add_authority(const DataDirectory& data, Time now, StatusReport& report) {
    auto pem = read_file(data.layout().issuing_certificate());
    if (!pem) return std::move(pem).error();
    auto certificate = ca::Certificate::from_pem(*pem);
    if (!certificate) return std::move(certificate).error();
    const auto& fields = certificate->fields();
    auto key = read_file(data.layout().issuing_key());
    const bool is_hsm = key && key->starts_with("pkcs11:");
    const std::string where = !key ? "elsewhere" : is_hsm ? "in an HSM" : "in a file";
    report.add("issuingCa",
               "\"" + fields.subject.to_string() + "\" until " + to_iso8601(fields.not_after) +
                   ", key " + where);
    if (auto valid = ca::check_validity(*certificate, now); !valid) {
        report.add_problem("issuingCa", valid.error().message);
    }
    return certificate->id();
}

Result<> add_records(store::Reader& reader,
                     const CertificateId& issuer,
                     Time now,
                     StatusReport& report) {
    auto head = registry::ledger_head(reader);
    if (!head) return std::move(head).error();
    report.add("ledger", std::to_string(head->sequence) + " rows");
    auto revoked = registry::revocations_of(reader, issuer, std::nullopt);
    if (!revoked) return std::move(revoked).error();
    report.add("revoked", std::to_string(revoked->size()));
    auto list = registry::find_crl_dates(reader, issuer, std::nullopt);
    if (!list) return std::move(list).error();
    if (!*list) {
        report.add("revocationLists", "not published yet");
    } else if ((*list)->next_update <= now) {
        report.add_problem("revocationLists", "ended on " + to_iso8601((*list)->next_update));
    } else {
        report.add("revocationLists",
                   "number " + std::to_string((*list)->number) + " of " +
                       to_iso8601((*list)->this_update) + ", good until " +
                       to_iso8601((*list)->next_update) +
                       ((*list)->is_stale ? ", a newer one is due" : ""));
    }
    auto stations = registry::stations(reader);
    if (!stations) return std::move(stations).error();
    for (const auto& station : *stations) {
        std::string text = station.enabled ? "enabled" : "stopped";
        text += ", " + std::to_string(station.used) + " certificates";
        if (station.quota) text += " of " + std::to_string(*station.quota);
        report.add("station " + station.name, text);
    }
    return {};
}

Result<> run_status(const StatusCommandOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto running = running_ports(data->layout());
    if (!running) return std::move(running).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    const Time now = clock_now();
    StatusReport report;
    report.add("server", *running ? "running" : "not running");
    auto authority = add_authority(*data, now, report);
    if (!authority) return std::move(authority).error();
    auto records = (*store)->read(
        [&](store::Reader& reader) { return add_records(reader, *authority, now, report); });
    if (!records) return records;
    std::error_code problem;
    const auto space = std::filesystem::space(data->layout().root, problem);
    if (!problem) report.add("disk", std::to_string(space.available >> 20U) + " MiB free");
    if (*running) {
        ask_server(data->config(), **running, report);
    } else {
        try_here(*data, **store, options.data, report);
    }
    auto told = print(options.is_json ? report.lines.dump(2) + "\n" : report.to_text());
    if (!told || report.problem.empty()) return told;
    return fail(Code::Conflict, report.problem);
}

}  // namespace

void add_status_command(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("status", "Can it sign and write? HSM, lists, stations");
    auto options = std::make_shared<StatusCommandOptions>();
    add_data_option(*command, options->data);
    add_passphrase_option(*command, options->data);
    command->add_flag("--json", options->is_json, "One JSON object");
    command->footer(
        "Example:\n  hatchery status --data demo\n\n"
        "Asks the running server (GET /health on its status port), which writes to its store and\n"
        "signs with its key to find out; without one, the store is tried here, and the key too if\n"
        "a passphrase is given. Exit code 1: something fails, and the last line says what.");
    on_run(*command, exit_code, [options] { return run_status(*options); });
}

}  // namespace hatchery::command
