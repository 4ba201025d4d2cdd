// hatchery policy: what IoT policies allow, before a device finds out.
#include "provisioning/flows/service.h"
#include "provisioning/registry/policies.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/options.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>
#include <vector>

namespace hatchery::command {

namespace {

constexpr std::size_t kMaxPolicyBytes = 404'600;  // PolicyDocument, iot 2015-05-28

struct PolicyOptions {
    std::vector<std::string> files;
    std::string action, resource, client_id, thing;
    std::vector<std::string> values;
    std::string account = registry::Account{}.id, region = registry::Account{}.region;
    bool is_json = false, is_strict = false;
};

struct NamedPolicy {
    std::string name;
    policy::Document document;
};

Result<std::vector<NamedPolicy>> read_policies(const std::vector<std::string>& files) {
    std::vector<NamedPolicy> policies;
    for (const auto& file : files) {
        auto text = read_file(file, kMaxPolicyBytes);
        if (!text) return std::move(text).error();
        auto document = policy::compile(*text);
        if (!document) {
            Error error = std::move(document).error();
            error.where = file + (error.where.empty() ? "" : ":" + error.where);
            return error;
        }
        policies.push_back({file, std::move(*document)});
    }
    return policies;
}

/// "topic/a/b" with an ARN's front, or a whole ARN as it is.
std::string resource_arn(const PolicyOptions& options) {
    if (options.resource.starts_with("arn:")) return options.resource;
    return "arn:aws:iot:" + options.region + ":" + options.account + ":" + options.resource;
}

Result<policy::Context> read_context(const PolicyOptions& options) {
    policy::Context context;
    if (!options.client_id.empty()) context.set("iot:ClientId", options.client_id);
    context.set("iot:Connection.Thing.IsAttached", options.thing.empty() ? "false" : "true");
    if (!options.thing.empty()) context.set("iot:Connection.Thing.ThingName", options.thing);
    for (const auto& value : options.values) {
        const std::size_t equals = value.find('=');
        if (equals == std::string::npos || equals == 0) {
            return could_not_run(fail(
                Code::InvalidRequest, "expected NAME=VALUE, found \"" + value + "\"", "--set"));
        }
        context.values[value.substr(0, equals)].push_back(value.substr(equals + 1));
    }
    return context;
}

std::string place_of(const std::vector<NamedPolicy>& policies,
                     std::size_t document,
                     std::size_t statement,
                     const std::string& sid) {
    return policies[document].name + " /Statement/" + std::to_string(statement) +
           (sid.empty() ? "" : " (" + sid + ")");
}

std::string explained_text(const std::vector<NamedPolicy>& policies,
                           const policy::Explanation& explained) {
    std::string text(policy::to_string(explained.decision.effect));
    text += "\n";
    for (const auto& one : explained.statements) {
        text += "  " + place_of(policies, one.document, one.statement, one.sid) + ": " +
                (one.is_deny ? "Deny " : "Allow ") + std::string(policy::to_string(one.outcome));
        for (const auto& name : one.unset)
            text += " ${" + name + "}";
        text += "\n";
    }
    return text;
}

std::string explained_json(const std::vector<NamedPolicy>& policies,
                           const policy::Explanation& explained) {
    auto statements = nlohmann::ordered_json::array();
    for (const auto& one : explained.statements) {
        statements.push_back({{"policy", policies[one.document].name},
                              {"statement", one.statement},
                              {"sid", one.sid},
                              {"effect", one.is_deny ? "Deny" : "Allow"},
                              {"outcome", policy::to_string(one.outcome)},
                              {"unset", one.unset}});
    }
    const nlohmann::ordered_json body = {{"decision", policy::to_string(explained.decision.effect)},
                                         {"statements", statements}};
    return body.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<> run_policy_test(const PolicyOptions& options) {
    const auto action = policy::parse_action(options.action);
    if (!action) {
        return could_not_run(
            fail(Code::InvalidRequest,
                 "expected Connect, Publish, RetainPublish, Subscribe, Receive or an "
                 "action of job executions, found \"" +
                     options.action + "\"",
                 "--action"));
    }
    auto policies = read_policies(options.files);
    if (!policies) return could_not_run(std::move(policies).error());
    auto context = read_context(options);
    if (!context) return std::move(context).error();
    std::vector<policy::Document> documents;
    for (const auto& one : *policies)
        documents.push_back(one.document);
    const policy::Request request{*action, resource_arn(options)};
    const auto explained = policy::explain(documents, request, *context);
    auto printed = print(options.is_json ? explained_json(*policies, explained)
                                         : explained_text(*policies, explained));
    if (!printed) return printed;
    const auto& decision = explained.decision;
    if (decision.effect == policy::Effect::Allowed) return {};
    std::string why = std::string(policy::to_string(*action)) + " on " + request.resource +
                      " is denied: " + std::string(policy::to_string(decision.effect));
    if (decision.effect == policy::Effect::ExplicitDeny) {
        why += " by " + place_of(*policies, decision.document, decision.statement, decision.sid);
    }
    return fail(Code::Forbidden, std::move(why));
}

Result<> run_policy_lint(const PolicyOptions& options) {
    auto policies = read_policies(options.files);
    if (!policies) return std::move(policies).error();
    auto found = nlohmann::ordered_json::array();
    std::string text;
    std::size_t refusals = 0;
    for (const auto& one : *policies) {
        for (const auto& finding : policy::lint(one.document)) {
            const bool is_error = finding.severity == policy::Finding::Severity::Error;
            if (is_error || options.is_strict) ++refusals;
            text += one.name + ": /Statement/" + std::to_string(finding.statement) + ": " +
                    std::string(policy::to_string(finding.severity)) + ": " + finding.rule + ": " +
                    finding.message + "\n";
            found.push_back({{"policy", one.name},
                             {"statement", finding.statement},
                             {"severity", policy::to_string(finding.severity)},
                             {"rule", finding.rule},
                             {"message", finding.message}});
        }
    }
    const auto replace = nlohmann::json::error_handler_t::replace;
    if (auto out = print(options.is_json ? found.dump(2, ' ', false, replace) + "\n" : text); !out)
        return out;
    if (refusals == 0) return {};
    return fail(Code::MalformedPolicy,
                std::to_string(refusals) + (refusals == 1 ? " finding" : " findings"));
}

}  // namespace

void add_policy_command(CLI::App& app, int& exit_code) {
    auto* group = app.add_subcommand("policy", "Try out and check IoT policies");
    group->require_subcommand(1);
    group->footer("Example:\n  hatchery policy lint policy.json");
    auto options = std::make_shared<PolicyOptions>();

    auto* test = group->add_subcommand(
        "test", "Say whether policies allow an action, and what each statement says of it");
    test->add_option("FILE", options->files, "Policy documents; all of them apply")->required();
    test->add_option("--action", options->action, "Connect, Publish, Subscribe …")->required();
    test->add_option("--resource", options->resource, "topic/a/b, client/c1, or a whole ARN")
        ->required();
    test->add_option("--client-id", options->client_id, "The MQTT client id");
    test->add_option("--thing", options->thing, "The attached thing's name");
    test->add_option("--set", options->values, "A policy variable or condition key, NAME=VALUE")
        ->allow_extra_args(false);
    test->add_option("--account", options->account, "Account of the resource's ARN");
    test->add_option("--region", options->region, "Region of the resource's ARN");
    test->add_flag("--json", options->is_json, "One JSON object");
    test->footer(
        "Exit codes: 0 allowed, 1 denied, 2 could not run.\n"
        "Example:\n  hatchery policy test policy.json --action Publish --resource topic/a/t1 "
        "--client-id t1 --thing t1");
    on_run(*test, exit_code, [options] { return run_policy_test(*options); });

    auto* lint = group->add_subcommand(
        "lint", "Find statements that allow more, or do less, than they seem to");
    lint->add_option("FILE", options->files, "Policy documents")->required();
    lint->add_flag("--strict", options->is_strict, "Warnings count as errors");
    lint->add_flag("--json", options->is_json, "A JSON array");
    lint->footer("Example:\n  hatchery policy lint policy.json");
    on_run(*lint, exit_code, [options] { return run_policy_lint(*options); });
}

}  // namespace hatchery::command
