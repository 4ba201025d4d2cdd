// hatchery hook: which hooks there are, what one would decide, and whether a rules file is right.
#include "ca/base/text_place.h"
#include "hooks/rules.h"
#include "provisioning/flows/reservations.h"
#include "provisioning/log/log.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/options.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <sstream>

namespace hatchery::command {

namespace {

struct HookOptions {
    DataOptions data;
    std::string name;
    std::string event_file;
    std::string serial_number;
    std::string certificate_file;
    std::vector<std::string> files;
    bool is_json = false;
};

/// The hooks of a data directory, as `serve` makes them.
struct OpenHooks {
    std::unique_ptr<store::Store> store;
    std::unique_ptr<flows::RegistryLists> lists;
    hooks::HookSet set;
};

Result<OpenHooks> open_hooks(const DataDirectory& data) {
    auto store = data.open_store();
    if (!store) return std::move(store).error();
    auto lists = std::make_unique<flows::RegistryLists>(**store);
    auto set = hooks::HookSet::make(data.config().hooks, {lists.get()});
    if (!set) {
        Error error = could_not_run(std::move(set).error());
        error.where = data.layout().config().string() + ": " + error.where;
        return error;
    }
    return OpenHooks{std::move(*store), std::move(lists), std::move(*set)};
}

/// What a hook looks at or runs, on one line.
std::string detail_of(const hooks::HookConfig& hook) {
    std::string text;
    const auto add = [&](const std::string& what, const std::string& value) {
        if (!value.empty()) text.append(text.empty() ? "" : ", ").append(what + " " + value);
    };
    const auto join = [](const std::vector<std::string>& words, const char* between) {
        std::string joined;
        for (const auto& word : words)
            joined.append(joined.empty() ? "" : between).append(word);
        return joined;
    };
    add("list", hook.list);
    add("file", hook.file);
    if (!hook.serial_numbers.empty()) {
        add("serial numbers:", std::to_string(hook.serial_numbers.size()));
    }
    add("prefixes", join(hook.prefixes, " "));
    add("rules", hook.rules);
    add("runs", join(hook.command, " "));
    add("handler", hook.handler);
    add("url", hook.url);
    add("library", hook.library);
    add("then", join(hook.hooks, " "));
    return one_line(text);
}

Result<> run_hook_list(const HookOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto json = nlohmann::ordered_json::array();
    std::string text;
    for (const auto& hook : data->config().hooks) {
        json.push_back({{"name", hook.name},
                        {"kind", hook.kind},
                        {"timeoutMs", hook.timeout.count()},
                        {"detail", detail_of(hook)}});
        text += hook.name + "  " + hook.kind + "  " + std::to_string(hook.timeout.count()) +
                " ms  " + detail_of(hook) + "\n";
    }
    return print(options.is_json ? json.dump(2) + "\n" : text);
}

Result<hooks::HookEvent> event_for(const HookOptions& options, const Config& config) {
    hooks::HookEvent event;
    if (!options.event_file.empty()) {
        auto text = read_file(options.event_file);
        if (!text) return std::move(text).error();
        auto parsed = hooks::parse_event(*text);
        if (!parsed) {
            Error error = could_not_run(std::move(parsed).error());
            error.where = options.event_file + error.where;
            return error;
        }
        event = std::move(*parsed);
    } else {
        event.client_id = "hatchery-hook-test";
        event.template_arn = config.account.arn("provisioningtemplate", "hook-test");
        std::string parameter = "SerialNumber";
        for (const auto& hook : config.hooks) {
            if (hook.name == options.name) parameter = hook.parameter;
        }
        event.parameters[parameter] = options.serial_number;
    }
    if (!options.certificate_file.empty()) {
        auto pem = read_file(options.certificate_file);
        if (!pem) return std::move(pem).error();
        auto certificate = ca::Certificate::from_pem(*pem);
        if (!certificate) return could_not_run(std::move(certificate).error());
        event.certificate_pem = certificate->pem();
        event.certificate_id = certificate->id().hex();
    }
    event.now = clock_now();
    return event;
}

struct Tried {
    Result<hooks::HookDecision> decision;
    double milliseconds;
    std::vector<std::string> log;
};

/// Asks the hook, and collects what it and its workers log until they have ended.
Tried try_hook(OpenHooks hooks, const std::string& name, const hooks::HookEvent& event) {
    std::ostringstream text;
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text);
    sink->set_pattern("%l %v");
    spdlog::drop("hooks");
    spdlog::register_logger(std::make_shared<spdlog::logger>("hooks", sink));
    const auto start = std::chrono::steady_clock::now();
    auto decision = hooks.set.decide(name, event);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    hooks.set = hooks::HookSet();
    spdlog::drop("hooks");
    Tried tried{std::move(decision), took.count(), {}};
    std::istringstream lines(text.str());
    for (std::string line; std::getline(lines, line);)
        tried.log.push_back(one_line(line));
    return tried;
}

std::string_view outcome_of(const Tried& tried) {
    if (!tried.decision) return "error";
    return tried.decision->allow ? "allow" : "refuse";
}

std::string reason_of_trial(const Tried& tried) {
    return tried.decision ? tried.decision->reason : to_string(tried.decision.error());
}

std::string trial_json(const std::string& name, const Tried& tried) {
    nlohmann::ordered_json json{{"hook", name},
                                {"decision", outcome_of(tried)},
                                {"reason", reason_of_trial(tried)},
                                {"parameterOverrides", nlohmann::json::object()},
                                {"uses", nlohmann::json::array()},
                                {"durationMs", tried.milliseconds},
                                {"log", tried.log}};
    if (tried.decision) {
        for (const auto& [parameter, value] : tried.decision->parameter_overrides)
            json["parameterOverrides"][parameter] = value;
        for (const auto& reserved : tried.decision->reservations)
            json["uses"].push_back({{"list", reserved.list}, {"serial", reserved.serial_number}});
    }
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string trial_text(const Tried& tried) {
    std::ostringstream text;
    text << "decision: " << outcome_of(tried) << "\n";
    if (const auto reason = reason_of_trial(tried); !reason.empty()) {
        text << "reason: " << one_line(reason) << "\n";
    }
    if (tried.decision) {
        for (const auto& [parameter, value] : tried.decision->parameter_overrides)
            text << "override: " << one_line(parameter) << " = " << one_line(value) << "\n";
        for (const auto& reserved : tried.decision->reservations) {
            text << "would use up: " << one_line(reserved.serial_number) << " of the list "
                 << reserved.list << "\n";
        }
    }
    text.precision(3);
    text << "duration: " << std::fixed << tried.milliseconds << " ms\n";
    for (const auto& line : tried.log)
        text << "log: " << line << "\n";
    return text.str();
}

Result<> run_hook_test(const HookOptions& options, int& exit_code) {
    if (options.event_file.empty() == options.serial_number.empty()) {
        return could_not_run(fail(Code::InvalidRequest, "expected either --event or --serial"));
    }
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto event = event_for(options, data->config());
    if (!event) return std::move(event).error();
    auto hooks = open_hooks(*data);
    if (!hooks) return std::move(hooks).error();
    if (!hooks->set.has(options.name)) {
        return could_not_run(fail(Code::NotFound, "no hook named " + options.name));
    }
    const auto tried = try_hook(std::move(*hooks), options.name, *event);
    exit_code = tried.decision && tried.decision->allow ? kDone : kRefused;
    return print(options.is_json ? trial_json(options.name, tried) : trial_text(tried));
}

/// The line of a finding with a caret below it.
std::string marked_line(std::string_view text, const hooks::RuleFinding& found) {
    std::istringstream lines{std::string(text)};
    std::string line;
    for (std::size_t i = 0; i < found.line && std::getline(lines, line); ++i) {
    }
    return "    " + one_line(line.substr(0, 200)) + "\n    " +
           std::string(std::min<std::size_t>(found.column, 200) - 1, ' ') + "^\n";
}

Result<> run_hook_check(const HookOptions& options, int& exit_code) {
    exit_code = kDone;
    for (const auto& file : options.files) {
        auto text = read_file(file);
        if (!text) return std::move(text).error();
        hooks::Rules rules;
        for (const auto& found : hooks::Rules::parse(*text, rules)) {
            exit_code = kRefused;
            auto printed = print(place_in(file, {found.line, found.column}) + ": error: " +
                                 one_line(found.message) + "\n" + marked_line(*text, found));
            if (!printed) return printed;
        }
    }
    return {};
}

/// For commands whose exit code is an answer.
void on_answer(CLI::App& command, int& exit_code, const std::function<Result<>(int& answer)>& run) {
    command.callback([&exit_code, run] {
        int answer = kDone;
        const auto outcome = run(answer);
        exit_code = outcome ? answer : report(outcome.error());
    });
}

}  // namespace

void add_hook_command(CLI::App& app, int& exit_code) {
    auto* group = app.add_subcommand("hook", "Pre-provisioning hooks: list, try, check");
    group->require_subcommand(1);
    group->footer(
        "Example:\n  hatchery hook test FleetProvisioningHook --serial 123456 --data demo");
    auto options = std::make_shared<HookOptions>();

    auto* list = group->add_subcommand("list", "The hooks of hatchery.toml");
    list->add_flag("--json", options->is_json, "A JSON array");
    add_data_option(*list, options->data);
    list->footer("Example:\n  hatchery hook list --data demo");
    on_run(*list, exit_code, [options] { return run_hook_list(*options); });

    auto* test = group->add_subcommand("test", "Ask a hook about a device; changes nothing");
    test->add_option("NAME", options->name, "The hook's name or its Lambda ARN")->required();
    test->add_option("--event", options->event_file, "File with the event that AWS sends, JSON");
    test->add_option("--serial", options->serial_number, "A device with this serial number");
    test->add_option("--certificate", options->certificate_file, "The device's certificate, PEM");
    test->add_flag("--json", options->is_json, "A JSON object");
    add_data_option(*test, options->data);
    test->footer(
        "Example:\n  hatchery hook test FleetProvisioningHook --serial 123456 --data demo\n\n"
        "Exit codes: 0 allowed, 1 refused, 2 could not run.");
    on_answer(*test, exit_code, [options](int& answer) { return run_hook_test(*options, answer); });

    auto* check = group->add_subcommand("check", "Check rules files, for CI");
    check->add_option("FILE", options->files, "Rules files, TOML")->required();
    check->footer("Example:\n  hatchery hook check rules.toml");
    on_answer(
        *check, exit_code, [options](int& answer) { return run_hook_check(*options, answer); });
}

}  // namespace hatchery::command
