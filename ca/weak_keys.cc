#include "ca/weak_keys.h"

#include "ca/digest.h"

#include <algorithm>
#include <string>

namespace hatchery::ca {

Result<> WeakKeys::add(std::string_view list, std::string_view source) {
    std::size_t number = 0;
    while (!list.empty()) {
        const std::size_t end = std::min(list.find('\n'), list.size());
        std::string_view line = list.substr(0, end);
        list.remove_prefix(std::min(end + 1, list.size()));
        ++number;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.front() == '#') continue;
        const auto octets = from_hex(line);
        Digest digest{};
        if (!octets || octets->size() != digest.size()) {
            return fail(
                Code::InvalidRequest,
                "expected 20 hexadecimal digits, found \"" + std::string(line.substr(0, 40)) + "\"",
                std::string(source) + ":" + std::to_string(number));
        }
        std::ranges::copy(*octets, digest.begin());
        digests_.push_back(digest);
    }
    std::ranges::sort(digests_);
    return {};
}

bool WeakKeys::contains(ByteView modulus) const {
    if (digests_.empty()) return false;
    std::string text = "Modulus=" + to_hex(modulus) + "\n";
    std::ranges::transform(text.begin() + 8, text.end(), text.begin() + 8, [](char c) {
        return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    const auto whole = sha1(bytes_of(text));
    Digest digest{};
    std::copy(whole.end() - digest.size(), whole.end(), digest.begin());
    return std::ranges::binary_search(digests_, digest);
}

}  // namespace hatchery::ca
