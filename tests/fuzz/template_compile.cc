// Any text, as each kind: compile answers with a template or with an error, never both.
#include "templates/check_file.h"
#include "templates/template.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace hatchery::templates;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const Kind kind : {Kind::Jitp, Kind::Claim, Kind::Bulk}) {
        const Compiled compiled = compile(text, kind);
        const bool has_error = std::any_of(
            compiled.diagnostics.begin(), compiled.diagnostics.end(), [](const Diagnostic& found) {
                return found.severity == Severity::Error;
            });
        if (compiled.value.has_value() == has_error) std::abort();
        if (has_error && to_error(compiled).message.empty()) std::abort();
        // Without parameters everything is known: what is accepted cannot fail at a device.
        const bool is_constant = text.find("Ref") == std::string_view::npos &&
                                 text.find("Fn::Sub") == std::string_view::npos &&
                                 text.find('\\') == std::string_view::npos &&
                                 text.find("Parameters") == std::string_view::npos;
        if (is_constant && compiled.value && !resolve(*compiled.value, {})) std::abort();
    }
    check_file(text, std::nullopt);
    return 0;
}
