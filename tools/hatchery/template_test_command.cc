// hatchery template test: runs a folder of cases, reports as a test runner does.
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/template_case.h"
#include "tools/hatchery/template_command.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>

namespace hatchery::command {

namespace {

constexpr std::string_view kCaseSuffix = ".case.json";

struct TestOptions {
    std::string path;
    std::string junit;
};

struct CaseResult {
    std::string name;
    bool is_broken = false;  ///< the case itself, not what it tests
    std::vector<std::string> problems;
    double seconds = 0;
};

/// Every *.case.json below `path`, by name; or `path` itself.
Result<std::vector<std::filesystem::path>> find_cases(const std::filesystem::path& path) {
    std::error_code error;
    std::vector<std::filesystem::path> files;
    if (!std::filesystem::is_directory(path, error)) {
        files.push_back(path);
        return files;
    }
    std::filesystem::recursive_directory_iterator entry(path, error);
    for (; !error && entry != std::filesystem::recursive_directory_iterator();
         entry.increment(error)) {
        if (entry->path().string().ends_with(kCaseSuffix)) files.push_back(entry->path());
    }
    if (error) {
        return fail(Code::Unavailable, "cannot read " + path.string() + ": " + error.message());
    }
    if (files.empty()) {
        return fail(Code::Unavailable,
                    "expected files NAME" + std::string(kCaseSuffix) + " below " + path.string() +
                        ", found none");
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::string case_name(const std::filesystem::path& file, const std::filesystem::path& root) {
    std::string name =
        file == root ? file.filename().string() : file.lexically_relative(root).generic_string();
    if (name.ends_with(kCaseSuffix)) name.resize(name.size() - kCaseSuffix.size());
    return name;
}

CaseResult run_case(CaseRunner& runner, const std::filesystem::path& file, std::string name) {
    const auto start = std::chrono::steady_clock::now();
    auto outcome = runner.run(file);
    CaseResult result;
    result.name = std::move(name);
    result.is_broken = !outcome;
    if (outcome) {
        result.problems = *std::move(outcome);
    } else {
        result.problems = {to_string(outcome.error())};
    }
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
}

/// XML 1.0 text or attribute value; characters that XML has no form for become '?'.
std::string xml_escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '&') {
            out += "&amp;";
        } else if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else if (c == '"') {
            out += "&quot;";
        } else {
            out += byte < 0x20 && c != '\n' && c != '\t' ? '?' : c;
        }
    }
    return out;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string out;
    for (const std::string& line : lines)
        out += (out.empty() ? "" : "\n") + line;
    return out;
}

std::string seconds_text(double seconds) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.6f", seconds);
    return text.data();
}

std::string junit_xml(const std::vector<CaseResult>& results) {
    std::size_t failures = 0;
    std::size_t errors = 0;
    double seconds = 0;
    std::string cases;
    for (const CaseResult& result : results) {
        seconds += result.seconds;
        cases += "    <testcase classname=\"hatchery.template\" name=\"" +
                 xml_escaped(result.name) + "\" time=\"" + seconds_text(result.seconds) + "\"";
        if (result.problems.empty()) {
            cases += "/>\n";
            continue;
        }
        ++(result.is_broken ? errors : failures);
        const std::string tag = result.is_broken ? "error" : "failure";
        cases += ">\n      <" + tag + " message=\"" + xml_escaped(result.problems.front()) + "\">" +
                 xml_escaped(joined(result.problems)) + "</" + tag + ">\n    </testcase>\n";
    }
    const std::string counts = " tests=\"" + std::to_string(results.size()) + "\" failures=\"" +
                               std::to_string(failures) + "\" errors=\"" + std::to_string(errors) +
                               "\" time=\"" + seconds_text(seconds) + "\"";
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" + counts +
           ">\n  <testsuite name=\"hatchery template test\"" + counts + ">\n" + cases +
           "  </testsuite>\n</testsuites>\n";
}

std::string text_of(const std::vector<CaseResult>& results, std::size_t& failed) {
    std::string out;
    failed = 0;
    for (const CaseResult& result : results) {
        const bool is_good = result.problems.empty();
        out += std::string(is_good            ? "ok    "
                           : result.is_broken ? "ERROR "
                                              : "FAIL  ") +
               result.name + "\n";
        for (const std::string& problem : result.problems)
            out += "      " + one_line(problem) + "\n";
        failed += is_good ? 0U : 1U;
    }
    return out + std::to_string(results.size() - failed) + " of " + std::to_string(results.size()) +
           " passed\n";
}

int run_cases(const TestOptions& options) {
    auto files = find_cases(options.path);
    if (!files) return report(files.error());
    auto runner = CaseRunner::make();
    if (!runner) return report(could_not_run(std::move(runner).error()));
    std::vector<CaseResult> results;
    for (const auto& file : *files)
        results.push_back(run_case(**runner, file, case_name(file, options.path)));
    if (!options.junit.empty()) {
        const auto written =
            write_file(options.junit, junit_xml(results), kPublic, Existing::Replace);
        if (!written) return report(could_not_run(written.error()));
    }
    std::size_t failed = 0;
    if (auto printed = print(text_of(results, failed)); !printed) return report(printed.error());
    return failed == 0 ? kDone : kRefused;
}

}  // namespace

void add_template_test(CLI::App& command, int& exit_code) {
    auto options = std::make_shared<TestOptions>();
    CLI::App* sub = command.add_subcommand(
        "test", "Run cases: a template, a device, the registry before, the records expected after");
    sub->add_option("DIR", options->path, "Folder with NAME.case.json files, or one such file")
        ->required();
    sub->add_option("--junit", options->junit, "Write a JUnit XML report to this file");
    sub->footer(
        "Example:\n  hatchery template test tests/templates --junit report.xml\n\n"
        "A case: {\"template\": \"jitp.json\", \"certificate\": \"device.pem\",\n"
        "  \"registry\": {\"thingTypes\": [\"Sensor\"], \"policies\": [\"sensor\"]},\n"
        "  \"expect\": {\"thing\": {\"thingName\": \"4711\"}, \"policies\": [\"sensor\"]}}\n"
        "Exit codes: 0 all passed, 1 some did not, 2 could not run");
    sub->callback([options, &exit_code] { exit_code = run_cases(*options); });
}

}  // namespace hatchery::command
