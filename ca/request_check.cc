#include "ca/request_check.h"

#include "ca/key_quality.h"
#include "ca/public_key.h"

#include <algorithm>
#include <set>

namespace hatchery::ca {

namespace {

constexpr std::size_t kMaxAttributes = 32;
constexpr std::size_t kMaxValue = 256;
constexpr std::size_t kMaxAltNames = 100;

Error refuse(std::string message, std::string where) {
    return fail(Code::InvalidRequest, std::move(message), std::move(where));
}

std::string subject_where(std::string_view oid) {
    return "CSR.subject." + std::string(attribute_name(oid));
}

template <class Items, class ToText>
std::string listed(const Items& items, ToText to_text) {
    std::string text;
    for (const auto& item : items) {
        if (!text.empty()) text += ", ";
        text += to_text(item);
    }
    return text.empty() ? "none" : text;
}

// --- the key

std::optional<KeyKind> kind_of(const CsrFields& fields) {
    if (fields.key_algorithm == "RSA") {
        if (fields.key_bits == 2048) return KeyKind::Rsa2048;
        if (fields.key_bits == 3072) return KeyKind::Rsa3072;
        if (fields.key_bits == 4096) return KeyKind::Rsa4096;
    }
    if (fields.key_algorithm == "EC") {
        if (fields.curve == "P-256") return KeyKind::P256;
        if (fields.curve == "P-384") return KeyKind::P384;
    }
    if (fields.key_algorithm == "ED25519") return KeyKind::Ed25519;
    return std::nullopt;
}

std::string key_text(const CsrFields& fields) {
    if (fields.key_algorithm == "RSA") return "RSA of " + std::to_string(fields.key_bits) + " bits";
    if (fields.key_algorithm == "EC") return "the curve " + fields.curve;
    return fields.key_algorithm;
}

Result<> check_key(const Csr& csr, const Profile& profile) {
    const auto& fields = csr.fields();
    const bool rsa = fields.key_algorithm == "RSA";
    if (fields.key_algorithm == "EC" && fields.curve.empty()) {
        return refuse("expected a curve given by name, found explicit curve parameters", "CSR.key");
    }
    if (rsa && fields.key_bits > 0 && fields.key_bits < 2048) {
        return refuse("weak key: expected RSA of at least 2048 bits, found " +
                          std::to_string(fields.key_bits),
                      "CSR.key");
    }
    if (rsa && fields.key_bits > 4096) {
        return refuse("expected RSA of at most 4096 bits, found " + std::to_string(fields.key_bits),
                      "CSR.key");
    }
    const bool unread = fields.key_bits == 0 && (rsa || fields.key_algorithm == "ED25519");
    if (unread) return refuse("the public key cannot be read", "CSR.key");
    const auto kind = kind_of(fields);
    if (!kind || std::ranges::find(profile.keys, *kind) == profile.keys.end()) {
        return refuse("profile \"" + profile.name + "\" takes " +
                          listed(profile.keys, [](KeyKind k) { return to_string(k); }) +
                          ", found " + key_text(fields),
                      "CSR.key");
    }
    if (fields.key_bits == 0) {
        return refuse("expected a point on " + fields.curve + ", found none", "CSR.key");
    }
    return check_key_quality(csr.public_key());
}

// --- the subject

/// RFC 5280 appendix A, upper bounds in characters; others by our own limit.
std::size_t upper_bound(std::string_view type) {
    if (type == oid::kLocality || type == oid::kState || type == oid::kPseudonym) return 128;
    if (type == oid::kSurname) return 40;
    if (type == oid::kGivenName) return 32768;
    if (type == oid::kCommonName || type == oid::kOrganization || type == oid::kSerialNumber ||
        type == oid::kOrganizationalUnit || type == oid::kTitle) {
        return 64;
    }
    return kMaxValue;
}

std::size_t characters(std::string_view utf8) {
    return static_cast<std::size_t>(std::ranges::count_if(
        utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

Result<> check_value(const NameAttribute& attribute) {
    const auto& value = attribute.value;
    const std::string where = subject_where(attribute.oid);
    if (!attribute.text) return refuse("expected a character string", where);
    if (value.empty()) return refuse("expected a value that is not empty", where);
    const std::size_t bound = std::min(upper_bound(attribute.oid), kMaxValue);
    if (characters(value) > bound) {
        return refuse("expected at most " + std::to_string(bound) + " characters, found " +
                          std::to_string(characters(value)),
                      where);
    }
    const bool control = std::ranges::any_of(value, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
    });
    if (control) return refuse("expected no control character", where);
    if (attribute.oid == oid::kCountry) {
        const bool letters = std::ranges::all_of(
            value, [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); });
        if (value.size() != 2 || !letters) {
            return refuse("expected a country code of two letters, found \"" + value + "\"", where);
        }
    }
    return {};
}

namespace {

Result<> check_pattern(const Profile::Attribute& rule, const NameAttribute& attribute) {
    if (!rule.pattern) return {};
    if (rule.pattern->matches(attribute.value)) return {};
    return refuse("expected a value that matches " + rule.pattern->text() + ", found \"" +
                      attribute.value + "\"",
                  subject_where(rule.oid));
}

const Profile::Attribute* rule_for(const Profile& profile, std::string_view oid) {
    const auto found = std::ranges::find(profile.subject, oid, &Profile::Attribute::oid);
    return found == profile.subject.end() ? nullptr : &*found;
}

/// What the profile takes over of the request's own attributes, in their order.
Result<Name> take_subject(const Name& requested, const Profile& profile) {
    Name subject;
    std::set<std::string_view> seen;
    if (requested.attributes.size() > kMaxAttributes) {
        return refuse("expected at most 32 subject attributes", "CSR.subject");
    }
    for (const auto& attribute : requested.attributes) {
        const auto* rule = rule_for(profile, attribute.oid);
        const bool is_taken = rule == nullptr ? profile.subject_any : !rule->fixed;
        if (profile.ignore_other_attributes && !is_taken) continue;
        if (rule == nullptr && !profile.subject_any) {
            return refuse(
                "profile \"" + profile.name + "\" takes no such attribute, only " +
                    listed(profile.subject, [](const auto& r) { return attribute_name(r.oid); }),
                subject_where(attribute.oid));
        }
        const bool may_repeat =
            attribute.oid == oid::kOrganizationalUnit || attribute.oid == oid::kDomainComponent;
        // Two common names or serial numbers: which one is the device?
        if (!seen.insert(attribute.oid).second && !may_repeat) {
            return refuse("expected the attribute once", subject_where(attribute.oid));
        }
        if (rule != nullptr && rule->fixed) continue;
        if (auto valid = check_value(attribute); !valid) return std::move(valid).error();
        if (rule != nullptr) {
            auto matched = check_pattern(*rule, attribute);
            if (!matched) return std::move(matched).error();
        }
        subject.attributes.push_back(attribute);
    }
    return subject;
}

Result<> add_profile_values(Name& subject, const Profile& profile) {
    std::size_t rdn = subject.attributes.empty() ? 0 : subject.attributes.back().rdn + 1;
    for (const auto& rule : profile.subject) {
        if (rule.fixed) {
            subject.attributes.push_back({rule.oid, *rule.fixed, rdn++});
        } else if (subject.first(rule.oid)) {
            continue;
        } else if (rule.fallback) {
            subject.attributes.push_back({rule.oid, *rule.fallback, rdn++});
        } else if (rule.required) {
            return refuse("profile \"" + profile.name + "\" needs this attribute, found none",
                          subject_where(rule.oid));
        }
    }
    if (profile.one_per_device && !subject.first(oid::kSerialNumber)) {
        return refuse("profile \"" + profile.name +
                          "\" gives one certificate a device and needs its serialNumber",
                      subject_where(oid::kSerialNumber));
    }
    return {};
}

// --- extensions

Result<> check_subset(const Result<std::vector<std::string>>& asked,
                      const std::vector<std::string>& allowed,
                      std::string_view extension,
                      const Profile& profile) {
    if (!asked) return refuse(asked.error().message, "CSR.extensions");
    for (const auto& usage : *asked) {
        if (std::ranges::find(allowed, usage) != allowed.end()) continue;
        return refuse(std::string(extension) + " " + usage + " is not in profile \"" +
                          profile.name + "\", which has " +
                          listed(allowed, [](const auto& text) { return text; }),
                      "CSR.extensions");
    }
    return {};
}

Result<> check_basic_constraints(const RequestedExtension& requested, const Profile& profile) {
    auto constraints = read_basic_constraints(requested.value);
    if (!constraints) return refuse(constraints.error().message, "CSR.extensions");
    if (!constraints->is_ca || profile.is_ca) return {};
    return refuse(
        "the request asks for a CA certificate, profile \"" + profile.name + "\" makes none",
        "CSR.extensions");
}

/// What is asked for and harmless is passed over: the profile alone decides what is written.
Result<> check_extension(const RequestedExtension& requested, const Profile& profile) {
    if (requested.oid == extension::kSubjectAltName ||
        requested.oid == extension::kSubjectKeyIdentifier) {
        return {};
    }
    if (requested.oid == extension::kBasicConstraints) {
        return check_basic_constraints(requested, profile);
    }
    if (requested.oid == extension::kKeyUsage) {
        return check_subset(
            read_key_usage(requested.value), profile.key_usage, "keyUsage", profile);
    }
    if (requested.oid == extension::kExtendedKeyUsage) {
        return check_subset(read_extended_key_usage(requested.value),
                            profile.extended_key_usage,
                            "extendedKeyUsage",
                            profile);
    }
    return refuse("the requested extension " + requested.oid + " is not allowed", "CSR.extensions");
}

// --- subjectAltName

bool is_label(std::string_view label) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') {
        return false;
    }
    return std::ranges::all_of(label, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
}

bool is_dns_name(std::string_view name) {
    if (name.size() > 253) return false;
    if (name.starts_with("*.")) name.remove_prefix(2);
    for (;;) {
        const std::size_t dot = name.find('.');
        if (!is_label(name.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        name.remove_prefix(dot + 1);
    }
}

bool is_plain_text(std::string_view text) {
    return !text.empty() && text.size() <= kMaxValue &&
           std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

struct AltKind {
    std::string_view name;
    bool allowed;
    const std::vector<std::string>& values;
    bool (*valid)(std::string_view);
};

Result<> check_alt_kind(const AltKind& kind, const Profile& profile) {
    const std::string where = "CSR.subjectAltName." + std::string(kind.name);
    if (!kind.values.empty() && !kind.allowed) {
        return refuse("profile \"" + profile.name + "\" takes no such name, found \"" +
                          kind.values.front().substr(0, kMaxValue) + "\"",
                      where);
    }
    for (const auto& value : kind.values) {
        if (!kind.valid(value)) {
            return refuse("expected a valid name, found \"" + value.substr(0, kMaxValue) + "\"",
                          where);
        }
    }
    return {};
}

Result<AltNames> take_alt_names(const CsrFields& fields, const Profile& profile) {
    AltNames names;
    for (const auto& requested : fields.extensions) {
        if (requested.oid != extension::kSubjectAltName) continue;
        auto read = read_alt_names(requested.value);
        if (!read) return refuse(read.error().message, "CSR.subjectAltName");
        names = std::move(*read);
    }
    if (names.other) {
        return refuse(
            "expected DNS names, IP addresses, e-mail addresses or URIs, found another "
            "kind of name",
            "CSR.subjectAltName");
    }
    const std::size_t count =
        names.dns.size() + names.ips.size() + names.emails.size() + names.uris.size();
    if (count > kMaxAltNames) {
        return refuse("expected at most 100 names, found " + std::to_string(count),
                      "CSR.subjectAltName");
    }
    const AltKind kinds[] = {{"dns", profile.allow_dns_names, names.dns, is_dns_name},
                             {"ip", profile.allow_ip_addresses, names.ips, is_plain_text},
                             {"email", profile.allow_email_addresses, names.emails, is_plain_text},
                             {"uri", profile.allow_uris, names.uris, is_plain_text}};
    for (const auto& kind : kinds) {
        if (auto checked = check_alt_kind(kind, profile); !checked) {
            return std::move(checked).error();
        }
    }
    return names;
}

Result<> check_extensions(const CsrFields& fields, const Profile& profile) {
    std::set<std::string_view> seen;
    for (const auto& requested : fields.extensions) {
        if (!seen.insert(requested.oid).second) {
            return refuse("the requested extension " + requested.oid + " is there twice",
                          "CSR.extensions");
        }
        auto checked = check_extension(requested, profile);
        if (!checked) return checked;
    }
    return {};
}

}  // namespace

Result<AcceptedRequest> check_request(const Csr& csr, const Profile& profile) {
    const auto& fields = csr.fields();
    AcceptedRequest accepted;
    accepted.rsa = fields.key_algorithm == "RSA";
    if (auto key = check_key(csr, profile); !key) return std::move(key).error();
    if (!profile.ignore_extensions) {
        if (auto checked = check_extensions(fields, profile); !checked) {
            return std::move(checked).error();
        }
        auto names = take_alt_names(fields, profile);
        if (!names) return std::move(names).error();
        accepted.alt_names = std::move(*names);
    }
    auto subject = take_subject(fields.subject, profile);
    if (!subject) return std::move(subject).error();
    accepted.subject = std::move(*subject);
    if (auto added = add_profile_values(accepted.subject, profile); !added) {
        return std::move(added).error();
    }
    if (accepted.subject.attributes.empty()) {
        // RFC 5280 4.1.2.6: a CA has a name; others may do with a subjectAltName.
        auto alt = encode_alt_names(accepted.alt_names);
        if (profile.is_ca || !alt || alt->empty()) {
            return refuse("expected a subject that is not empty", "CSR.subject");
        }
    }
    if (auto verified = csr.verify_signature(); !verified) return std::move(verified).error();
    return accepted;
}

}  // namespace hatchery::ca
