#include "tools/hatchery/template_report.h"

#include "ca/base/bytes.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::command {

namespace {

using nlohmann::ordered_json;
using templates::Diagnostic;
using templates::Severity;

std::string_view line_of(std::string_view text, std::size_t line) {
    std::size_t start = 0;
    for (std::size_t i = 1; i < line; ++i) {
        const std::size_t end = text.find('\n', start);
        if (end == std::string_view::npos) return {};
        start = end + 1;
    }
    std::string_view rest = text.substr(start);
    rest = rest.substr(0, rest.find('\n'));
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    return rest;
}

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

/// The source line with a caret under the place; a long line is cut around it.
std::string source_excerpt(std::string_view text, const templates::Range& range) {
    constexpr std::size_t width = 100;
    const std::string_view line = line_of(text, range.line);
    const std::size_t at = std::min(range.column - 1, line.size());
    const auto continues = [&](std::size_t i) {
        return i < line.size() && is_continuation(line[i]);
    };
    std::size_t from = line.size() > width && at > width / 2 ? at - width / 2 : 0;
    while (continues(from))
        ++from;
    std::size_t to = std::min(line.size(), from + width);
    while (continues(to))
        ++to;
    std::size_t end = range.end_line == range.line ? range.end_column - 1 : line.size();
    end = std::min(std::max(end, at + 1), std::max(to, at + 1));
    std::string shown;
    std::string marks;
    for (std::size_t i = from; i < to || i < end; ++i) {
        const char c = i < line.size() ? line[i] : ' ';
        // Control characters would move the caret, or the reader's terminal.
        shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
        if (continues(i) || i >= end) continue;
        marks += i < at ? ' ' : i == at ? '^' : '~';
    }
    while (shown.ends_with(' '))
        shown.pop_back();
    return "    " + shown + "\n    " + marks + "\n";
}

bool counts_as_error(const Diagnostic& found, const ReportOptions& options) {
    return found.severity == Severity::Error || options.strict;
}

std::string text_report(const std::vector<CheckedFile>& files, const ReportOptions& options) {
    std::string out;
    for (const CheckedFile& file : files) {
        for (const Diagnostic& found : file.findings.diagnostics()) {
            const bool is_error = found.severity == Severity::Error;
            if (!is_error && !options.strict && !options.warnings) continue;
            out += file.name + ':' + std::to_string(found.range.line) + ':' +
                   std::to_string(found.range.column) + ": " + (is_error ? "error" : "warning") +
                   ": " + found.message + " [" + found.code + "]\n" +
                   source_excerpt(file.text, found.range);
            if (!found.suggestion.empty()) out += "    suggestion: " + found.suggestion + "\n";
        }
    }
    return out;
}

/// Bytes of a hostile file name or message that are no UTF-8 must not throw.
std::string dump(const ordered_json& value) {
    return value.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string json_report(const std::vector<CheckedFile>& files, const ReportOptions& options) {
    ordered_json findings = ordered_json::array();
    std::size_t errors = 0;
    std::size_t warnings = 0;
    for (const CheckedFile& file : files) {
        for (const auto& body : file.findings.bodies) {
            for (const Diagnostic& found : body.diagnostics) {
                const bool is_error = counts_as_error(found, options);
                ++(is_error ? errors : warnings);
                ordered_json entry = {{"file", file.name},
                                      {"template", body.pointer},
                                      {"type", templates::to_string(body.kind)},
                                      {"code", found.code},
                                      {"severity", is_error ? "error" : "warning"},
                                      {"pointer", found.pointer},
                                      {"line", found.range.line},
                                      {"column", found.range.column},
                                      {"endLine", found.range.end_line},
                                      {"endColumn", found.range.end_column},
                                      {"message", found.message}};
                if (!found.suggestion.empty()) entry["suggestion"] = found.suggestion;
                findings.push_back(std::move(entry));
            }
        }
    }
    return dump({{"files", files.size()},
                 {"errors", errors},
                 {"warnings", warnings},
                 {"findings", std::move(findings)}});
}

/// A byte column as SARIF counts: characters, from 1.
std::size_t character_column(std::string_view text, std::size_t line, std::size_t column) {
    const std::string_view before = line_of(text, line).substr(0, column - 1);
    const auto continuations = std::count_if(before.begin(), before.end(), is_continuation);
    return column - static_cast<std::size_t>(continuations);
}

/// A file name as a URI reference (RFC 3986 section 4.2).
std::string uri_of(const std::string& name) {
    return name == "<stdin>" ? "stdin" : percent_encode(name, Slash::Keep);
}

ordered_json sarif_result(const CheckedFile& file,
                          const templates::BodyFindings& body,
                          const Diagnostic& found,
                          const ReportOptions& options) {
    std::string message = found.message;
    if (!found.suggestion.empty()) message += " (" + found.suggestion + ")";
    const auto& range = found.range;
    const ordered_json region = {
        {"startLine", range.line},
        {"startColumn", character_column(file.text, range.line, range.column)},
        {"endLine", range.end_line},
        {"endColumn", character_column(file.text, range.end_line, range.end_column)}};
    ordered_json location = {
        {"physicalLocation",
         {{"artifactLocation", {{"uri", uri_of(file.name)}}}, {"region", region}}}};
    location["logicalLocations"] =
        ordered_json::array({{{"fullyQualifiedName", body.pointer + "#" + found.pointer}}});
    return {{"ruleId", found.code},
            {"level", counts_as_error(found, options) ? "error" : "warning"},
            {"message", {{"text", message}}},
            {"locations", ordered_json::array({location})}};
}

std::string sarif_report(const std::vector<CheckedFile>& files, const ReportOptions& options) {
    ordered_json results = ordered_json::array();
    ordered_json rules = ordered_json::array();
    std::vector<std::string> codes;
    for (const CheckedFile& file : files) {
        for (const auto& body : file.findings.bodies) {
            for (const Diagnostic& found : body.diagnostics) {
                ordered_json result = sarif_result(file, body, found, options);
                const auto known = std::find(codes.begin(), codes.end(), found.code);
                result["ruleIndex"] = known - codes.begin();
                results.push_back(std::move(result));
                if (known != codes.end()) continue;
                codes.push_back(found.code);
                const std::string help(templates::explain(found.code).value_or(""));
                rules.push_back({{"id", found.code},
                                 {"fullDescription", {{"text", help}}},
                                 {"help", {{"text", help}}}});
            }
        }
    }
    const ordered_json driver = {{"name", "hatchery"}, {"rules", std::move(rules)}};
    const ordered_json run = {{"tool", {{"driver", driver}}},
                              {"columnKind", "unicodeCodePoints"},
                              {"results", std::move(results)}};
    return dump({{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                 {"version", "2.1.0"},
                 {"runs", ordered_json::array({run})}});
}

/// GitHub's workflow commands end at a line break and, in properties, at ',' and ':'.
std::string github_escaped(std::string_view text, bool is_property) {
    std::string out;
    for (const char c : text) {
        if (c == '%') {
            out += "%25";
        } else if (c == '\r') {
            out += "%0D";
        } else if (c == '\n') {
            out += "%0A";
        } else if (is_property && c == ':') {
            out += "%3A";
        } else if (is_property && c == ',') {
            out += "%2C";
        } else {
            out += c;
        }
    }
    return out;
}

std::string github_report(const std::vector<CheckedFile>& files, const ReportOptions& options) {
    std::string out;
    for (const CheckedFile& file : files) {
        for (const Diagnostic& found : file.findings.diagnostics()) {
            const auto& range = found.range;
            out += counts_as_error(found, options) ? "::error " : "::warning ";
            out += "file=" + github_escaped(file.name, true) +
                   ",line=" + std::to_string(range.line) +
                   ",endLine=" + std::to_string(range.end_line);
            // GitHub refuses columns of a range over several lines.
            if (range.line == range.end_line) {
                out += ",col=" +
                       std::to_string(character_column(file.text, range.line, range.column)) +
                       ",endColumn=" +
                       std::to_string(character_column(file.text, range.line, range.end_column));
            }
            out += ",title=" + found.code + "::" + github_escaped(found.message, false);
            if (!found.suggestion.empty()) {
                out += "%0A" + github_escaped(found.suggestion, false);
            }
            out += "\n";
        }
    }
    return out;
}

}  // namespace

std::optional<ReportFormat> parse_report_format(std::string_view text) {
    if (text == "text") return ReportFormat::Text;
    if (text == "json") return ReportFormat::Json;
    if (text == "sarif") return ReportFormat::Sarif;
    if (text == "github") return ReportFormat::Github;
    return std::nullopt;
}

std::string format_report(const std::vector<CheckedFile>& files,
                          ReportFormat format,
                          const ReportOptions& options) {
    switch (format) {
        case ReportFormat::Text:
            return text_report(files, options);
        case ReportFormat::Json:
            return json_report(files, options);
        case ReportFormat::Sarif:
            return sarif_report(files, options);
        case ReportFormat::Github:
            break;
    }
    return github_report(files, options);
}

}  // namespace hatchery::command
