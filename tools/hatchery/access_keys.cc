#include "tools/hatchery/access_keys.h"

#include "ca/digest.h"

#include <algorithm>
#include <string>
#include <utility>

namespace hatchery::command {

namespace {

constexpr std::size_t kIdCharacters = 16;  // after the prefix: 80 random bits
constexpr std::size_t kSecretBytes = 30;   // 40 characters of base64, as AWS's are

/// "AKIA" and 16 characters of RFC 4648's base 32, the form that clients check for.
std::string random_key_id() {
    static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    std::string id = "AKIA";
    for (const auto byte : ca::random_bytes(kIdCharacters))
        id += alphabet[byte % alphabet.size()];
    return id;
}

}  // namespace

Result<NewAccessKey> make_access_key(const ca::WrapKey& wrap, std::string_view role, Time now) {
    const auto& roles = registry::kAccessRoles;
    if (std::find(roles.begin(), roles.end(), role) == roles.end()) {
        return fail(Code::InvalidRequest,
                    "expected admin, operator, factory, read-only or ci, found \"" +
                        std::string(role) + "\"",
                    "role");
    }
    std::string text = to_base64(Secret(ca::random_bytes(kSecretBytes)).view());
    Credentials credentials{random_key_id(), Secret::take(text)};
    auto wrapped = wrap.wrap(credentials.secret.view(), credentials.id);
    if (!wrapped) return std::move(wrapped).error();
    registry::AccessKey row;
    row.id = credentials.id;
    row.wrapped_secret = std::move(*wrapped);
    row.role = std::string(role);
    row.created = now;
    return NewAccessKey{std::move(row), std::move(credentials)};
}

Result<Credentials> admin_credentials(store::Store& store, const ca::WrapKey& wrap) {
    auto keys = store.read([](store::Reader& reader) { return registry::access_keys(reader); });
    if (!keys) return std::move(keys).error();
    const registry::AccessKey* oldest = nullptr;
    for (const auto& key : *keys) {
        const bool serves = key.enabled && key.role == "admin";
        if (serves && (oldest == nullptr || key.created < oldest->created)) oldest = &key;
    }
    if (oldest == nullptr) {
        return fail(Code::NotFound, "no enabled admin access key; hatchery key add makes one");
    }
    auto secret = wrap.unwrap(oldest->wrapped_secret, oldest->id);
    if (!secret) return std::move(secret).error();
    return Credentials{oldest->id, std::move(*secret)};
}

}  // namespace hatchery::command
