#include "ca/pkcs11.h"

#include <map>
#include <mutex>

namespace hatchery::ca {

namespace {

constexpr std::size_t kMaxUri = 1024;

Error wrong_uri(const std::string& why) {
    return fail(Code::InvalidRequest,
                "expected pkcs11:token=LABEL;object=LABEL?module-path=/path/of/module.so, " + why);
}

Result<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        auto octet = from_hex(text.substr(i + 1, 2));
        if (!octet || octet->size() != 1) return wrong_uri("found a broken %XX");
        decoded += static_cast<char>(octet->front());
        i += 2;
    }
    return decoded;
}

}  // namespace

Result<Pkcs11Uri> Pkcs11Uri::parse(std::string_view text) {
    static constexpr std::string_view scheme = "pkcs11:";
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
        text.remove_suffix(1);
    if (!text.starts_with(scheme) || text.size() > kMaxUri) return wrong_uri("found another text");
    text.remove_prefix(scheme.size());
    Pkcs11Uri uri;
    while (!text.empty()) {
        const std::size_t end = text.find_first_of(";?&");
        const std::string_view part = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const std::size_t equals = part.find('=');
        const std::string_view name = part.substr(0, equals);
        std::string* target = name == "token"         ? &uri.token
                              : name == "object"      ? &uri.object
                              : name == "module-path" ? &uri.module
                                                      : nullptr;
        // A PIN belongs into a prompt or the passphrase file, and is not quoted.
        if (target == nullptr || equals == std::string_view::npos || !target->empty()) {
            return wrong_uri("found another attribute, or one twice");
        }
        auto value = percent_decoded(part.substr(equals + 1));
        if (!value) return std::move(value).error();
        *target = std::move(*value);
    }
    if (uri.module.empty() || uri.token.empty() || uri.object.empty()) {
        return wrong_uri("found one of them missing");
    }
    return uri;
}

std::string Pkcs11Uri::to_string() const {
    return "pkcs11:token=" + percent_encode(token, Slash::Keep) +
           ";object=" + percent_encode(object, Slash::Keep) +
           "?module-path=" + percent_encode(module, Slash::Keep);
}

namespace {

/// The tokens of this process: a module wants to be logged in once.
struct OpenTokens {
    std::mutex mutex;                                                    ///< guards `by_name`
    std::map<std::pair<std::string, std::string>, Pkcs11Token> by_name;  ///< module, label
    static OpenTokens& get() {
        static OpenTokens tokens;
        return tokens;
    }
};

Result<Pkcs11Token> token_of(const Pkcs11Uri& uri, const Secret& pin) {
    OpenTokens& tokens = OpenTokens::get();
    const std::lock_guard lock(tokens.mutex);
    const auto known = tokens.by_name.find({uri.module, uri.token});
    if (known != tokens.by_name.end()) return known->second;
    auto token = Pkcs11Token::open(uri.module, uri.token, pin);
    if (token) tokens.by_name.emplace(std::pair(uri.module, uri.token), *token);
    return token;
}

}  // namespace

Result<PrivateKey> read_private_key(std::string_view file, const Secret& passphrase) {
    if (!file.starts_with("pkcs11:")) return PrivateKey::from_pem(file, passphrase);
    auto uri = Pkcs11Uri::parse(file);
    if (!uri) return std::move(uri).error();
    auto token = token_of(*uri, passphrase);
    if (!token) return std::move(token).error();
    return token->key(uri->object);
}

Result<PrivateKey> make_device_key(KeyKind kind, std::string_view uri, const Secret& pin) {
    auto place = Pkcs11Uri::parse(uri);
    if (!place) return std::move(place).error();
    auto token = token_of(*place, pin);
    if (!token) return std::move(token).error();
    return token->generate(kind, place->object);
}

std::map<std::string, Pkcs11Token::Health> open_tokens() {
    OpenTokens& tokens = OpenTokens::get();
    const std::lock_guard lock(tokens.mutex);
    std::map<std::string, Pkcs11Token::Health> health;
    for (const auto& [name, token] : tokens.by_name)
        health.emplace(name.second, token.health());
    return health;
}

}  // namespace hatchery::ca
