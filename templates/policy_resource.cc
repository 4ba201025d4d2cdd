// AWS::IoT::Policy: a name, a document as an object or as a string, or both.
#include "templates/resources.h"
#include "templates/text.h"

#include <algorithm>
#include <array>

namespace hatchery::templates {

namespace {

bool holds(json::Value value, std::initializer_list<std::string_view> words) {
    if (value.is(json::Type::String)) {
        return std::find(words.begin(), words.end(), value.text()) != words.end();
    }
    if (!value.is(json::Type::List)) return false;
    for (const json::Value entry : value) {
        if (entry.is(json::Type::String) && holds(entry, words)) return true;
    }
    return false;
}

/// Effect Allow, every IoT action, every resource.
bool allows_everything(json::Value statement) {
    const auto effect = statement.find("Effect");
    const auto action = statement.find("Action");
    const auto resource = statement.find("Resource");
    return effect && action && resource && !statement.find("Condition") &&
           holds(*effect, {"Allow"}) && holds(*action, {"*", "iot:*"}) && holds(*resource, {"*"});
}

}  // namespace

void ResourceCompiler::policy(json::Value resource, json::Value properties) {
    constexpr std::array<std::string_view, 2> known = {"PolicyName", "PolicyDocument"};
    report_unknown_members(
        report_, Finding::UnknownProperty, properties, "a property of AWS::IoT::Policy", known);
    PolicyProgram program;
    program.logical_name = resource.key();
    const auto name = properties.find("PolicyName");
    const auto document = properties.find("PolicyDocument");
    if (!name && !document) {
        report_.add_at_key(Finding::NoPolicy,
                           resource,
                           "Neither policyName nor policyDocument is present in the Template.");
    }
    program.policy_name = property(properties, "PolicyName", kPolicyName);
    if (document) policy_document(program, *document);
    overrides(resource, {});
    out_.policies.push_back(std::move(program));
}

void ResourceCompiler::policy_document(PolicyProgram& program, json::Value value) {
    if (value.is(json::Type::String)) return policy_text(program, value);
    const bool is_object = value.is(json::Type::Object);
    if (FunctionCompiler::is_function(value)) {
        auto compiled = functions_.text(value);
        if (!compiled) return;
        if (compiled->op != Op::Text) {
            program.policy_document = out_.append(*compiled);
            return;
        }
        const auto parsed = json::Document::parse(compiled->text);
        if (!parsed || !(*parsed)->root().is(json::Type::Object)) {
            report_.add(Finding::NotAPolicy,
                        value,
                        "expected a function that gives a JSON object, found one that gives " +
                            in_quotes(compiled->text));
            return;
        }
        compiled->text = json::compact((*parsed)->root());
        program.policy_document = out_.append(*compiled);
        program.is_document_normal = true;
        return;
    }
    if (!is_object) {
        report_.add(Finding::NotAPolicy,
                    value,
                    expected_found("a policy document, an object or a string of JSON", value));
        return;
    }
    warn_of_everything(value, value);
    program.policy_document = out_.append(functions_.json_text(value));
    program.is_document_normal = true;
}

void ResourceCompiler::policy_text(PolicyProgram& program, json::Value value) {
    const auto parsed = json::Document::parse(std::string(value.text()));
    if (!parsed) {
        const json::SyntaxError& error = parsed.error();
        report_.add(Finding::NotAPolicy,
                    value,
                    "expected a string of JSON, found at its line " +
                        std::to_string(error.range.line) + ", column " +
                        std::to_string(error.range.column) + ": " + error.message,
                    error.suggestion);
        return;
    }
    const json::Value root = (*parsed)->root();
    if (!root.is(json::Type::Object)) {
        report_.add(Finding::NotAPolicy,
                    value,
                    expected_found("a string that holds a JSON object", root) + " in it");
        return;
    }
    warn_of_everything(root, value);
    // The form that an object has, so that both spellings of a document make the same policy.
    auto compiled = functions_.text(value);
    if (!compiled) return;
    compiled->text = json::compact(root);
    program.policy_document = out_.append(*compiled);
    program.is_document_normal = true;
}

void ResourceCompiler::warn_of_everything(json::Value policy, json::Value at) {
    const auto statements = policy.find("Statement");
    if (!statements) return;
    bool is_open = allows_everything(*statements);
    if (statements->is(json::Type::List)) {
        for (const json::Value statement : *statements) {
            is_open = is_open || allows_everything(statement);
        }
    }
    if (!is_open) return;
    report_.add(Finding::AllowsEverything,
                at,
                "expected a policy limited to the device's own topics, found one that allows every "
                "action on every resource");
}

}  // namespace hatchery::templates
