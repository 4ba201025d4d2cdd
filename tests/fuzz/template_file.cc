// Any file, as JSON and as YAML: findings have a place inside the file, and a template is there
// exactly when no finding is an error.
#include "templates/check_file.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace hatchery::templates;

namespace {

void check(std::string_view text, Syntax syntax) {
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    for (const BodyFindings& body : check_file(text, std::nullopt, syntax).bodies) {
        bool has_error = false;
        for (const Diagnostic& found : body.diagnostics) {
            has_error = has_error || found.severity == Severity::Error;
            const Range& range = found.range;
            if (range.line < 1 || range.column < 1 || range.end_line > lines) std::abort();
            if (range.line > range.end_line || found.message.empty()) std::abort();
        }
        if (body.value && has_error) std::abort();
        if (!body.value && body.diagnostics.empty()) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check(text, Syntax::Guess);
    check(text, Syntax::Yaml);
    return 0;
}
