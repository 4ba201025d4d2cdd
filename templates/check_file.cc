#include "templates/check_file.h"

#include "templates/diagnostics.h"
#include "templates/embedded_body.h"
#include "templates/json_document.h"
#include "templates/parameter_names.h"

#include <algorithm>
#include <array>

namespace hatchery::templates {

namespace {

/// Largest file that is read for templates: a CloudFormation template has at most 1 MB.
constexpr std::size_t kMaxSourceBytes = 1U << 20U;

bool makes_certificate(json::Value root) {
    const auto resources = root.find("Resources");
    if (!resources || !resources->is(json::Type::Object)) return false;
    for (const json::Value resource : *resources) {
        const auto properties = resource.find("Properties");
        if (!properties) continue;
        if (properties->find("CertificateSigningRequest") || properties->find("CertificatePem")) {
            return true;
        }
    }
    return false;
}

/// Do all parameters without Default come from the certificate, one beside the Id among them?
bool is_first_connect(json::Value root) {
    const auto parameters = root.find("Parameters");
    if (!parameters || !parameters->is(json::Type::Object)) return false;
    bool has_subject = false;
    for (const json::Value parameter : *parameters) {
        const std::string_view name = parameter.key();
        const bool is_of_certificate = is_certificate_parameter(name);
        if (!is_of_certificate && !parameter.find("Default")) return false;
        has_subject = has_subject || (is_of_certificate && name != kCertificateIdParameter);
    }
    return has_subject;
}

Kind guess_kind(std::string_view body) {
    const auto parsed = json::Document::parse(std::string(body));
    if (!parsed) return Kind::Claim;
    const json::Value root = (*parsed)->root();
    if (makes_certificate(root)) return Kind::Bulk;
    return is_first_connect(root) ? Kind::Jitp : Kind::Claim;
}

BodyFindings check_body(std::string_view body, std::optional<Kind> kind) {
    BodyFindings findings;
    findings.kind = kind ? *kind : guess_kind(body);
    Compiled compiled = compile(body, findings.kind);
    findings.diagnostics = std::move(compiled.diagnostics);
    findings.value = std::move(compiled.value);
    if (findings.value) {
        findings.references = references(*findings.value);
        findings.policies = policy_texts(*findings.value);
    }
    return findings;
}

FileFindings only(BodyFindings findings) {
    FileFindings out;
    out.bodies.push_back(std::move(findings));
    return out;
}

FileFindings only(Finding finding, Range range, std::string message, std::string suggestion) {
    Report report;
    report.add(finding, range, std::move(message), std::move(suggestion));
    BodyFindings findings;
    findings.diagnostics = report.take();
    return only(std::move(findings));
}

/// Checks the bodies of one file of another tool.
class ContainerChecker {
  public:
    ContainerChecker(const SourceTree& tree, std::optional<Kind> kind)
        : tree_(tree), lines_(tree.file), kind_(kind) {}

    FileFindings run(const std::vector<EmbeddedBody>& bodies) {
        FileFindings out;
        for (const EmbeddedBody& body : bodies)
            out.bodies.push_back(check(body));
        return out;
    }

  private:
    Range range_of(SourceId id) const {
        return lines_.range(tree_.node(id).begin, tree_.node(id).end);
    }

    BodyFindings check(const EmbeddedBody& body) {
        const auto asked = kind_ ? kind_ : body.kind;
        std::string function;
        const auto text = body_text(tree_, body.node, function);
        if (!text) return unreadable(body, function, asked);
        BodyFindings findings = check_body(text->text, asked);
        findings.pointer = body.pointer;
        place(findings, *text);
        advise(findings, body);
        return findings;
    }

    BodyFindings unreadable(const EmbeddedBody& body,
                            const std::string& function,
                            std::optional<Kind> kind) const {
        Report report;
        if (function.empty()) {
            const SourceNode& node = tree_.node(body.node);
            const std::string found = node.type == SourceNode::Type::Object ? "an object"
                                      : node.type == SourceNode::Type::List ? "a list"
                                      : node.text.empty()                   ? "null"
                                                                            : node.text;
            report.add(Finding::BodyNotAString,
                       range_of(body.node),
                       "expected a string of JSON as templateBody, found " + found);
        } else {
            report.add(Finding::BodyUnknown,
                       range_of(body.node),
                       "expected the text of a template, found " + function +
                           ", whose value is known when the stack is deployed");
        }
        BodyFindings findings;
        findings.pointer = body.pointer;
        findings.kind = kind.value_or(Kind::Claim);
        findings.diagnostics = report.take();
        return findings;
    }

    /// From lines and columns of the body to those of the file.
    void place(BodyFindings& findings, const BodyText& body) const {
        const LineIndex body_lines(body.text);
        const auto in_file = [&](const Range& range) {
            const std::size_t begin = body_lines.offset(range.line, range.column);
            const std::size_t end = body_lines.offset(range.end_line, range.end_column);
            return lines_.range(body.offsets[begin], body.offsets[end]);
        };
        for (Diagnostic& found : findings.diagnostics)
            found.range = in_file(found.range);
        auto& names = findings.references;
        std::erase_if(names, [](const Reference& reference) {
            return reference.name.find(kUnknownValue) != std::string::npos;
        });
        for (Reference& reference : names)
            reference.range = in_file(reference.range);
        for (PolicyText& policy : findings.policies)
            policy.range = in_file(policy.range);
    }

    /// What the document around the body forgets.
    void advise(BodyFindings& findings, const EmbeddedBody& body) const {
        if (!body.makes_template || !body.type_place) return;
        const SourceNode& place = tree_.node(*body.type_place);
        // A whole document as the place would underline everything: its first byte.
        const bool is_scalar = place.type == SourceNode::Type::Text;
        const Range range = lines_.range(place.begin, is_scalar ? place.end : place.begin + 1);
        Report report;
        if (!body.has_type && !kind_ && findings.kind == Kind::Jitp) {
            report.add(Finding::TypeForgotten,
                       range,
                       "expected the type JITP of a template whose parameters come from the "
                       "certificate, found no type, which means FLEET_PROVISIONING");
        }
        if (!body.is_enabled) {
            report.add(Finding::NotEnabled,
                       range,
                       "expected the template to be enabled, found that it is created disabled");
        }
        auto advice = report.take();
        findings.diagnostics.insert(findings.diagnostics.begin(), advice.begin(), advice.end());
    }

    const SourceTree& tree_;
    LineIndex lines_;
    std::optional<Kind> kind_;
};

bool looks_like_json(std::string_view text) {
    const std::size_t start = text.find_first_not_of(" \t\r\n");
    return start == std::string_view::npos ||
           std::string_view("{[\"").find(text[start]) != std::string_view::npos;
}

/// A provisioning template that somebody wrote in YAML: refused as what it is, no JSON.
bool is_bare_template(const SourceTree& tree) {
    const auto resources = tree.find(tree.root, "Resources");
    if (!resources) return false;
    constexpr std::array<std::string_view, 3> types = {
        "AWS::IoT::Thing", "AWS::IoT::Certificate", "AWS::IoT::Policy"};
    const auto& children = tree.node(*resources).children;
    return std::any_of(children.begin(), children.end(), [&](const auto& child) {
        const auto type = tree.find(child.second, "Type");
        return type && std::find(types.begin(), types.end(), tree.node(*type).text) != types.end();
    });
}

FileFindings check_yaml(std::string_view text, std::optional<Kind> kind, Syntax syntax) {
    const auto tree = parse_yaml(text);
    if (!tree) {
        if (syntax != Syntax::Yaml) return only(check_body(text, kind));
        const std::size_t at = tree.error().offset;
        return only(Finding::NotYaml,
                    LineIndex(text).range(at, at),
                    "expected well-formed YAML; the parser says: " + tree.error().message,
                    {});
    }
    const EmbeddedBodies found = find_bodies(*tree);
    if (found.shape == FileShape::Container) return ContainerChecker(*tree, kind).run(found.bodies);
    if (syntax == Syntax::Yaml && !is_bare_template(*tree)) return {};
    return only(check_body(text, kind));
}

}  // namespace

std::vector<Diagnostic> FileFindings::diagnostics() const {
    std::vector<Diagnostic> all;
    for (const BodyFindings& body : bodies)
        all.insert(all.end(), body.diagnostics.begin(), body.diagnostics.end());
    return all;
}

FileFindings check_file(std::string_view text, std::optional<Kind> kind, Syntax syntax) {
    if (text.size() > kMaxSourceBytes) return only(check_body(text, kind.value_or(Kind::Claim)));
    auto parsed = json::Document::parse(std::string(text));
    if (!parsed) {
        if (syntax == Syntax::Yaml || !looks_like_json(text)) return check_yaml(text, kind, syntax);
        json::SyntaxError& error = parsed.error();
        return only(error.too_deep ? Finding::TooDeep : Finding::NotJson,
                    error.range,
                    std::move(error.message),
                    std::move(error.suggestion));
    }
    const SourceTree tree = source_of_json(**parsed);
    const EmbeddedBodies found = find_bodies(tree);
    if (found.shape == FileShape::Bare) return only(check_body(text, kind));
    return ContainerChecker(tree, kind).run(found.bodies);
}

}  // namespace hatchery::templates
