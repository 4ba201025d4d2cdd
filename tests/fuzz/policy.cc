// compile() and evaluate(): the text up to the first 0xFF byte is the document, the rest is the
// resource and every variable's value.
#include "provisioning/policy/policy.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hatchery::policy;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto end = std::min(input.find('\xFF'), input.size());
    const std::string rest(input.substr(std::min(end + 1, size)));
    auto document = compile(input.substr(0, end));
    if (!document) return 0;
    Context context;
    for (const char* key : {"iot:ClientId",
                            "iot:Connection.Thing.ThingName",
                            "iot:Certificate.Subject.CommonName",
                            "aws:SourceIp"}) {
        context.values[key] = {rest, "second"};
    }
    const std::vector documents{*document, *document};
    for (const auto action : {Action::Connect,
                              Action::Publish,
                              Action::RetainPublish,
                              Action::Subscribe,
                              Action::Receive}) {
        const auto decision = evaluate(documents, {action, rest}, context);
        if (decision.effect != Effect::ImplicitDeny && decision.document > 1) __builtin_trap();
    }
    return 0;
}
