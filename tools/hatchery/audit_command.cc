// hatchery audit: what is wrong with the identities of this account, as a table.
#include "provisioning/audit/audit.h"
#include "tools/hatchery/audit_surroundings.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/options.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <memory>

namespace hatchery::command {

namespace {

struct AuditOptions {
    DataOptions data;
    std::vector<std::string> checks;
    bool is_json = false;
    int limit = 100;
};

constexpr int kFindingsAPage = 250;

std::vector<std::string> wanted_checks(const AuditOptions& options) {
    if (!options.checks.empty()) return options.checks;
    std::vector<std::string> names;
    for (const auto& check : audit::all_checks())
        names.emplace_back(check.name);
    return names;
}

/// Of the resource, without AWS's names around it: {"clientId":"c1"} is c1.
std::string resource_name(const std::string& identifier) {
    const auto json = nlohmann::json::parse(identifier, nullptr, false);
    if (!json.is_object() || json.empty()) return identifier;
    const auto& value = *json.begin();
    if (value.is_string()) return value.get<std::string>();
    std::string name;
    for (const auto& [key, part] : value.items())
        name +=
            (name.empty() ? "" : ":") + (part.is_string() ? part.get<std::string>() : part.dump());
    return name;
}

std::string row(std::string_view severity, std::string_view check, const std::string& rest) {
    std::string text(severity);
    text.resize(std::max<std::size_t>(text.size(), 9), ' ');
    text += std::string(check) + "  ";
    return text + rest + "\n";
}

/// Up to `limit` findings, worst first.
Result<std::vector<registry::AuditFinding>> findings_of(store::Store& store,
                                                        const std::string& task,
                                                        int limit) {
    std::vector<registry::AuditFinding> all;
    registry::AuditFindingFilter filter;
    filter.task_id = task;
    registry::PageRequest request{"", kFindingsAPage};
    while (static_cast<int>(all.size()) < limit) {
        auto page = store.read([&](store::Reader& reader) {
            return registry::list_audit_findings(reader, request, filter);
        });
        if (!page) return std::move(page).error();
        std::move(page->items.begin(), page->items.end(), std::back_inserter(all));
        if (!page->next) break;
        request.after = *page->next;
    }
    if (static_cast<int>(all.size()) > limit) all.resize(static_cast<std::size_t>(limit));
    const auto rank = [](const registry::AuditFinding& finding) {
        constexpr std::array<std::string_view, 4> kOrder{"CRITICAL", "HIGH", "MEDIUM", "LOW"};
        return std::find(kOrder.begin(), kOrder.end(), finding.severity) - kOrder.begin();
    };
    std::stable_sort(
        all.begin(), all.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    return all;
}

std::string as_table(const registry::AuditTask& task,
                     const std::vector<registry::AuditFinding>& findings) {
    std::string text;
    for (const auto& finding : findings) {
        text += row(finding.severity,
                    finding.check,
                    resource_name(finding.resource.identifier) + "  " + finding.reason + " [" +
                        finding.reason_code + "]");
    }
    std::int64_t total = 0, suppressed = 0;
    for (const auto& run : task.checks) {
        total += run.non_compliant;
        suppressed += run.suppressed;
        if (run.status == registry::AuditCheckStatus::Failed)
            text += row("FAILED", run.name, run.message);
    }
    return text + std::to_string(task.checks.size()) + " checks, " + std::to_string(total) +
           " findings" + (suppressed > 0 ? ", " + std::to_string(suppressed) + " suppressed" : "") +
           (total > static_cast<std::int64_t>(findings.size())
                ? ", the first " + std::to_string(findings.size()) + " shown (--limit)"
                : "") +
           "\n";
}

std::string as_json(const registry::AuditTask& task,
                    const std::vector<registry::AuditFinding>& findings) {
    nlohmann::ordered_json json;
    json["taskId"] = task.id;
    json["taskStatus"] = registry::to_string(task.status);
    json["findings"] = nlohmann::ordered_json::array();
    for (const auto& finding : findings) {
        json["findings"].push_back(
            {{"severity", finding.severity},
             {"checkName", finding.check},
             {"resourceType", finding.resource.type},
             {"resourceIdentifier",
              nlohmann::ordered_json::parse(finding.resource.identifier, nullptr, false)},
             {"reasonForNonCompliance", finding.reason},
             {"reasonForNonComplianceCode", finding.reason_code}});
    }
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<> run_audit(const AuditOptions& options, int& exit_code) {
    const auto checks = wanted_checks(options);
    if (auto known = audit::check_names(checks); !known) return known;
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    auto surroundings = audit_surroundings(*data);
    if (!surroundings) return std::move(surroundings).error();
    const Time now = clock_now();
    auto task = (*store)->write([&](store::Tx& tx) {
        return registry::add_audit_task(
            tx, checks, std::nullopt, now, registry::AuditRunner::Command);
    });
    if (!task) return std::move(task).error();
    auto done = audit::run_task(**store, data->config().account, *task, now, {}, *surroundings);
    if (!done) return std::move(done).error();
    auto findings = findings_of(**store, done->id, options.limit);
    if (!findings) return std::move(findings).error();
    const bool is_clean =
        std::all_of(done->checks.begin(), done->checks.end(), [](const auto& run) {
            return run.status == registry::AuditCheckStatus::Compliant;
        });
    if (!is_clean) exit_code = 1;
    return print(options.is_json ? as_json(*done, *findings) : as_table(*done, *findings));
}

}  // namespace

void add_audit_command(CLI::App& app, int& exit_code) {
    auto* command =
        app.add_subcommand("audit", "Find identities and policies that are not as they should be");
    auto options = std::make_shared<AuditOptions>();
    command->add_option(
        "--check", options->checks, "One check by its name (repeatable; default: all)");
    add_data_option(*command, options->data);
    command->add_option("--limit", options->limit, "Findings to show (default 100)")
        ->check(CLI::Range(1, 1'000'000));
    command->add_flag("--json", options->is_json, "Print JSON");
    command->footer(
        "Example:\n  hatchery audit --data plant --check DEVICE_CERTIFICATE_EXPIRING_CHECK\n\n"
        "The findings stay for `aws iot list-audit-findings`; suppressed ones do not count.\n"
        "Works while the server runs. Exit code 1: there are findings, or a check failed.");
    command->callback([options, &exit_code] {
        int found = 0;
        exit_code = finish(run_audit(*options, found));
        if (exit_code == 0) exit_code = found;
    });
}

}  // namespace hatchery::command
