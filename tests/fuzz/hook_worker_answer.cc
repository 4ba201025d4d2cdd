// A line that a worker process wrote: it allows nothing by accident, and whose answer it is is
// known whenever it is one.
#include "hooks/answer.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hatchery::hooks;
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    const auto answer = parse_worker_answer(line);
    if (!answer || !answer->decision) return 0;
    const auto& decision = *answer->decision;
    if (decision.allow && line.find("true") == std::string_view::npos) std::abort();
    if (decision.allow != decision.reason.empty()) std::abort();
    if (!decision.reservations.empty()) std::abort();  // only our own lists use numbers up
    // The same as the same answer of a function that names no request.
    const auto plain = parse_decision(line);
    if (!plain || plain->allow != decision.allow) std::abort();
    return 0;
}
