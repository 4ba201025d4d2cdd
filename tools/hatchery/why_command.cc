// hatchery why: what became of a device, a certificate, a serial number, and at which step.
#include "provisioning/registry/attempts.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/things.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/options.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <memory>
#include <optional>

namespace hatchery::command {

namespace {

constexpr int kMostAttempts = 1000;

struct WhyOptions {
    DataOptions data;
    std::string name;
    int limit = 5;
    bool is_json = false;
};

/// What the registry says now, beside what it said at each attempt.
struct Present {
    std::optional<registry::DeviceCertificate> certificate;
    std::vector<std::string> things, policies;
    bool is_thing = false;  // the name itself is a thing's
    std::vector<std::string> principals;
};

struct Explanation {
    std::vector<registry::Attempt> attempts;
    Present present;
};

/// A certificate id or serial number as openssl prints it: colons, upper case.
std::string without_colons(std::string_view name) {
    std::string plain;
    for (const char c : name) {
        if (c != ':') {
            plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
    }
    return plain;
}

Result<Present> present_state(store::Reader& reader, const std::string& name) {
    Present present;
    if (auto thing = registry::find_thing(reader, name)) {
        present.is_thing = true;
        auto principals = registry::principals_of_thing(reader, name);
        if (!principals) return std::move(principals).error();
        for (const auto& id : *principals)
            present.principals.push_back(id.hex());
    }
    auto id = CertificateId::parse(without_colons(name));
    if (!id) return present;
    auto certificate = registry::find_certificate(reader, *id);
    if (!certificate) return present;
    present.certificate = std::move(*certificate);
    auto things = registry::things_of_principal(reader, *id);
    if (!things) return std::move(things).error();
    for (auto& thing : *things)
        present.things.push_back(std::move(thing.name));
    auto policies = registry::policies_of_certificate(reader, *id);
    if (!policies) return std::move(policies).error();
    for (auto& policy : *policies)
        present.policies.push_back(std::move(policy.name));
    return present;
}

Result<Explanation> explain(store::Reader& reader, const WhyOptions& options) {
    auto attempts = registry::find_attempts(reader, options.name, options.limit);
    const std::string plain = without_colons(options.name);
    if (attempts && attempts->empty() && plain != options.name) {
        attempts = registry::find_attempts(reader, plain, options.limit);
    }
    if (!attempts) return std::move(attempts).error();
    auto present = present_state(reader, options.name);
    if (!present) return std::move(present).error();
    const bool is_known = !attempts->empty() || present->certificate || present->is_thing;
    if (!is_known) {
        return fail(Code::NotFound,
                    "no attempt, certificate or thing is known by the name \"" + options.name +
                        "\": expected a certificate id, a serial number, a client id or a thing");
    }
    return Explanation{std::move(*attempts), std::move(*present)};
}

std::string joined(const std::vector<std::string>& words, std::string_view none) {
    if (words.empty()) return std::string(none);
    std::string text;
    for (const auto& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

std::string as_text(const Present& present) {
    std::string text;
    if (present.certificate) {
        text += "now: certificate is " +
                std::string(registry::to_string(present.certificate->status)) +
                "; things: " + joined(present.things, "none") +
                "; policies: " + joined(present.policies, "none") + "\n";
    }
    if (present.is_thing) {
        text += "now: thing exists; certificates: " + joined(present.principals, "none") + "\n";
    }
    return text;
}

std::string as_text(const registry::AttemptStep& step) {
    std::string text = step.passed ? "  ok    " : "  FAIL  ";
    text += one_line(step.name);
    if (!step.found.empty()) text += ": " + one_line(step.found);
    text += "\n";
    if (!step.passed && !step.expected.empty()) {
        text += "          expected: " + one_line(step.expected) + "\n";
    }
    if (!step.where.empty()) text += "          at: " + one_line(step.where) + "\n";
    return text;
}

std::string as_text(const registry::Attempt& attempt) {
    std::string text = to_iso8601(attempt.last) + " " + std::string(to_string(attempt.kind)) +
                       (attempt.succeeded ? " done" : " refused (" + attempt.code + ")");
    if (attempt.count > 1) {
        text += ", " + std::to_string(attempt.count) + " times since " + to_iso8601(attempt.first);
    }
    text += "\n";
    const auto line = [&](std::string_view what, const std::string& value) {
        if (!value.empty()) text.append("  ").append(what).append(one_line(value)).append("\n");
    };
    line("certificate  ", attempt.certificate);
    line("client id    ", attempt.client_id);
    line("thing        ", attempt.thing);
    line("template     ", attempt.template_name);
    line("from         ", attempt.source);
    for (const auto& step : attempt.steps)
        text += as_text(step);
    return text;
}

std::string as_text(const Explanation& explanation) {
    std::string text = as_text(explanation.present);
    for (const auto& attempt : explanation.attempts)
        text += (text.empty() ? "" : "\n") + as_text(attempt);
    if (explanation.attempts.empty()) text += "no attempt is on record\n";
    return text;
}

nlohmann::ordered_json as_json(const registry::Attempt& attempt) {
    nlohmann::ordered_json json;
    json["attempt"] = to_string(attempt.kind);
    json["outcome"] = attempt.succeeded ? "done" : "refused";
    json["code"] = attempt.code;
    json["first"] = to_iso8601(attempt.first);
    json["last"] = to_iso8601(attempt.last);
    json["count"] = attempt.count;
    json["certificateId"] = attempt.certificate;
    json["clientId"] = attempt.client_id;
    json["thingName"] = attempt.thing;
    json["templateName"] = attempt.template_name;
    json["source"] = attempt.source;
    auto& steps = json["steps"] = nlohmann::ordered_json::array();
    for (const auto& step : attempt.steps) {
        steps.push_back({{"step", step.name},
                         {"outcome", step.passed ? "ok" : "failed"},
                         {"expected", step.expected},
                         {"found", step.found},
                         {"where", step.where}});
    }
    return json;
}

std::string as_json(const Explanation& explanation, const std::string& name) {
    nlohmann::ordered_json json;
    json["name"] = name;
    const Present& present = explanation.present;
    if (present.certificate) {
        json["certificate"] = {{"status", registry::to_string(present.certificate->status)},
                               {"things", present.things},
                               {"policies", present.policies}};
    }
    if (present.is_thing) json["thing"] = {{"certificates", present.principals}};
    auto& attempts = json["attempts"] = nlohmann::ordered_json::array();
    for (const auto& attempt : explanation.attempts)
        attempts.push_back(as_json(attempt));
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<> run_why(const WhyOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    auto explanation =
        (*store)->read([&](store::Reader& reader) { return explain(reader, options); });
    if (!explanation) return std::move(explanation).error();
    return print(options.is_json ? as_json(*explanation, options.name) : as_text(*explanation));
}

}  // namespace

void add_why_command(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("why", "Why was this device refused, or how did it get in?");
    auto options = std::make_shared<WhyOptions>();
    command
        ->add_option("NAME",
                     options->name,
                     "Certificate id, serial number (decimal or hexadecimal), client id or thing")
        ->required();
    add_data_option(*command, options->data);
    command->add_option("--limit", options->limit, "Attempts to show, the newest first (default 5)")
        ->check(CLI::Range(1, kMostAttempts));
    command->add_flag("--json", options->is_json, "Print JSON");
    command->footer(
        "Example:\n  hatchery why 4711 --data demo\n\n"
        "Shows each step of the newest attempts: what was expected, what was found, where in the\n"
        "template or policy. Works while the server runs. Exit code 1: nothing is known by NAME.");
    on_run(*command, exit_code, [options] { return run_why(*options); });
}

}  // namespace hatchery::command
