// hatchery template validate: what CI runs.
#include "provisioning/policy/policy.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/template_command.h"
#include "tools/hatchery/template_files.h"
#include "tools/hatchery/template_registry.h"
#include "tools/hatchery/template_report.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>
#include <memory>

namespace hatchery::command {

namespace {

using templates::Diagnostic;
using templates::Reference;
using templates::Severity;

struct ValidateOptions {
    std::vector<std::string> files;
    std::string type;
    std::string format = "text";
    std::string registry;
    ReportOptions report;
};

bool has_finding(const templates::BodyFindings& body,
                 std::string_view code,
                 const std::string& pointer) {
    return std::any_of(body.diagnostics.begin(), body.diagnostics.end(), [&](const auto& found) {
        return found.code == code && found.pointer == pointer;
    });
}

/// What the policy language says of the documents that a template brings: which is not the
/// template's, and known to the box of policies alone.
void check_policies(templates::BodyFindings& body) {
    for (const auto& text : body.policies) {
        const auto compiled = policy::compile(text.document);
        if (!compiled) {
            const Error& error = compiled.error();
            body.diagnostics.push_back(policy_finding(
                text,
                Severity::Error,
                error.message + (error.where.empty() ? "" : " at " + error.where + " in it")));
            continue;
        }
        // Said already, and the advice would be the same.
        if (has_finding(body, "T403", text.pointer)) continue;
        for (const auto& advice : policy::lint(*compiled)) {
            body.diagnostics.push_back(policy_finding(
                text,
                Severity::Warning,
                "statement " + std::to_string(advice.statement + 1) + ": " + advice.message));
        }
    }
}

void sort_findings(templates::BodyFindings& body) {
    std::stable_sort(body.diagnostics.begin(),
                     body.diagnostics.end(),
                     [](const Diagnostic& a, const Diagnostic& b) {
                         return std::pair(a.range.line, a.range.column) <
                                std::pair(b.range.line, b.range.column);
                     });
}

/// Adds what the registry lacks to the findings of one file. Each name is asked for once.
class RegistryCheck {
  public:
    explicit RegistryCheck(RegistryNames& names) : names_(names) {}

    Result<> run(templates::FileFindings& findings) {
        for (auto& body : findings.bodies) {
            for (const Reference& reference : body.references) {
                const auto exists = find(reference);
                if (!exists) return exists.error();
                if (!*exists) body.diagnostics.push_back(missing_reference(reference));
            }
        }
        return {};
    }

  private:
    Result<bool> find(const Reference& reference) {
        const std::pair key(reference.kind, reference.name);
        if (const auto known = known_.find(key); known != known_.end()) return known->second;
        auto exists = names_.exists(reference.kind, reference.name);
        if (exists) known_.emplace(key, *exists);
        return exists;
    }

    RegistryNames& names_;
    std::map<std::pair<templates::ReferenceKind, std::string>, bool> known_;
};

bool is_refused(const std::vector<CheckedFile>& files, bool is_strict) {
    return std::any_of(files.begin(), files.end(), [&](const CheckedFile& file) {
        const auto findings = file.findings.diagnostics();
        return std::any_of(findings.begin(), findings.end(), [&](const Diagnostic& found) {
            return is_strict || found.severity == Severity::Error;
        });
    });
}

/// What cannot be read is no finding; the others are checked all the same.
int validate(const ValidateOptions& options) {
    std::unique_ptr<RegistryNames> registry;
    if (!options.registry.empty()) {
        auto opened = open_registry(options.registry);
        if (!opened) return report(could_not_run(std::move(opened).error()));
        registry = std::move(*opened);
    }
    int result = kDone;
    std::vector<CheckedFile> checked;
    for (const std::string& name : options.files) {
        auto text = read_file(name);
        if (!text) {
            result = report(could_not_run(std::move(text).error()));
            continue;
        }
        CheckedFile file{name == "-" ? "<stdin>" : name, *std::move(text), {}};
        file.findings =
            templates::check_file(file.text, parse_template_kind(options.type), syntax_of(name));
        if (registry) {
            if (auto done = RegistryCheck(*registry).run(file.findings); !done) {
                return report(could_not_run(std::move(done).error()));
            }
        }
        for (auto& body : file.findings.bodies) {
            check_policies(body);
            sort_findings(body);
        }
        checked.push_back(std::move(file));
    }
    const auto format = parse_report_format(options.format).value_or(ReportFormat::Text);
    if (auto printed = print(format_report(checked, format, options.report)); !printed) {
        return report(printed.error());
    }
    if (result == kDone && is_refused(checked, options.report.strict)) return kRefused;
    return result;
}

}  // namespace

void add_template_validate(CLI::App& command, int& exit_code) {
    auto options = std::make_shared<ValidateOptions>();
    CLI::App* check = command.add_subcommand(
        "validate",
        "Check template files; prints FILE:LINE:COLUMN: error: MESSAGE [CODE] and exits with 1 if "
        "one would be refused, prints nothing and exits with 0 if all are good");
    check
        ->add_option("FILE",
                     options->files,
                     "Template, input document of the AWS CLI (create-provisioning-template and "
                     "others), or CloudFormation template (JSON, YAML); - for standard input")
        ->required();
    add_type_option(*check, options->type);
    check
        ->add_option("--format",
                     options->format,
                     "text, json, sarif (code scanners), github (annotations of a workflow)")
        ->check(CLI::IsMember({"text", "json", "sarif", "github"}));
    check->add_option("--registry",
                      options->registry,
                      "Check too that thing types, groups, billing groups and policies exist: a "
                      "data directory, or the URL of a control plane (credentials as the AWS CLI "
                      "takes them from the environment)");
    check->add_flag("--warnings", options->report.warnings, "Print warnings too (format text)");
    check->add_flag("--strict", options->report.strict, "Warnings count as errors");
    check->footer(
        "Example:\n  hatchery template validate --strict --type jitp template.json\n"
        "Exit codes: 0 clean, 1 findings, 2 a file or the registry could not be read");
    check->callback([options, &exit_code] { exit_code = validate(*options); });
}

}  // namespace hatchery::command
