// A template, a NUL, then NAME=VALUE lines: resolving gives a plan or an error with a place, the
// same one twice.
#include "templates/template.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace hatchery;
using namespace hatchery::templates;

namespace {

Parameters parse_lines(std::string_view text) {
    Parameters parameters;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos) continue;
        parameters.emplace(line.substr(0, equals), line.substr(equals + 1));
    }
    return parameters;
}

void check(const Template& value, const Parameters& parameters) {
    const auto plan = resolve(value, parameters);
    const auto again = resolve(value, parameters);
    if (plan.has_value() != again.has_value()) std::abort();
    if (!plan) {
        const Error& error = plan.error();
        if (error.code != Code::InvalidRequest || error.where.empty()) std::abort();
        if (error.message != again.error().message) std::abort();
        return;
    }
    if (plan->thing && plan->thing->thing_name != again->thing->thing_name) std::abort();
    if (plan->thing && plan->thing->thing_name.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = input.find('\0');
    const std::string_view text = input.substr(0, end);
    const Parameters parameters =
        end == std::string_view::npos ? Parameters() : parse_lines(input.substr(end + 1));
    for (const Kind kind : {Kind::Jitp, Kind::Claim, Kind::Bulk}) {
        const Compiled compiled = compile(text, kind);
        if (compiled.value) check(*compiled.value, parameters);
    }
    return 0;
}
