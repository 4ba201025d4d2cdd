#include "templates/check_file.h"

#include "templates/diagnostics.h"
#include "templates/json_document.h"
#include "templates/parameter_names.h"

#include <algorithm>

namespace hatchery::templates {

namespace {

/// Largest file that is read for a template: an input document adds little to 10,240 characters,
/// each of which may be written as a surrogate pair of twelve bytes.
constexpr std::size_t kMaxFileBytes = 262'144;

/// For each byte of a decoded JSON string, and its end, where in `text` it was written.
std::vector<std::size_t> offsets_of(std::string_view text, const json::Node& node) {
    std::vector<std::size_t> offsets;
    std::size_t at = node.begin + 1;
    while (at + 1 < node.end) {
        const std::size_t start = at;
        if (text[at] != '\\') {
            offsets.push_back(start);
            ++at;
            continue;
        }
        // The text was parsed: an escape is complete, and a surrogate pair is four bytes of UTF-8.
        std::size_t bytes = 1;
        at += 2;
        if (text[start + 1] == 'u') {
            const auto unit = std::stoul(std::string(text.substr(start + 2, 4)), nullptr, 16);
            const bool is_pair = unit >= 0xD800 && unit <= 0xDBFF;
            at = start + (is_pair ? 12 : 6);
            bytes = is_pair ? 4 : unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
        }
        offsets.insert(offsets.end(), bytes, start);
    }
    offsets.push_back(at);
    return offsets;
}

std::size_t offset_in(std::string_view text, std::size_t line, std::size_t column) {
    std::size_t start = 0;
    for (std::size_t i = 1; i < line; ++i)
        start = text.find('\n', start) + 1;
    return start + column - 1;
}

std::optional<Kind> kind_of_document(json::Value root) {
    const auto type = root.find("type");
    if (!type || !type->is(json::Type::String)) return std::nullopt;
    if (type->text() == "JITP") return Kind::Jitp;
    if (type->text() == "FLEET_PROVISIONING") return Kind::Claim;
    return std::nullopt;
}

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

FileFindings check_body(std::string_view body, std::optional<Kind> kind) {
    FileFindings findings;
    findings.kind = kind ? *kind : guess_kind(body);
    findings.diagnostics = compile(body, findings.kind).diagnostics;
    return findings;
}

FileFindings check_input_document(const json::Document& document,
                                  json::Value body,
                                  std::optional<Kind> kind) {
    if (!kind) kind = kind_of_document(document.root());
    if (!body.is(json::Type::String)) {
        Report report;
        report.add(Finding::BodyNotAString,
                   body,
                   expected_found("a string of JSON as templateBody", body));
        return {kind.value_or(Kind::Claim), report.take()};
    }
    FileFindings findings = check_body(body.text(), kind);
    const auto offsets = offsets_of(document.text(), body.node());
    const auto in_file = [&](std::size_t line, std::size_t column) {
        const std::size_t offset = offset_in(body.text(), line, column);
        return offsets[std::min(offset, offsets.size() - 1)];
    };
    for (Diagnostic& found : findings.diagnostics) {
        const Range& range = found.range;
        found.range = document.range(in_file(range.line, range.column),
                                     in_file(range.end_line, range.end_column));
    }
    return findings;
}

}  // namespace

FileFindings check_file(std::string_view text, std::optional<Kind> kind) {
    if (text.size() > kMaxFileBytes) return check_body(text, kind.value_or(Kind::Claim));
    // What cannot be parsed is taken for a bare template: compile says what is wrong with it.
    const auto parsed = json::Document::parse(std::string(text));
    if (!parsed) return check_body(text, kind);
    const json::Document& document = **parsed;
    const auto body = document.root().find("templateBody");
    if (!body || document.root().find("Resources")) return check_body(text, kind);
    return check_input_document(document, *body, kind);
}

}  // namespace hatchery::templates
