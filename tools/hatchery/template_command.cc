#include "tools/hatchery/template_command.h"

#include "templates/check_file.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using hatchery::templates::Diagnostic;
using hatchery::templates::Kind;
using hatchery::templates::Severity;

constexpr int kClean = 0;
constexpr int kFindings = 1;
constexpr int kCouldNotRun = 2;
/// What is read of a file at most; a template body has 10,240 characters.
constexpr std::size_t kMaxFileBytes = 1U << 20U;

struct ValidateOptions {
    std::vector<std::string> files;
    std::string type;
    bool strict = false;
    bool warnings = false;
};

struct ExplainOptions {
    std::string code;
};

/// The start of a file, or of standard input for "-"; one byte more than is allowed shows that
/// there is more.
std::optional<std::string> read_file(const std::string& path) {
    const auto read = [](std::istream& stream) -> std::optional<std::string> {
        std::string text(kMaxFileBytes + 1, '\0');
        stream.read(text.data(), static_cast<std::streamsize>(text.size()));
        if (stream.bad()) return std::nullopt;
        text.resize(static_cast<std::size_t>(stream.gcount()));
        return text;
    };
    if (path == "-") return read(std::cin);
    std::ifstream file(path, std::ios::binary);
    // A folder opens, and fails at the first read.
    if (!file || (file.peek() == std::ifstream::traits_type::eof() && !file.eof())) {
        return std::nullopt;
    }
    file.clear();
    return read(file);
}

std::optional<Kind> parse_kind(std::string_view text) {
    for (const Kind kind : {Kind::Jitp, Kind::Claim, Kind::Bulk}) {
        if (text == to_string(kind)) return kind;
    }
    return std::nullopt;
}

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

/// The source line with a caret under the place; a long line is cut around it.
void print_source(std::string_view text, const hatchery::templates::Range& range) {
    constexpr std::size_t width = 100;
    const std::string_view line = line_of(text, range.line);
    const std::size_t at = std::min(range.column - 1, line.size());
    const auto is_continuation = [&](std::size_t i) {
        return i < line.size() && (static_cast<unsigned char>(line[i]) & 0xC0U) == 0x80U;
    };
    std::size_t from = line.size() > width && at > width / 2 ? at - width / 2 : 0;
    while (is_continuation(from))
        ++from;
    std::size_t to = std::min(line.size(), from + width);
    while (is_continuation(to))
        ++to;
    std::size_t end = range.end_line == range.line ? range.end_column - 1 : line.size();
    end = std::min(std::max(end, at + 1), std::max(to, at + 1));
    std::string shown;
    std::string marks;
    for (std::size_t i = from; i < to || i < end; ++i) {
        const char c = i < line.size() ? line[i] : ' ';
        // Control characters would move the caret, or the reader's terminal.
        shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
        if (is_continuation(i)) continue;
        if (i >= end) continue;
        marks += i < at ? ' ' : i == at ? '^' : '~';
    }
    while (shown.ends_with(' '))
        shown.pop_back();
    std::cout << "    " << shown << "\n    " << marks << "\n";
}

void print_finding(const std::string& file, std::string_view text, const Diagnostic& found) {
    std::cout << file << ':' << found.range.line << ':' << found.range.column << ": "
              << (found.severity == Severity::Error ? "error" : "warning") << ": " << found.message
              << " [" << found.code << "]\n";
    print_source(text, found.range);
    if (!found.suggestion.empty()) std::cout << "    suggestion: " << found.suggestion << "\n";
}

int validate_file(const std::string& file, const ValidateOptions& options) {
    const auto text = read_file(file);
    if (!text) {
        std::cerr << "hatchery: " << file << ": cannot be read\n";
        return kCouldNotRun;
    }
    const auto findings = hatchery::templates::check_file(*text, parse_kind(options.type));
    int result = kClean;
    for (const Diagnostic& found : findings.diagnostics) {
        const bool is_error = found.severity == Severity::Error;
        if (!is_error && !options.strict && !options.warnings) continue;
        print_finding(file == "-" ? "<stdin>" : file, *text, found);
        if (is_error || options.strict) result = kFindings;
    }
    return result;
}

int validate(const ValidateOptions& options) {
    int result = kClean;
    for (const std::string& file : options.files) {
        result = std::max(result, validate_file(file, options));
    }
    if (std::cout.flush()) return result;
    std::cerr << "hatchery: standard output cannot be written\n";
    return kCouldNotRun;
}

int explain(const ExplainOptions& options) {
    const auto help = hatchery::templates::explain(options.code);
    if (!help) {
        std::cerr << "hatchery: no finding has the code " << options.code << "\n";
        return kCouldNotRun;
    }
    std::cout << options.code << ": " << *help << "\n";
    return kClean;
}

}  // namespace

void add_template_command(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand("template", "Check provisioning templates");
    command->require_subcommand(1);
    command->footer("Example:\n  hatchery template validate template.json");
    command->footer("Example:\n  hatchery template validate template.json");

    auto options = std::make_shared<ValidateOptions>();
    CLI::App* check = command->add_subcommand(
        "validate",
        "Check template files; prints FILE:LINE:COLUMN: error: MESSAGE [CODE] and exits with 1 if "
        "one would be refused, prints nothing and exits with 0 if all are good");
    check
        ->add_option("FILE",
                     options->files,
                     "Template, or input document of create-provisioning-template; - for standard "
                     "input")
        ->required();
    check
        ->add_option("--type",
                     options->type,
                     "What provisions with it; by default the file tells: jitp (first connect), "
                     "claim, bulk (RegisterThing)")
        ->check(CLI::IsMember({"jitp", "claim", "bulk"}));
    check->add_flag("--warnings", options->warnings, "Print warnings too");
    check->add_flag("--strict", options->strict, "Warnings count as errors");
    check->footer(
        "Example:\n  hatchery template validate --strict --type jitp template.json\n"
        "Exit code: 0 clean, 1 findings, 2 a file could not be read");
    check->footer("Example:\n  hatchery template validate --type jitp template.json");
    check->callback([options, &exit_code] { exit_code = validate(*options); });

    auto asked = std::make_shared<ExplainOptions>();
    CLI::App* help = command->add_subcommand("explain", "Say what a finding's code means");
    help->add_option("CODE", asked->code, "Code of a finding, such as T201")->required();
    help->footer("Example:\n  hatchery template explain T201");
    help->footer("Example:\n  hatchery template explain T201");
    help->callback([asked, &exit_code] { exit_code = explain(*asked); });
}
