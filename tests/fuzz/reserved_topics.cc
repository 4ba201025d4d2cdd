// A request to the provisioning API, topic and payload from anybody: every outcome is an answer on
// accepted or rejected, in the encoding that was asked for; and what a request's members are read
// from is bounded.
#include "provisioning/flows/reserved_topics.h"

#include "provisioning/flows/payload.h"

#include <cstdlib>
#include <string>

namespace flows = hatchery::flows;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void read(hatchery::ByteView payload, flows::Encoding encoding) {
    const auto members = flows::read_request(payload, encoding);
    if (!members) return require(!members.error().message.empty());
    for (const auto& [name, value] : members->parameters)
        require(name.size() <= 2048 * 4 && value.size() <= 4096 * 4);
    // What we read, we can answer with.
    std::vector<flows::AnswerMember> answer;
    answer.push_back({"parameters", {}, {}, members->parameters});
    const std::string text = flows::write_answer(std::move(answer), encoding);
    const auto bytes = hatchery::bytes_of(text);
    require(encoding == flows::Encoding::Json
                ? flows::is_bounded_json(text, flows::kMaxPayloadDepth)
                : flows::is_bounded_cbor(bytes, flows::kMaxPayloadDepth));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const hatchery::ByteView input(data, size);
    const std::string_view text = hatchery::text_of(input);
    const auto end = text.find('\n');
    const std::string_view topic = text.substr(0, end);
    const bool is_request = flows::is_provisioning_request(topic);
    // Each request stays in the gateway, and so do the topics of its answers.
    if (is_request) {
        require(flows::is_provisioning_filter(topic));
        require(!flows::is_provisioning_request(std::string(topic) + "/accepted"));
        require(!flows::is_provisioning_request(std::string(topic) + "/rejected"));
    }
    const auto payload = end == std::string_view::npos ? input : input.subspan(end + 1);
    read(payload, flows::Encoding::Json);
    read(payload, flows::Encoding::Cbor);
    return 0;
}
