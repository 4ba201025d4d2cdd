#include "ca/profile.h"

#include "ca/der.h"
#include "ca/name.h"
#include "ca/x509_parts.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <regex>

namespace hatchery::ca {

namespace {

constexpr std::size_t kMaxProfile = 64UL * 1024;
constexpr std::size_t kMaxText = 256;
constexpr std::int64_t kMaxSeconds = 200LL * 365 * 24 * 3600;

std::string listed(const std::vector<std::string>& items) {
    std::string text;
    for (const auto& item : items) {
        if (!text.empty()) text += ", ";
        text += item;
    }
    return text;
}

/// Reads one profile. Every reader remembers nothing but the source name; errors carry the place.
class ProfileReader {
  public:
    explicit ProfileReader(std::string_view source) : source_(source) {}

    Result<Profile> read(const toml::table& file) const;

  private:
    Error refuse(std::string message, const toml::source_position& at) const {
        return fail(Code::InvalidRequest,
                    std::move(message),
                    source_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column));
    }
    Error refuse(std::string message, const toml::node& at) const {
        return refuse(std::move(message), at.source().begin);
    }

    Result<> check_keys(const toml::table& table, const std::vector<std::string>& known) const;
    Result<std::string> text(const toml::node& node, std::string_view key) const;
    Result<bool> flag(const toml::node& node, std::string_view key) const;
    Result<std::vector<std::string>> texts(const toml::node& node, std::string_view key) const;
    Result<std::chrono::seconds> duration(const toml::node& node, std::string_view key) const;

    Result<> read_name(const toml::node& node, Profile& profile) const;
    Result<> read_keys(const toml::node& node, Profile& profile) const;
    Result<> read_validity(const toml::node& node, Profile& profile) const;
    Result<> read_path_length(const toml::node& node, Profile& profile) const;
    Result<> read_key_usage(const toml::node& node, Profile& profile) const;
    Result<> read_extended_key_usage(const toml::node& node, Profile& profile) const;
    Result<> read_alt_names(const toml::node& node, Profile& profile) const;
    Result<> read_subject(const toml::node& node, Profile& profile) const;
    Result<Profile::Attribute> read_attribute(const toml::key& key, const toml::node& node) const;
    Result<std::optional<std::string>> attribute_text(const toml::table& table,
                                                      std::string_view key) const;
    Result<> read_entry(const toml::key& key, const toml::node& node, Profile& profile) const;
    Result<> check_whole(const toml::table& file, const Profile& profile) const;

    std::string source_;
};

Result<> ProfileReader::check_keys(const toml::table& table,
                                   const std::vector<std::string>& known) const {
    for (const auto& [key, node] : table) {
        if (std::ranges::find(known, key.str()) != known.end()) continue;
        return refuse(
            "unknown key \"" + std::string(key.str()) + "\", expected one of " + listed(known),
            key.source().begin);
    }
    return {};
}

Result<std::string> ProfileReader::text(const toml::node& node, std::string_view key) const {
    const auto value = node.value_exact<std::string>();
    if (!value) return refuse(std::string(key) + ": expected a string", node);
    if (value->empty() || value->size() > kMaxText) {
        return refuse(std::string(key) + ": expected 1 to 256 characters", node);
    }
    return *value;
}

Result<bool> ProfileReader::flag(const toml::node& node, std::string_view key) const {
    const auto value = node.value_exact<bool>();
    if (!value) return refuse(std::string(key) + ": expected true or false", node);
    return *value;
}

Result<std::vector<std::string>> ProfileReader::texts(const toml::node& node,
                                                      std::string_view key) const {
    const auto* array = node.as_array();
    if (array == nullptr || array->size() > 64) {
        return refuse(std::string(key) + ": expected a list of strings", node);
    }
    std::vector<std::string> values;
    for (const auto& item : *array) {
        auto value = text(item, key);
        if (!value) return std::move(value).error();
        if (std::ranges::find(values, *value) != values.end()) {
            return refuse(std::string(key) + ": \"" + *value + "\" is there twice", item);
        }
        values.push_back(std::move(*value));
    }
    return values;
}

Result<std::chrono::seconds> ProfileReader::duration(const toml::node& node,
                                                     std::string_view key) const {
    auto value = text(node, key);
    if (!value) return std::move(value).error();
    const auto wrong = [&] {
        return refuse(std::string(key) +
                          ": expected a duration such as \"1h\", \"30d\" or \"10y\" of at most "
                          "200y, found \"" +
                          *value + "\"",
                      node);
    };
    std::int64_t count = 0;
    const char* end = value->data() + value->size();
    const auto [unit, error] = std::from_chars(value->data(), end, count);
    if (error != std::errc{} || end - unit != 1 || count < 0) return wrong();
    const std::int64_t scale = *unit == 's'   ? 1
                               : *unit == 'm' ? 60
                               : *unit == 'h' ? 3600
                               : *unit == 'd' ? 24 * 3600
                               : *unit == 'y' ? 365 * 24 * 3600
                                              : 0;
    if (scale == 0 || count > kMaxSeconds / scale) return wrong();
    return std::chrono::seconds{count * scale};
}

Result<> ProfileReader::read_name(const toml::node& node, Profile& profile) const {
    auto name = text(node, "name");
    if (!name) return std::move(name).error();
    const bool plain =
        name->size() <= 64 && std::ranges::all_of(*name, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        });
    if (!plain) {
        return refuse("name: expected at most 64 of a-z, 0-9, - and _", node);
    }
    profile.name = std::move(*name);
    return {};
}

Result<> ProfileReader::read_keys(const toml::node& node, Profile& profile) const {
    auto names = texts(node, "keys");
    if (!names) return std::move(names).error();
    if (names->empty()) return refuse("keys: expected at least one kind of key", node);
    for (const auto& name : *names) {
        auto kind = parse_key_kind(name);
        if (!kind) return refuse("keys: " + kind.error().message, node);
        profile.keys.push_back(*kind);
    }
    return {};
}

Result<> ProfileReader::read_validity(const toml::node& node, Profile& profile) const {
    if (node.value_exact<std::string>() == "unlimited") {
        profile.no_expiry = true;
        return {};
    }
    auto validity = duration(node, "validity");
    if (!validity) return std::move(validity).error();
    if (validity->count() == 0) return refuse("validity: expected more than nothing", node);
    profile.validity = *validity;
    return {};
}

Result<> ProfileReader::read_path_length(const toml::node& node, Profile& profile) const {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < 0 || *value > 127) {
        return refuse("path_length: expected a number from 0 to 127", node);
    }
    profile.path_length = static_cast<int>(*value);
    return {};
}

Result<> ProfileReader::read_key_usage(const toml::node& node, Profile& profile) const {
    auto names = texts(node, "key_usage");
    if (!names) return std::move(names).error();
    for (const auto& name : *names) {
        if (std::ranges::find(kKeyUsageNames, name) == kKeyUsageNames.end()) {
            const std::vector<std::string> known(kKeyUsageNames.begin(), kKeyUsageNames.end());
            return refuse("key_usage: unknown \"" + name + "\", expected one of " + listed(known),
                          node);
        }
    }
    profile.key_usage = std::move(*names);
    return {};
}

Result<> ProfileReader::read_extended_key_usage(const toml::node& node, Profile& profile) const {
    auto names = texts(node, "extended_key_usage");
    if (!names) return std::move(names).error();
    for (const auto& name : *names) {
        if (std::ranges::find(kExtendedKeyUsages, name, &ExtendedKeyUsageName::name) ==
            kExtendedKeyUsages.end()) {
            return refuse("extended_key_usage: unknown \"" + name +
                              "\", expected one of serverAuth, clientAuth, OCSPSigning",
                          node);
        }
    }
    profile.extended_key_usage = std::move(*names);
    return {};
}

Result<> ProfileReader::read_alt_names(const toml::node& node, Profile& profile) const {
    auto kinds = texts(node, "subject_alt_names");
    if (!kinds) return std::move(kinds).error();
    for (const auto& kind : *kinds) {
        if (kind == "dns") {
            profile.allow_dns_names = true;
        } else if (kind == "ip") {
            profile.allow_ip_addresses = true;
        } else if (kind == "email") {
            profile.allow_email_addresses = true;
        } else if (kind == "uri") {
            profile.allow_uris = true;
        } else {
            return refuse(
                "subject_alt_names: unknown \"" + kind + "\", expected one of dns, ip, email, uri",
                node);
        }
    }
    return {};
}

Result<std::optional<std::string>> ProfileReader::attribute_text(const toml::table& table,
                                                                 std::string_view key) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return std::optional<std::string>{};
    auto value = text(*node, key);
    if (!value) return std::move(value).error();
    return std::optional<std::string>{std::move(*value)};
}

Result<Profile::Attribute> ProfileReader::read_attribute(const toml::key& key,
                                                         const toml::node& node) const {
    Profile::Attribute attribute;
    const std::string name(key.str());
    attribute.oid = attribute_oid(name).value_or(name);
    if (name.size() > kMaxText || !der::oid(attribute.oid)) {
        return refuse("unknown subject attribute \"" + name +
                          "\", expected a name such as CN or serialNumber, or a dotted OID",
                      key.source().begin);
    }
    const auto* table = node.as_table();
    if (table == nullptr) return refuse(name + ": expected a table such as {}", node);
    auto known = check_keys(*table, {"required", "fixed", "default", "pattern"});
    if (!known) return std::move(known).error();
    if (const auto* required = table->get("required"); required != nullptr) {
        auto value = flag(*required, "required");
        if (!value) return std::move(value).error();
        attribute.required = *value;
    }
    for (const auto& [name_of, target] : {std::pair{"fixed", &attribute.fixed},
                                          std::pair{"default", &attribute.fallback},
                                          std::pair{"pattern", &attribute.pattern}}) {
        auto value = attribute_text(*table, name_of);
        if (!value) return std::move(value).error();
        *target = std::move(*value);
    }
    const int ways = int{attribute.fixed.has_value()} + int{attribute.fallback.has_value()} +
                     int{attribute.required};
    if (ways > 1) return refuse(name + ": expected one of required, fixed and default", node);
    if (!attribute.pattern) return attribute;
    try {
        const std::regex compiled(*attribute.pattern, std::regex::ECMAScript);
    } catch (const std::regex_error& error) {
        return refuse("pattern: " + std::string(error.what()), *table->get("pattern"));
    }
    return attribute;
}

Result<> ProfileReader::read_subject(const toml::node& node, Profile& profile) const {
    const auto* table = node.as_table();
    if (table == nullptr) return refuse("subject: expected a table", node);
    // toml++ sorts a table by key; the file's own order is the one that people mean.
    std::vector<std::pair<toml::source_position, Profile::Attribute>> found;
    for (const auto& [key, value] : *table) {
        if (key.str() == "any" || key.str() == "ignore_others") {
            auto answer = flag(value, key.str());
            if (!answer) return std::move(answer).error();
            (key.str() == "any" ? profile.subject_any : profile.ignore_other_attributes) = *answer;
            continue;
        }
        auto attribute = read_attribute(key, value);
        if (!attribute) return std::move(attribute).error();
        if (std::ranges::any_of(
                found, [&](const auto& other) { return other.second.oid == attribute->oid; })) {
            return refuse("subject: \"" + attribute->oid + "\" is there twice", key.source().begin);
        }
        found.emplace_back(key.source().begin, std::move(*attribute));
    }
    std::ranges::sort(found, [](const auto& a, const auto& b) {
        return std::pair(a.first.line, a.first.column) < std::pair(b.first.line, b.first.column);
    });
    for (auto& [at, attribute] : found)
        profile.subject.push_back(std::move(attribute));
    return {};
}

Result<> ProfileReader::read_entry(const toml::key& key,
                                   const toml::node& node,
                                   Profile& profile) const {
    const std::string_view name = key.str();
    if (name == "name") return read_name(node, profile);
    if (name == "keys") return read_keys(node, profile);
    if (name == "validity") return read_validity(node, profile);
    if (name == "path_length") return read_path_length(node, profile);
    if (name == "key_usage") return read_key_usage(node, profile);
    if (name == "extended_key_usage") return read_extended_key_usage(node, profile);
    if (name == "subject_alt_names") return read_alt_names(node, profile);
    if (name == "subject") return read_subject(node, profile);
    if (name == "backdate") {
        auto backdate = duration(node, name);
        if (!backdate) return std::move(backdate).error();
        profile.backdate = *backdate;
        return {};
    }
    auto value = flag(node, name);  // check_keys has left these three
    if (!value) return std::move(value).error();
    (name == "ca"               ? profile.is_ca
     : name == "one_per_device" ? profile.one_per_device
                                : profile.ignore_extensions) = *value;
    return {};
}

bool has(const std::vector<std::string>& list, std::string_view item) {
    return std::ranges::find(list, item) != list.end();
}

/// What no single key can tell.
Result<> ProfileReader::check_whole(const toml::table& file, const Profile& profile) const {
    for (const char* key : {"name", "keys", "validity", "key_usage"}) {
        if (file.get(key) == nullptr) {
            return refuse("missing key \"" + std::string(key) + "\"", toml::source_position{1, 1});
        }
    }
    const toml::node& usage = *file.get("key_usage");
    const bool signs_certificates = has(profile.key_usage, "keyCertSign");
    if (profile.is_ca && !signs_certificates) {
        return refuse("key_usage: a CA needs keyCertSign", usage);
    }
    if (!profile.is_ca && (signs_certificates || has(profile.key_usage, "cRLSign"))) {
        return refuse("key_usage: keyCertSign and cRLSign are for ca = true", usage);
    }
    if (!profile.is_ca && profile.path_length) {
        return refuse("path_length: only for ca = true", *file.get("path_length"));
    }
    const bool rsa_only = std::ranges::all_of(profile.keys, [](KeyKind kind) {
        return kind == KeyKind::Rsa2048 || kind == KeyKind::Rsa3072 || kind == KeyKind::Rsa4096;
    });
    const std::size_t for_rsa = has(profile.key_usage, "keyEncipherment") && !rsa_only ? 1 : 0;
    if (profile.key_usage.size() <= for_rsa) {
        return refuse("key_usage: expected a use that every accepted key has", usage);
    }
    if (profile.is_ca && !profile.subject_any && profile.subject.empty()) {
        return refuse("subject: a CA needs a name", toml::source_position{1, 1});
    }
    return {};
}

Result<Profile> ProfileReader::read(const toml::table& file) const {
    auto known = check_keys(file,
                            {"name",
                             "keys",
                             "validity",
                             "backdate",
                             "ca",
                             "path_length",
                             "key_usage",
                             "extended_key_usage",
                             "subject_alt_names",
                             "ignore_extensions",
                             "one_per_device",
                             "subject"});
    if (!known) return std::move(known).error();
    Profile profile;
    for (const auto& [key, node] : file) {
        auto entry = read_entry(key, node, profile);
        if (!entry) return std::move(entry).error();
    }
    if (auto whole = check_whole(file, profile); !whole) return std::move(whole).error();
    return profile;
}

}  // namespace

Result<Profile> Profile::parse(std::string_view toml, std::string_view source) {
    const std::string name(source);
    if (toml.size() > kMaxProfile) {
        return fail(
            Code::InvalidRequest, "expected a profile of at most 65536 bytes", name + ":1:1");
    }
    try {
        const toml::table file = toml::parse(toml, name);
        return ProfileReader(name).read(file);
    } catch (const toml::parse_error& error) {
        const auto& at = error.source().begin;
        return fail(Code::InvalidRequest,
                    std::string(error.description()),
                    name + ":" + std::to_string(at.line) + ":" + std::to_string(at.column));
    }
}

}  // namespace hatchery::ca
