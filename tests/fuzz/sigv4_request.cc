// A request in the form of HTTP/1.1 (request line, header lines, empty line, body), verified with a
// key that nobody knows: every outcome but a refusal is a forgery.
#include "provisioning/api/sigv4.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

using hatchery::api::Header;

std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

std::vector<Header> take_headers(std::string_view& text) {
    std::vector<Header> headers;
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        if (line.empty()) break;
        const std::size_t colon = std::min(line.find(':'), line.size());
        std::string name(line.substr(0, colon));
        for (char& c : name)
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        headers.push_back({name, std::string(line.substr(std::min(colon + 1, line.size())))});
    }
    return headers;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hatchery;
    using namespace hatchery::api;
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view line = take_line(text);
    const std::size_t space = std::min(line.find(' '), line.size());
    const auto target = parse_target(line.substr(std::min(space + 1, line.size())));
    if (!target) return 0;
    const auto headers = take_headers(text);
    const SignedRequest request{line.substr(0, space), *target, headers, text};
    static const auto key = std::make_shared<const AccessKey>(
        AccessKey{"AKIDEXAMPLE000000000", "admin", Secret::copy_of(bytes_of("nobody knows this"))});
    const Time now{std::chrono::seconds(1'795'375'804)};  // 2026-11-22T19:30:04Z, as in the corpus
    if (verify(request, now, [](std::string_view) {
            return Result<std::shared_ptr<const AccessKey>>(key);
        })) {
        std::abort();
    }
    return 0;
}
