// hatchery station: factory stations, each with its own client certificate.
#include "provisioning/registry/access.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/issuing.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace hatchery::command {

namespace {

constexpr std::size_t kMaxStationName = 64;  // it is a commonName (RFC 5280, ub-common-name)

struct StationOptions {
    DataOptions data;
    std::string name;
    std::vector<std::string> profiles{"device"};
    std::string certificate_file;
    std::string key_file;
    std::string key_passphrase_file;
    std::optional<std::int64_t> quota;
    std::string per, from, until;
    std::vector<std::string> serials;
    bool is_json = false;
};

/// "2026-11-22" or "2026-11-22T19:59:35Z".
Result<std::optional<Time>> read_time(const std::string& text, const std::string& option) {
    if (text.empty()) return std::optional<Time>{};
    int year = 0;
    unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
    int end = 0;
    const bool is_day =
        std::sscanf(text.c_str(), "%4d-%2u-%2u%n", &year, &month, &day, &end) == 3 &&
        end == static_cast<int>(text.size());
    const bool is_time = !is_day &&
                         std::sscanf(text.c_str(),
                                     "%4d-%2u-%2uT%2u:%2u:%2uZ%n",
                                     &year,
                                     &month,
                                     &day,
                                     &hour,
                                     &minute,
                                     &second,
                                     &end) == 6 &&
                         end == static_cast<int>(text.size());
    const std::chrono::year_month_day date{
        std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
    if ((!is_day && !is_time) || !date.ok() || hour > 23 || minute > 59 || second > 59) {
        return fail(Code::InvalidRequest,
                    "expected a UTC day or time such as 2026-11-22 or 2026-11-22T19:59:35Z, found "
                    "\"" +
                        text + "\"",
                    option);
    }
    return std::optional<Time>(std::chrono::sys_days(date) + std::chrono::hours(hour) +
                               std::chrono::minutes(minute) + std::chrono::seconds(second));
}

/// The station's rules as the command line gives them.
Result<registry::Station> read_rules(const StationOptions& options) {
    registry::Station station;
    station.name = options.name;
    station.profiles = options.profiles;
    station.quota = options.quota;
    station.serial_numbers = options.serials;
    if (!options.per.empty()) {
        auto period = parse_duration(options.per);
        if (!period) return fail(Code::InvalidRequest, period.error().message, "--per");
        if (!options.quota) return fail(Code::InvalidRequest, "expected --quota with it", "--per");
        station.period = *period;
    }
    auto from = read_time(options.from, "--from");
    if (!from) return std::move(from).error();
    auto until = read_time(options.until, "--until");
    if (!until) return std::move(until).error();
    station.not_before = *from;
    station.not_after = *until;
    return station;
}

Result<> check_station_name(std::string_view name) {
    const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_' || c == '.';
    });
    if (is_plain && !name.empty() && name.size() <= kMaxStationName) return {};
    return fail(Code::InvalidRequest,
                "expected 1 to 64 of a-z A-Z 0-9 - _ ., found \"" + std::string(name) + "\"",
                "NAME");
}

/// What can be refused before anything is made.
Result<> check_new_station(const DataDirectory& data, const StationOptions& options) {
    if (auto checked = check_station_name(options.name); !checked) return checked;
    if (auto rules = read_rules(options); !rules) return std::move(rules).error();
    for (const auto& name : options.profiles) {
        if (auto profile = data.profile(name); !profile) return std::move(profile).error();
    }
    if (auto absent = check_absent(options.certificate_file); !absent) return absent;
    return check_absent(options.key_file);
}

/// The same look that add_station takes, but before a certificate is signed for nothing.
Result<> check_unknown(store::Store& store, std::string_view name) {
    auto stations = store.read([](store::Reader& reader) { return registry::stations(reader); });
    if (!stations) return std::move(stations).error();
    for (const auto& station : *stations) {
        if (station.name == name) {
            return fail(Code::AlreadyExists, "station " + std::string(name) + " exists");
        }
    }
    return {};
}

Result<> write_key(const StationOptions& options, const ca::PrivateKey& key) {
    if (options.key_passphrase_file.empty()) {
        auto pem = key.to_plain_pem();
        if (!pem) return std::move(pem).error();
        return write_file(options.key_file, pem->text(), kPrivate, Existing::Refuse);
    }
    auto line = read_file(options.key_passphrase_file);
    if (!line) return std::move(line).error();
    line->resize(std::min(line->size(), line->find_first_of("\r\n")));
    const Secret passphrase = Secret::take(*line);
    if (passphrase.empty()) {
        return fail(Code::Unavailable,
                    options.key_passphrase_file + ": expected a passphrase on the first line");
    }
    auto pem = key.to_encrypted_pem(passphrase);
    if (!pem) return std::move(pem).error();
    return write_file(options.key_file, *pem, kPrivate, Existing::Refuse);
}

/// Signs the station's certificate and registers it in the commit that stores it.
Result<ca::Certificate> issue_station(OfflineIssuer& desk,
                                      const ca::Profile& profile,
                                      const ca::PrivateKey& key,
                                      const StationOptions& options) {
    auto csr = request_for(key, options.name);
    if (!csr) return std::move(csr).error();
    return desk.issue(
        *csr, profile, [&](store::Tx& tx, const ca::Certificate& certificate) -> Result<> {
            auto station = read_rules(options);
            if (!station) return std::move(station).error();
            station->certificate = certificate.id();
            station->created = clock_now();
            return registry::add_station(tx, *station);
        });
}

Result<> run_add(const StationOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    if (auto checked = check_new_station(*data, options); !checked) return checked;
    auto profile = data->profile("station");
    if (!profile) return std::move(profile).error();
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto desk = OfflineIssuer::open(*data, *passphrase);
    if (!desk) return std::move(desk).error();
    if (auto unknown = check_unknown(desk->store(), options.name); !unknown) return unknown;
    auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
    if (!key) return std::move(key).error();
    // The key first: a station that is registered but whose key was lost could not be used.
    if (auto written = write_key(options, *key); !written) return written;
    auto certificate = issue_station(*desk, *profile, *key, options);
    if (!certificate) {
        ::unlink(options.key_file.c_str());
        return std::move(certificate).error();
    }
    return write_file(
        options.certificate_file, desk->ca().chain_pem(*certificate), kPublic, Existing::Refuse);
}

std::string as_json(const std::vector<registry::Station>& stations) {
    auto json = nlohmann::ordered_json::array();
    for (const auto& station : stations) {
        nlohmann::ordered_json one{{"name", station.name},
                                   {"certificateId", station.certificate.hex()},
                                   {"profiles", station.profiles},
                                   {"enabled", station.enabled},
                                   {"created", to_iso8601(station.created)},
                                   {"used", station.used}};
        if (station.quota) one["quota"] = *station.quota;
        if (station.period.count() > 0) one["periodSeconds"] = station.period.count();
        if (station.not_before) one["from"] = to_iso8601(*station.not_before);
        if (station.not_after) one["until"] = to_iso8601(*station.not_after);
        if (!station.serial_numbers.empty()) one["serialNumbers"] = station.serial_numbers;
        json.push_back(std::move(one));
    }
    return json.dump(2) + "\n";
}

std::string as_text(const std::vector<registry::Station>& stations) {
    std::string text;
    for (const auto& station : stations) {
        std::string profiles;
        for (const auto& profile : station.profiles)
            profiles += (profiles.empty() ? "" : ",") + profile;
        text += station.name + "  " + (station.enabled ? "enabled" : "stopped") + "  " + profiles +
                "  " + station.certificate.hex();
        if (station.quota) {
            text += "  " + std::to_string(station.used) + "/" + std::to_string(*station.quota);
        }
        text += "\n";
    }
    return text;
}

Result<> run_list(const StationOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    auto stations =
        (*store)->read([](store::Reader& reader) { return registry::stations(reader); });
    if (!stations) return std::move(stations).error();
    return print(options.is_json ? as_json(*stations) : as_text(*stations));
}

Result<> run_stop(const StationOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    return (*store)->write([&](store::Tx& tx) -> Result<> {
        return registry::set_station_enabled(tx, options.name, false);
    });
}

}  // namespace

void add_station_command(CLI::App& app, int& exit_code) {
    auto* group = app.add_subcommand("station", "Factory stations, which may ask for certificates");
    group->require_subcommand(1);
    group->footer("Example:\n  hatchery station list --data demo");
    auto options = std::make_shared<StationOptions>();

    auto* add = group->add_subcommand("add", "Make a station's key and certificate");
    add->add_option("NAME", options->name, "The station's name")->required();
    add->add_option("--profiles", options->profiles, "Profiles it may sign with (default: device)")
        ->delimiter(',');
    add->add_option("--quota", options->quota, "Certificates it may get, altogether or --per")
        ->check(CLI::NonNegativeNumber);
    add->add_option("--per", options->per, "The quota begins anew so often: 8h, 1d, 7d");
    add->add_option("--from", options->from, "It may sign from this UTC day or time on");
    add->add_option("--until", options->until, "It may sign until this UTC day or time");
    add->add_option(
           "--serials",
           options->serials,
           "Device serial numbers it may sign for: SN-1, SN-26*, 0001..0999 (default: any)")
        ->delimiter(',');
    add->add_option("--out-cert", options->certificate_file, "Certificate and chain, PEM")
        ->required();
    add->add_option("--out-key", options->key_file, "Private key, PEM, mode 0600")->required();
    add->add_option("--station-passphrase-file",
                    options->key_passphrase_file,
                    "Encrypt the private key with the passphrase in this file");
    add_data_option(*add, options->data);
    add_passphrase_option(*add, options->data);
    add->footer(
        "Example:\n  hatchery station add line-1 --data demo --out-cert line-1.crt "
        "--out-key line-1.key\n"
        "  curl --cacert demo/ca/root.crt --cert line-1.crt --key line-1.key \\\n"
        "      --data-binary @device.csr https://localhost:8443/");
    on_run(*add, exit_code, [options] { return run_add(*options); });

    auto* list = group->add_subcommand("list", "List stations");
    list->add_flag("--json", options->is_json, "A JSON array");
    add_data_option(*list, options->data);
    list->footer("Example:\n  hatchery station list --data demo");
    on_run(*list, exit_code, [options] { return run_list(*options); });

    auto* stop = group->add_subcommand("stop", "Refuse a station from now on");
    stop->add_option("NAME", options->name, "The station's name")->required();
    add_data_option(*stop, options->data);
    stop->footer("Example:\n  hatchery station stop line-1 --data demo");
    on_run(*stop, exit_code, [options] { return run_stop(*options); });
}

}  // namespace hatchery::command
