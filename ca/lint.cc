#include "ca/lint.h"

#include "ca/der.h"
#include "ca/name.h"
#include "ca/request_check.h"
#include "ca/tbs.h"
#include "ca/x509_parts.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace hatchery::ca {

namespace {

constexpr std::size_t kLeastSerialOctets = 9;  // 64 random bits (CA/Browser Forum BR 7.1) and more
constexpr std::size_t kMostSerialOctets = 20;  // RFC 5280 4.1.2.2

Error finding(std::string message, std::string_view field) {
    return fail(Code::InvalidRequest,
                "the certificate was not signed: " + std::move(message),
                "certificate." + std::string(field));
}

bool equal(ByteView a, ByteView b) {
    return std::ranges::equal(a, b);
}

/// The parts of tbsCertificate, as they stand in the bytes.
struct Parts {
    der::Element version, serial_number, algorithm, issuer, validity, subject, public_key;
    ByteView extensions;
};

Result<Parts> split(ByteView tbs) {
    const auto malformed = [] { return finding("its bytes are not DER", "tbs"); };
    const auto content = der::only(der::kSequence, tbs);
    if (!content) return malformed();
    der::Reader reader(*content);
    const auto version = reader.next_if(der::context_constructed(0));
    const auto serial = reader.next_if(der::kInteger);
    const auto algorithm = reader.next_if(der::kSequence);
    const auto issuer = reader.next_if(der::kSequence);
    const auto validity = reader.next_if(der::kSequence);
    const auto subject = reader.next_if(der::kSequence);
    const auto key = reader.next_if(der::kSequence);
    const auto extensions = reader.next_if(der::context_constructed(3));
    if (!version || !serial || !algorithm || !issuer || !validity || !subject || !key ||
        !extensions || !reader.done()) {
        return malformed();
    }
    const auto list = der::only(der::kSequence, extensions->content);
    if (!list || list->empty()) return malformed();
    return Parts{*version, *serial, *algorithm, *issuer, *validity, *subject, *key, *list};
}

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
    int value = 0;
    const char* end = text.data() + at + count;
    const auto [next, error] = std::from_chars(text.data() + at, end, value);
    if (error != std::errc{} || next != end || value < 0) return std::nullopt;
    return value;
}

/// RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on, seconds, "Z".
std::optional<Time> read_time(const std::optional<der::Element>& element) {
    if (!element) return std::nullopt;
    const bool utc = element->tag == der::kUtcTime;
    if (!utc && element->tag != der::kGeneralizedTime) return std::nullopt;
    const std::string_view text = text_of(element->content);
    const std::size_t year_digits = utc ? 2 : 4;
    if (text.size() != year_digits + 11 || text.back() != 'Z') return std::nullopt;
    const auto year = digits(text, 0, year_digits);
    std::array<int, 5> rest{};
    for (std::size_t i = 0; i < rest.size(); ++i) {
        const auto value = digits(text, year_digits + 2 * i, 2);
        if (!value) return std::nullopt;
        rest[i] = *value;
    }
    if (!year) return std::nullopt;
    using namespace std::chrono;
    const int full = !utc ? *year : *year < 50 ? *year + 2000 : *year + 1900;
    if (!utc && full < 2050) return std::nullopt;
    const year_month_day date{std::chrono::year{full},
                              month{static_cast<unsigned>(rest[0])},
                              day{static_cast<unsigned>(rest[1])}};
    if (!date.ok() || rest[2] > 23 || rest[3] > 59 || rest[4] > 59) return std::nullopt;
    return sys_days{date} + hours{rest[2]} + minutes{rest[3]} + seconds{rest[4]};
}

Result<> check_serial(ByteView content, const LintContext& context, CertificateFields& fields) {
    if (!der::is_integer(content) || (content[0] & 0x80) != 0) {
        return finding("expected a positive serial number (RFC 5280 4.1.2.2)", "serialNumber");
    }
    const ByteView magnitude = content[0] == 0 ? content.subspan(1) : content;
    if (magnitude.size() < kLeastSerialOctets || content.size() > kMostSerialOctets) {
        return finding("expected a serial number of 9 to 20 octets (RFC 5280 4.1.2.2)",
                       "serialNumber");
    }
    if (!equal(magnitude, context.serial_number)) {
        return finding("expected the serial number that the ledger holds", "serialNumber");
    }
    fields.serial_number = to_bytes(magnitude);
    return {};
}

Result<> check_validity_in(ByteView content,
                           const LintContext& context,
                           CertificateFields& fields) {
    der::Reader reader(content);
    const auto not_before = read_time(reader.next());
    const auto not_after = read_time(reader.next());
    if (!not_before || !not_after || !reader.done()) {
        return finding("malformed times (RFC 5280 4.1.2.5)", "validity");
    }
    const auto& issuer = context.issuer.fields();
    const auto& profile = context.profile;
    if (*not_before > *not_after) return finding("it ends before it begins", "validity");
    if (*not_before < issuer.not_before) {
        return finding("it begins before its issuer", "validity");
    }
    const bool unlimited = profile.no_expiry && *not_after == kNoExpiry;
    if (!unlimited && *not_after > issuer.not_after) {
        return finding("it outlives its issuer", "validity");
    }
    // The last second counts (4.1.2.5): one hour is 3,600 seconds from `now`, both ends included.
    if (!profile.no_expiry && *not_after - context.now >= profile.validity) {
        return finding("it is valid for longer than profile \"" + profile.name + "\" says",
                       "validity");
    }
    if (*not_before < context.now - profile.backdate && *not_before != issuer.not_before) {
        return finding("it begins earlier than profile \"" + profile.name + "\" says", "validity");
    }
    fields.not_before = *not_before;
    fields.not_after = *not_after;
    return {};
}

const Profile::Attribute* rule_of(const Profile& profile, std::string_view oid) {
    const auto found = std::ranges::find(profile.subject, oid, &Profile::Attribute::oid);
    return found == profile.subject.end() ? nullptr : &*found;
}

Result<> check_subject(ByteView der, const LintContext& context, CertificateFields& fields) {
    auto name = read_name(der);
    if (!name) return finding("malformed subject", "subject");
    const auto& profile = context.profile;
    if (equal(der, context.issuer.fields().subject_der)) {
        return finding("it has its issuer's name", "subject");
    }
    for (const auto& attribute : name->attributes) {
        const std::string type(attribute_name(attribute.oid));
        const auto* rule = rule_of(profile, attribute.oid);
        if (rule == nullptr && !profile.subject_any) {
            return finding(type + " is not in profile \"" + profile.name + "\"", "subject");
        }
        if (auto valid = check_value(attribute); !valid) {
            return finding(type + ": " + valid.error().message + " (RFC 5280 appendix A)",
                           "subject");
        }
        if (rule != nullptr && rule->fixed && *rule->fixed != attribute.value) {
            return finding(type + " is not the fixed value", "subject");
        }
    }
    for (const auto& rule : profile.subject) {
        if ((rule.required || rule.fixed) && !name->first(rule.oid)) {
            return finding(std::string(attribute_name(rule.oid)) + " is missing", "subject");
        }
    }
    fields.subject = std::move(*name);
    fields.subject_der = to_bytes(der);
    return {};
}

/// Each extension of the list, by its type; none twice (RFC 5280 4.2).
struct Extensions {
    std::vector<ReadExtension> all;
    const ReadExtension* find(std::string_view oid) const {
        const auto found = std::ranges::find(all, oid, &ReadExtension::oid);
        return found == all.end() ? nullptr : &*found;
    }
};

struct KnownExtension {
    std::string_view oid;
    bool critical;
};
/// What this CA writes, and how; subjectAltName is critical where the subject is empty.
constexpr std::array<KnownExtension, 10> kKnown{{{extension::kBasicConstraints, true},
                                                 {extension::kKeyUsage, true},
                                                 {extension::kExtendedKeyUsage, false},
                                                 {extension::kSubjectKeyIdentifier, false},
                                                 {extension::kAuthorityKeyIdentifier, false},
                                                 {extension::kSubjectAltName, false},
                                                 {extension::kCertificatePolicies, false},
                                                 {extension::kCrlDistributionPoints, false},
                                                 {extension::kAuthorityInfoAccess, false},
                                                 {extension::kOcspNoCheck, false}}};

Result<Extensions> read_extensions(ByteView list, bool empty_subject) {
    Extensions extensions;
    for (der::Reader reader(list); !reader.done();) {
        auto extension = read_extension(reader);
        if (!extension) return finding("malformed extension", "extensions");
        const auto known = std::ranges::find(kKnown, extension->oid, &KnownExtension::oid);
        if (known == kKnown.end()) {
            return finding("unknown extension " + extension->oid, "extensions");
        }
        if (extensions.find(extension->oid) != nullptr) {
            return finding("extension " + extension->oid + " is there twice (RFC 5280 4.2)",
                           "extensions");
        }
        const bool critical =
            extension->oid == extension::kSubjectAltName ? empty_subject : known->critical;
        if (extension->critical != critical) {
            return finding("extension " + extension->oid + " is critical, or not, against RFC 5280",
                           "extensions");
        }
        extensions.all.push_back(std::move(*extension));
    }
    return extensions;
}

Result<> check_constraints(const Extensions& extensions,
                           const Profile& profile,
                           CertificateFields& fields) {
    const auto* extension = extensions.find(extension::kBasicConstraints);
    if (extension == nullptr) return finding("no basicConstraints", "basicConstraints");
    const auto constraints = read_basic_constraints(extension->value);
    if (!constraints || constraints->is_ca != profile.is_ca ||
        constraints->path_length != profile.path_length) {
        return finding("basicConstraints differ from profile \"" + profile.name + "\"",
                       "basicConstraints");
    }
    fields.is_ca = constraints->is_ca;
    fields.path_length = constraints->path_length;
    return {};
}

bool all_in(const std::vector<std::string>& some, const std::vector<std::string>& all) {
    return std::ranges::all_of(
        some, [&](const auto& item) { return std::ranges::find(all, item) != all.end(); });
}

Result<> check_usages(const Extensions& extensions, const Profile& profile) {
    const auto* key_usage = extensions.find(extension::kKeyUsage);
    if (key_usage == nullptr) return finding("no keyUsage", "keyUsage");
    const auto usages = read_key_usage(key_usage->value);
    // RFC 5280 4.2.1.3: at least one bit; keyCertSign if and only if it is a CA (4.2.1.9).
    if (!usages || usages->empty() || !all_in(*usages, profile.key_usage)) {
        return finding("keyUsage is not of profile \"" + profile.name + "\"", "keyUsage");
    }
    const bool signs = std::ranges::find(*usages, "keyCertSign") != usages->end();
    if (signs != profile.is_ca) {
        return finding("keyCertSign and basicConstraints disagree (RFC 5280 4.2.1.9)", "keyUsage");
    }
    const auto* extended = extensions.find(extension::kExtendedKeyUsage);
    if (extended == nullptr) {
        return profile.extended_key_usage.empty()
                   ? Result<>{}
                   : finding("no extendedKeyUsage", "extendedKeyUsage");
    }
    const auto purposes = read_extended_key_usage(extended->value);
    if (purposes && *purposes == profile.extended_key_usage) return {};
    return finding("extendedKeyUsage is not of profile \"" + profile.name + "\"",
                   "extendedKeyUsage");
}

Result<> check_key_identifiers(const Extensions& extensions,
                               const LintContext& context,
                               CertificateFields& fields) {
    const auto* subject = extensions.find(extension::kSubjectKeyIdentifier);
    const auto* authority = extensions.find(extension::kAuthorityKeyIdentifier);
    if (subject == nullptr || authority == nullptr) {
        return finding("no key identifiers (RFC 5280 4.2.1.1, 4.2.1.2)", "extensions");
    }
    const auto own = der::only(der::kOctetString, subject->value);
    const auto issuers = der::only(der::kSequence, authority->value);
    const auto issuers_id = issuers ? der::only(der::context(0), *issuers) : std::nullopt;
    const auto& issuer = context.issuer.fields();
    const Bytes expected = issuer.subject_key_identifier.empty()
                               ? key_identifier(issuer.public_key_der)
                               : issuer.subject_key_identifier;
    if (!own || own->empty() || !issuers_id || !equal(*issuers_id, expected)) {
        return finding("the key identifiers are wrong (RFC 5280 4.2.1.1)", "extensions");
    }
    fields.subject_key_identifier = to_bytes(*own);
    fields.authority_key_identifier = to_bytes(*issuers_id);
    return {};
}

Result<> check_names(const Extensions& extensions,
                     const Profile& profile,
                     CertificateFields& fields) {
    const auto* extension = extensions.find(extension::kSubjectAltName);
    if (extension == nullptr) {
        if (!fields.subject.attributes.empty()) return {};
        return finding("it names nobody (RFC 5280 4.1.2.6)", "subject");
    }
    auto names = read_alt_names(extension->value);
    if (!names || names->other || (!names->dns.empty() && !profile.allow_dns_names) ||
        (!names->ips.empty() && !profile.allow_ip_addresses) ||
        (!names->emails.empty() && !profile.allow_email_addresses) ||
        (!names->uris.empty() && !profile.allow_uris)) {
        return finding("a subjectAltName is not of profile \"" + profile.name + "\"",
                       "subjectAltName");
    }
    fields.dns_names = std::move(names->dns);
    fields.ip_addresses = std::move(names->ips);
    fields.email_addresses = std::move(names->emails);
    fields.uris = std::move(names->uris);
    return {};
}

/// Every URI in an extension's value, wherever it stands: [6] IA5String.
void collect_uris(ByteView content, std::vector<std::string>& uris, int depth) {
    for (der::Reader reader(content); !reader.done();) {
        const auto element = reader.next();
        if (!element) return;
        if (element->tag == der::context(6)) uris.emplace_back(text_of(element->content));
        const bool constructed = (element->tag & 0x20) != 0;
        if (constructed && depth < 6) collect_uris(element->content, uris, depth + 1);
    }
}

Result<> check_urls(const Extensions& extensions, const LintContext& context) {
    const auto& profile = context.profile;
    const auto expected = [&](const std::vector<std::string>& patterns) {
        return certificate_urls(patterns, context.issuer, context.serial_number);
    };
    auto access = expected(profile.ocsp_urls);
    for (auto& url : expected(profile.ca_issuers_urls))
        access.push_back(std::move(url));
    for (const auto& [oid, urls] :
         {std::pair(extension::kCrlDistributionPoints, expected(profile.crl_urls)),
          std::pair(extension::kAuthorityInfoAccess, std::move(access))}) {
        const auto* extension = extensions.find(oid);
        std::vector<std::string> found;
        if (extension != nullptr) collect_uris(extension->value, found, 0);
        const bool complete = std::ranges::all_of(urls, [](const std::string& url) {
            return url.find_first_of("{}") == std::string::npos;
        });
        if (found != urls || !complete || (extension != nullptr && urls.empty())) {
            return finding("the URLs are not those of profile \"" + profile.name + "\"",
                           "extensions");
        }
    }
    const bool has_no_check = extensions.find(extension::kOcspNoCheck) != nullptr;
    const bool has_policies = extensions.find(extension::kCertificatePolicies) != nullptr;
    if (has_no_check != profile.ocsp_no_check || has_policies == profile.policies.empty()) {
        return finding("the extensions are not those of profile \"" + profile.name + "\"",
                       "extensions");
    }
    return {};
}

Result<> check_extensions_in(ByteView list, const LintContext& context, CertificateFields& fields) {
    auto extensions = read_extensions(list, fields.subject.attributes.empty());
    if (!extensions) return std::move(extensions).error();
    const auto& profile = context.profile;
    if (auto good = check_constraints(*extensions, profile, fields); !good) return good;
    if (auto good = check_usages(*extensions, profile); !good) return good;
    if (auto good = check_key_identifiers(*extensions, context, fields); !good) return good;
    if (auto good = check_names(*extensions, profile, fields); !good) return good;
    return check_urls(*extensions, context);
}

}  // namespace

Result<CertificateFields> lint_tbs(ByteView tbs, const LintContext& context) {
    static constexpr std::array<std::uint8_t, 3> version_3{der::kInteger, 1, 2};
    auto parts = split(tbs);
    if (!parts) return std::move(parts).error();
    CertificateFields fields;
    if (!equal(parts->version.content, version_3)) {
        return finding("expected version 3 (RFC 5280 4.1.2.1)", "version");
    }
    if (!equal(parts->algorithm.whole, context.signature_algorithm)) {
        return finding("expected the issuer's signature algorithm (RFC 5280 4.1.2.3)", "signature");
    }
    const auto& issuer = context.issuer.fields();
    if (!equal(parts->issuer.whole, issuer.subject_der)) {
        return finding("expected the issuer's name, octet by octet (RFC 5280 4.1.2.4)", "issuer");
    }
    if (!equal(parts->public_key.whole, context.public_key_der)) {
        return finding("expected the request's public key", "subjectPublicKeyInfo");
    }
    fields.issuer = issuer.subject;
    fields.issuer_der = issuer.subject_der;
    fields.public_key_der = to_bytes(context.public_key_der);
    if (auto good = check_serial(parts->serial_number.content, context, fields); !good) {
        return std::move(good).error();
    }
    if (auto good = check_validity_in(parts->validity.content, context, fields); !good) {
        return std::move(good).error();
    }
    if (auto good = check_subject(parts->subject.whole, context, fields); !good) {
        return std::move(good).error();
    }
    if (auto good = check_extensions_in(parts->extensions, context, fields); !good) {
        return std::move(good).error();
    }
    return fields;
}

}  // namespace hatchery::ca
