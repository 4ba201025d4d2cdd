#include "ca/profile.h"

#include "ca/base/toml_guard.h"
#include "ca/der.h"
#include "ca/name.h"
#include "ca/request_check.h"
#include "ca/x509_parts.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace hatchery::ca {

namespace {

constexpr std::size_t kMaxProfile = 64UL * 1024;
constexpr std::size_t kMaxText = 256;
constexpr std::string_view kShard = "{shard}";
constexpr std::int64_t kMaxSeconds = 200LL * 365 * 24 * 3600;

std::string listed(const std::vector<std::string>& items) {
    std::string text;
    for (const auto& item : items) {
        if (!text.empty()) text += ", ";
        text += item;
    }
    return text;
}

/// Reads one profile and goes on after an error, so that one run finds them all. Errors carry the
/// place; the ones of one list or table entry end with the first.
class ProfileReader {
  public:
    explicit ProfileReader(std::string_view source) : source_(source) {}

    /// What could be read; complete only if there are no `errors`.
    Profile read(const toml::table& file);
    /// In the order of the text; what is missing comes last.
    std::vector<Error> errors();

  private:
    struct Finding {
        toml::source_position at;
        Error error;
    };
    void note(Result<> result, const toml::source_position& at) {
        if (!result) findings_.push_back({at, std::move(result).error()});
    }
    void note(Result<> result, const toml::node& at) { note(std::move(result), at.source().begin); }

    Error refuse(std::string message, const toml::source_position& at) const {
        return fail(
            Code::InvalidRequest, std::move(message), place_in(source_, {at.line, at.column}));
    }
    Error refuse(std::string message, const toml::node& at) const {
        return refuse(std::move(message), at.source().begin);
    }

    void check_keys(const toml::table& table, const std::vector<std::string>& known);
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
    Result<std::vector<std::string>> read_policies(const toml::node& node) const;
    Result<std::vector<std::string>> read_urls(const toml::node& node, std::string_view key) const;
    Result<> read_subject(const toml::node& node, Profile& profile);
    Result<Profile::Attribute> read_attribute(const toml::key& key, const toml::node& node);
    Result<> read_attribute_values(const toml::table& table, Profile::Attribute& attribute) const;
    Result<std::optional<std::string>> attribute_text(const toml::table& table,
                                                      std::string_view key) const;
    Result<> read_entry(const toml::key& key, const toml::node& node, Profile& profile);
    Result<> check_usages(const toml::table& file, const Profile& profile) const;
    Result<> check_ca(const toml::table& file, const Profile& profile) const;

    std::string source_;
    std::vector<Finding> findings_;
};

void ProfileReader::check_keys(const toml::table& table, const std::vector<std::string>& known) {
    for (const auto& [key, node] : table) {
        if (std::ranges::find(known, key.str()) != known.end()) continue;
        const auto& at = key.source().begin;
        note(refuse(
                 "unknown key \"" + std::string(key.str()) + "\", expected one of " + listed(known),
                 at),
             at);
    }
}

std::vector<Error> ProfileReader::errors() {
    std::ranges::stable_sort(findings_, [](const Finding& a, const Finding& b) {
        const auto place = [](const Finding& finding) {
            // 0: what is missing has no place of its own, and goes behind the rest.
            const auto line = finding.at.line == 0 ? UINT32_MAX : finding.at.line;
            return std::pair(line, finding.at.column);
        };
        return place(a) < place(b);
    });
    std::vector<Error> errors;
    errors.reserve(findings_.size());
    for (auto& finding : findings_)
        errors.push_back(std::move(finding.error));
    return errors;
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
                                                         const toml::node& node) {
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
    check_keys(*table, {"required", "fixed", "default", "pattern"});
    if (auto read = read_attribute_values(*table, attribute); !read) {
        return std::move(read).error();
    }
    const int ways = int{attribute.fixed.has_value()} + int{attribute.fallback.has_value()} +
                     int{attribute.required};
    if (ways > 1) return refuse(name + ": expected one of required, fixed and default", node);
    return attribute;
}

Result<> ProfileReader::read_attribute_values(const toml::table& table,
                                              Profile::Attribute& attribute) const {
    if (const auto* required = table.get("required"); required != nullptr) {
        auto value = flag(*required, "required");
        if (!value) return std::move(value).error();
        attribute.required = *value;
    }
    if (const auto* node = table.get("pattern"); node != nullptr) {
        auto value = text(*node, "pattern");
        if (!value) return std::move(value).error();
        auto pattern = Pattern::compile(*value);
        if (!pattern) return refuse("pattern: " + pattern.error().message, *node);
        attribute.pattern = std::move(*pattern);
    }
    for (const auto& [key, target] :
         {std::pair{"fixed", &attribute.fixed}, std::pair{"default", &attribute.fallback}}) {
        auto value = attribute_text(table, key);
        if (!value) return std::move(value).error();
        if (!*value) continue;
        const std::string& found = **value;
        const auto& at = *table.get(key);
        if (auto valid = check_value({attribute.oid, found}); !valid) {
            return refuse(std::string(key) + ": " + valid.error().message, at);
        }
        if (attribute.pattern && !attribute.pattern->matches(found)) {
            return refuse(std::string(key) + ": \"" + found + "\" does not match " +
                              attribute.pattern->text(),
                          at);
        }
        *target = std::move(*value);
    }
    return {};
}

Result<> ProfileReader::read_subject(const toml::node& node, Profile& profile) {
    const auto* table = node.as_table();
    if (table == nullptr) return refuse("subject: expected a table", node);
    // toml++ sorts a table by key; the file's own order is the one that people mean.
    std::vector<std::pair<toml::source_position, Profile::Attribute>> found;
    for (const auto& [key, value] : *table) {
        if (key.str() == "any" || key.str() == "ignore_others") {
            if (auto answer = flag(value, key.str()); answer) {
                (key.str() == "any" ? profile.subject_any : profile.ignore_other_attributes) =
                    *answer;
            } else {
                note(std::move(answer).error(), value);
            }
            continue;
        }
        auto attribute = read_attribute(key, value);
        if (!attribute) {
            note(std::move(attribute).error(), key.source().begin);
            continue;
        }
        if (std::ranges::any_of(
                found, [&](const auto& other) { return other.second.oid == attribute->oid; })) {
            const auto& at = key.source().begin;
            note(refuse("subject: \"" + attribute->oid + "\" is there twice", at), at);
            continue;
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

Result<std::vector<std::string>> ProfileReader::read_policies(const toml::node& node) const {
    auto policies = texts(node, "policies");
    if (!policies) return policies;
    for (const auto& policy : *policies) {
        if (!der::oid(policy)) {
            return refuse("policies: expected dotted OIDs, found \"" + policy + "\"", node);
        }
    }
    return policies;
}

/// What is wrong with a URL of a certificate, or nothing.
std::string wrong_url(std::string_view url, std::string_view key) {
    const bool has_base =
        url.starts_with("http://") || url.starts_with("https://") || url.starts_with(kStatusUrl);
    const bool is_plain =
        std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7f && c != '"'; });
    if (!has_base || !is_plain) {
        return "expected a URL that starts with http://, https:// or {status_url}";
    }
    for (std::size_t at = 0; (at = url.find_first_of("{}", at)) != std::string_view::npos;) {
        const auto rest = url.substr(at);
        if (rest.starts_with(kShard) && key != "crl_urls") {
            return "{shard} is for crl_urls only";
        }
        std::size_t size = 0;
        for (const auto placeholder : {kStatusUrl, std::string_view("{ca}"), kShard}) {
            if (rest.starts_with(placeholder)) size = placeholder.size();
        }
        if (size == 0) return "expected no placeholder but {status_url}, {ca} and {shard}";
        at += size;
    }
    return {};
}

Result<std::vector<std::string>> ProfileReader::read_urls(const toml::node& node,
                                                          std::string_view key) const {
    auto urls = texts(node, key);
    if (!urls) return urls;
    for (const auto& url : *urls) {
        const std::string wrong = wrong_url(url, key);
        if (!wrong.empty()) {
            return refuse(std::string(key) + ": " + wrong + ", found \"" + url + "\"", node);
        }
    }
    return urls;
}

Result<> ProfileReader::read_entry(const toml::key& key, const toml::node& node, Profile& profile) {
    const std::string_view name = key.str();
    if (name == "name") return read_name(node, profile);
    if (name == "keys") return read_keys(node, profile);
    if (name == "validity") return read_validity(node, profile);
    if (name == "path_length") return read_path_length(node, profile);
    if (name == "key_usage") return read_key_usage(node, profile);
    if (name == "extended_key_usage") return read_extended_key_usage(node, profile);
    if (name == "subject_alt_names") return read_alt_names(node, profile);
    if (name == "subject") return read_subject(node, profile);
    if (name == "backdate" || name == "renew_after_expiry") {
        auto length = duration(node, name);
        if (!length) return std::move(length).error();
        (name == "backdate" ? profile.backdate : profile.renew_after_expiry) = *length;
        return {};
    }
    for (const auto& [list, target] : {std::pair{"policies", &profile.policies},
                                       std::pair{"crl_urls", &profile.crl_urls},
                                       std::pair{"ocsp_urls", &profile.ocsp_urls},
                                       std::pair{"ca_issuers_urls", &profile.ca_issuers_urls}}) {
        if (name != list) continue;
        auto values = name == "policies" ? read_policies(node) : read_urls(node, name);
        if (!values) return std::move(values).error();
        *target = std::move(*values);
        return {};
    }
    for (const auto& [switch_name, target] :
         {std::pair{"ca", &profile.is_ca},
          std::pair{"one_per_device", &profile.one_per_device},
          std::pair{"renewal", &profile.renewal},
          std::pair{"ocsp_no_check", &profile.ocsp_no_check},
          std::pair{"ignore_extensions", &profile.ignore_extensions}}) {
        if (name != switch_name) continue;
        auto value = flag(node, name);
        if (!value) return std::move(value).error();
        *target = *value;
    }
    return {};
}

bool has(const std::vector<std::string>& list, std::string_view item) {
    return std::ranges::find(list, item) != list.end();
}

/// The errors of one node are at that node.
const toml::node& node_of(const toml::table& file, std::string_view key) {
    const toml::node* node = file.get(key);
    return node == nullptr ? file : *node;
}

/// What no single key can tell.
Result<> ProfileReader::check_usages(const toml::table& file, const Profile& profile) const {
    const toml::node& usage = node_of(file, "key_usage");
    const bool signs_certificates = has(profile.key_usage, "keyCertSign");
    if (profile.is_ca && !signs_certificates) {
        return refuse("key_usage: a CA needs keyCertSign", usage);
    }
    if (!profile.is_ca && (signs_certificates || has(profile.key_usage, "cRLSign"))) {
        return refuse("key_usage: keyCertSign and cRLSign are for ca = true", usage);
    }
    const bool rsa_only = std::ranges::all_of(profile.keys, [](KeyKind kind) {
        return kind == KeyKind::Rsa2048 || kind == KeyKind::Rsa3072 || kind == KeyKind::Rsa4096;
    });
    const std::size_t for_rsa = has(profile.key_usage, "keyEncipherment") && !rsa_only ? 1 : 0;
    if (profile.key_usage.size() <= for_rsa) {
        return refuse("key_usage: expected a use that every accepted key has", usage);
    }
    if (profile.ocsp_no_check && !has(profile.extended_key_usage, "OCSPSigning")) {
        return refuse("ocsp_no_check: only with extended_key_usage OCSPSigning",
                      node_of(file, "ocsp_no_check"));
    }
    return {};
}

Result<> ProfileReader::check_ca(const toml::table& file, const Profile& profile) const {
    if (!profile.is_ca && profile.path_length) {
        return refuse("path_length: only for ca = true", node_of(file, "path_length"));
    }
    if (profile.is_ca && !profile.subject_any && profile.subject.empty()) {
        return refuse("subject: a CA needs a name", toml::source_position{1, 1});
    }
    return {};
}

Profile ProfileReader::read(const toml::table& file) {
    check_keys(file,
               {"name",
                "keys",
                "validity",
                "backdate",
                "ca",
                "path_length",
                "key_usage",
                "extended_key_usage",
                "policies",
                "crl_urls",
                "ocsp_urls",
                "ca_issuers_urls",
                "ocsp_no_check",
                "subject_alt_names",
                "ignore_extensions",
                "one_per_device",
                "renewal",
                "renew_after_expiry",
                "subject"});
    Profile profile;
    for (const auto& [key, node] : file)
        note(read_entry(key, node, profile), node);
    const bool parts_are_good = findings_.empty();
    for (const char* key : {"name", "keys", "validity", "key_usage"}) {
        if (file.get(key) != nullptr) continue;
        note(refuse("missing key \"" + std::string(key) + "\"", toml::source_position{1, 1}),
             toml::source_position{0, 0});
    }
    if (parts_are_good && findings_.empty()) {
        note(check_usages(file, profile), node_of(file, "key_usage"));
        note(check_ca(file, profile), toml::source_position{0, 0});
    }
    return profile;
}

/// A profile, or everything that is wrong with it; never both.
struct ReadProfile {
    Profile profile;
    std::vector<Error> errors;
};

ReadProfile read_profile(std::string_view toml, std::string_view source) {
    const std::string name(source);
    if (toml.size() > kMaxProfile) {
        return {
            {},
            {fail(
                Code::InvalidRequest, "expected a profile of at most 65536 bytes", name + ":1:1")}};
    }
    if (const auto at = find_unreadable_toml(toml); at) {
        return {{},
                {fail(Code::InvalidRequest, std::string(kReadableToml), place_in(source, *at))}};
    }
    try {
        const toml::table file = toml::parse(toml, name);
        ProfileReader reader(name);
        auto profile = reader.read(file);
        return {std::move(profile), reader.errors()};
    } catch (const toml::parse_error& error) {
        const auto& at = error.source().begin;
        return {{},
                {fail(Code::InvalidRequest,
                      std::string(error.description()),
                      place_in(source, {at.line, at.column}))}};
    }
}

}  // namespace

Result<Profile> Profile::parse(std::string_view toml, std::string_view source) {
    auto read = read_profile(toml, source);
    if (!read.errors.empty()) return std::move(read.errors.front());
    return std::move(read.profile);
}

std::vector<Error> Profile::check(std::string_view toml, std::string_view source) {
    return read_profile(toml, source).errors;
}

}  // namespace hatchery::ca
