#include "provisioning/api/page_token.h"

#include "ca/digest.h"

#include <algorithm>

namespace hatchery::api {
namespace {

constexpr std::size_t kCheckBytes = 8;

/// Not a MAC: a forged position shows nothing that the caller may not list anyway.
Bytes check_of(std::string_view operation, std::string_view position) {
    std::string text(operation);
    text.append(1, '\0').append(position);
    const auto digest = ca::sha256(bytes_of(text));
    return {digest.begin(), digest.begin() + kCheckBytes};
}

}  // namespace

std::string make_page_token(std::string_view operation, std::string_view position) {
    Bytes token = check_of(operation, position);
    const ByteView tail = bytes_of(position);
    token.insert(token.end(), tail.begin(), tail.end());
    return to_base64(token);
}

Result<std::string> read_page_token(std::string_view operation, std::string_view token) {
    const auto refused = fail(Code::InvalidRequest, "expected a token of an earlier page");
    auto bytes = from_base64(token);
    if (!bytes || bytes->size() < kCheckBytes) return refused;
    std::string position(text_of(*bytes).substr(kCheckBytes));
    bytes->resize(kCheckBytes);
    if (*bytes != check_of(operation, position)) return refused;
    return position;
}

registry::Page<std::string> page_of(std::vector<std::string> names,
                                    const registry::PageRequest& request) {
    std::sort(names.begin(), names.end());
    registry::Page<std::string> page;
    auto from = std::upper_bound(names.begin(), names.end(), request.after);
    if (request.after.empty()) from = names.begin();
    for (; from != names.end(); ++from) {
        if (page.items.size() == static_cast<std::size_t>(request.limit)) {
            page.next = page.items.back();
            break;
        }
        page.items.push_back(std::move(*from));
    }
    return page;
}

}  // namespace hatchery::api
