// hatchery profile: certificate profiles, checked before a factory relies on them.
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/options.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <memory>

namespace hatchery::command {

namespace {

struct ProfileOptions {
    DataOptions data;
    std::vector<std::string> files;
    std::string name;
    bool is_json = false;
};

std::string text_of_validity(const ca::Profile& profile) {
    if (profile.no_expiry) return "unlimited";
    const auto hours = std::chrono::duration_cast<std::chrono::hours>(profile.validity).count();
    if (hours % 24 != 0 || hours == 0) return std::to_string(profile.validity.count()) + "s";
    return std::to_string(hours / 24) + "d";
}

/// `file:line:column: error: …` for each mistake, as compilers write it.
Result<> run_profile_check(const ProfileOptions& options) {
    std::size_t errors = 0;
    nlohmann::json all = nlohmann::json::array();
    for (const auto& file : options.files) {
        auto text = read_file(file);
        if (!text) return std::move(text).error();
        for (const auto& error : ca::Profile::check(*text, file)) {
            ++errors;
            if (options.is_json) {
                all.push_back({{"where", error.where}, {"message", error.message}});
            } else {
                std::fprintf(
                    stderr, "%s\n", one_line(error.where + ": error: " + error.message).c_str());
            }
        }
    }
    if (options.is_json) {
        if (auto printed = print(all.dump(2) + "\n"); !printed) return printed;
    }
    if (errors == 0) return {};
    return fail(Code::InvalidRequest,
                std::to_string(errors) + (errors == 1 ? " mistake" : " mistakes"));
}

nlohmann::json summary_of(const ca::Profile& profile) {
    nlohmann::json keys = nlohmann::json::array();
    for (const auto kind : profile.keys)
        keys.push_back(ca::to_string(kind));
    return {{"name", profile.name},
            {"ca", profile.is_ca},
            {"validity", text_of_validity(profile)},
            {"keys", std::move(keys)},
            {"keyUsage", profile.key_usage},
            {"extendedKeyUsage", profile.extended_key_usage},
            {"onePerDevice", profile.one_per_device}};
}

std::string listed_words(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words)
        text += (text.empty() ? "" : ",") + word;
    return text.empty() ? "-" : text;
}

Result<> run_profile_list(const ProfileOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto profiles = data->profiles();
    if (!profiles) return std::move(profiles).error();
    nlohmann::json rows = nlohmann::json::array();
    std::string text;
    for (const auto& [name, profile] : *profiles) {
        rows.push_back(summary_of(profile));
        text += name + "\t" + text_of_validity(profile) + "\t" + listed_words(profile.key_usage) +
                "\t" + listed_words(profile.extended_key_usage) + "\n";
    }
    return print(options.is_json ? rows.dump(2) + "\n" : text);
}

/// The file of the data directory, comments and all; without one, what this version ships.
Result<> run_profile_show(const ProfileOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (data) {
        if (auto known = data->profile(options.name); !known) return std::move(known).error();
        auto text = read_file(data->layout().profiles() / (options.name + ".toml"));
        if (!text) return std::move(text).error();
        return print(*text);
    }
    for (const auto& shipped : ca::shipped_profiles()) {
        if (shipped.name == options.name) return print(shipped.toml);
    }
    return fail(Code::NotFound,
                "no shipped profile \"" + options.name +
                    "\", and no data directory: " + data.error().message);
}

}  // namespace

void add_profile_command(CLI::App& app, int& exit_code) {
    auto* group =
        app.add_subcommand("profile", "Certificate profiles: what a certificate may hold");
    group->require_subcommand(1);
    group->footer("Example:\n  hatchery profile check demo/profiles/*.toml");
    auto options = std::make_shared<ProfileOptions>();

    auto* check = group->add_subcommand("check", "Explain every mistake of profile files");
    check->add_option("FILE", options->files, "Profile files")->required();
    check->add_flag("--json", options->is_json, "The mistakes as a JSON array on stdout");
    check->footer(
        "Example:\n  hatchery profile check demo/profiles/device.toml\n\n"
        "Silent and 0 for good files; file:line:column: error: … and 1 for others. Needs no data\n"
        "directory.");
    on_run(*check, exit_code, [options] { return run_profile_check(*options); });

    auto* list = group->add_subcommand("list", "The profiles of a data directory");
    list->add_flag("--json", options->is_json, "A JSON array");
    add_data_option(*list, options->data);
    list->footer("Example:\n  hatchery profile list --data demo");
    on_run(*list, exit_code, [options] { return run_profile_list(*options); });

    auto* show = group->add_subcommand("show", "Print a profile file");
    show->add_option("NAME", options->name, "device, idevid, claim, …")->required();
    add_data_option(*show, options->data);
    show->footer(
        "Example:\n  hatchery profile show idevid > line-7.toml\n\n"
        "Outside a data directory: the file as this version ships it.");
    on_run(*show, exit_code, [options] { return run_profile_show(*options); });
}

}  // namespace hatchery::command
