// A rules file: whatever is wrong with it has a place; what is accepted decides without a crash.
#include "hooks/rules.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hatchery::hooks;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    Rules rules;
    const auto findings = Rules::parse(text, rules);
    for (const auto& found : findings) {
        if (found.line < 1 || found.column < 1 || found.message.empty()) std::abort();
    }
    HookEvent event;
    event.client_id = "d";
    event.parameters = {{"SerialNumber", "1234567"}, {"Batch", "17"}};
    const auto decision = rules.decide(event);
    if (!findings.empty() && (!decision || decision->allow)) std::abort();  // no rules: closed
    return 0;
}
