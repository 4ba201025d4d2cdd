// A hook's answer, from whatever the worker or function wrote.
#include "hooks/hook.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hatchery::hooks;
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto decision = parse_decision(text);
    if (decision && decision->allow && text.find("true") == std::string::npos) __builtin_trap();
    HookEvent event;
    event.client_id = text;
    event.parameters[text] = text;
    if (to_json(event).find('\n') != std::string::npos) __builtin_trap();
    return 0;
}
