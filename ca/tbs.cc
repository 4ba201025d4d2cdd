#include "ca/tbs.h"

#include "ca/crl.h"
#include "ca/der.h"

#include <algorithm>

namespace hatchery::ca {

namespace {

constexpr std::string_view kOidOcsp = "1.3.6.1.5.5.7.48.1";
constexpr std::string_view kOidCaIssuers = "1.3.6.1.5.5.7.48.2";

Bytes encode_key_usage(const std::vector<std::string>& usages, bool rsa) {
    std::uint8_t octets[2] = {0, 0};
    std::size_t last = 0;
    for (std::size_t bit = 0; bit < kKeyUsageNames.size(); ++bit) {
        const std::string_view name = kKeyUsageNames[bit];
        if (std::ranges::find(usages, name) == usages.end()) continue;
        // Only RSA can encipher a key; on an EC key the bit has no meaning (RFC 8813 section 3).
        if (name == "keyEncipherment" && !rsa) continue;
        octets[bit / 8] = static_cast<std::uint8_t>(octets[bit / 8] | (0x80U >> (bit % 8)));
        last = bit;
    }
    const std::size_t size = last / 8 + 1;
    const std::uint8_t unused = static_cast<std::uint8_t>(7 - last % 8);  // X.690 11.2.2
    return der::tlv(der::kBitString, {ByteView(&unused, 1), ByteView(octets).first(size)});
}

Bytes encode_basic_constraints(bool is_ca, std::optional<int> path_length) {
    if (!is_ca) return der::sequence({});
    const Bytes length =
        path_length ? der::small_integer(static_cast<unsigned>(*path_length)) : Bytes{};
    return der::sequence({der::boolean_true(), length});
}

Bytes encode_extended_key_usage(const std::vector<std::string>& usages) {
    Bytes content;
    for (const auto& usage : usages) {
        const auto known =
            std::ranges::find(kExtendedKeyUsages, usage, &ExtendedKeyUsageName::name);
        if (known == kExtendedKeyUsages.end()) continue;  // Profile::parse refuses others
        const Bytes one = der::oid(known->oid).value_or(Bytes{});
        content.insert(content.end(), one.begin(), one.end());
    }
    return der::sequence({content});
}

void append(Bytes& out, const Bytes& more) {
    out.insert(out.end(), more.begin(), more.end());
}

Bytes uri(std::string_view url) {
    return der::tlv(der::context(6), {bytes_of(url)});
}

/// CertificatePolicies (RFC 5280 4.2.1.4), without qualifiers.
Bytes encode_policies(const std::vector<std::string>& policies) {
    Bytes content;
    for (const auto& policy : policies)
        append(content, der::sequence({der::oid(policy).value_or(Bytes{})}));
    return der::sequence({content});
}

/// CRLDistributionPoints (4.2.1.13): one point, the same list at every URL.
Bytes encode_distribution_points(const std::vector<std::string>& urls) {
    Bytes names;
    for (const auto& url : urls)
        append(names, uri(url));
    const Bytes full_name = der::tlv(der::context_constructed(0), {names});
    return der::sequence({der::sequence({der::tlv(der::context_constructed(0), {full_name})})});
}

/// AuthorityInfoAccess (4.2.2.1).
Bytes encode_information_access(const std::vector<std::string>& ocsp,
                                const std::vector<std::string>& ca_issuers) {
    Bytes content;
    for (const auto& [method, urls] :
         {std::pair(kOidOcsp, &ocsp), std::pair(kOidCaIssuers, &ca_issuers)}) {
        const Bytes type = der::oid(method).value_or(Bytes{});
        for (const auto& url : *urls)
            append(content, der::sequence({type, uri(url)}));
    }
    return der::sequence({content});
}

Bytes authority_key_identifier(const CertificateFields& issuer) {
    const Bytes id = issuer.subject_key_identifier.empty() ? key_identifier(issuer.public_key_der)
                                                           : issuer.subject_key_identifier;
    return der::sequence({der::tlv(der::context(0), {id})});
}

Bytes subject_key_identifier(ByteView public_key_der) {
    return der::tlv(der::kOctetString, {key_identifier(public_key_der)});
}

void add_profile_extensions(std::vector<ExtensionToWrite>& extensions,
                            const Profile& profile,
                            const Certificate& issuer,
                            ByteView serial_number) {
    if (!profile.policies.empty()) {
        extensions.push_back(
            {extension::kCertificatePolicies, false, encode_policies(profile.policies)});
    }
    const auto crl = certificate_urls(profile.crl_urls, issuer, serial_number);
    if (!crl.empty()) {
        extensions.push_back(
            {extension::kCrlDistributionPoints, false, encode_distribution_points(crl)});
    }
    const auto ocsp = certificate_urls(profile.ocsp_urls, issuer, serial_number);
    const auto ca_issuers = certificate_urls(profile.ca_issuers_urls, issuer, serial_number);
    if (!ocsp.empty() || !ca_issuers.empty()) {
        extensions.push_back(
            {extension::kAuthorityInfoAccess, false, encode_information_access(ocsp, ca_issuers)});
    }
    if (profile.ocsp_no_check) {
        extensions.push_back({extension::kOcspNoCheck, false, {der::kNullTag, 0}});
    }
}

}  // namespace

Bytes encode_tbs(const ToBeSigned& tbs) {
    return der::sequence(
        {der::tlv(der::context_constructed(0), {der::small_integer(2)}),  // version 3
         der::integer(tbs.serial_number),
         tbs.algorithm,
         tbs.issuer,
         der::sequence({der::time(tbs.not_before), der::time(tbs.not_after)}),
         tbs.subject,
         tbs.public_key,
         der::tlv(der::context_constructed(3), {encode_extensions(tbs.extensions)})});
}

std::vector<std::string> certificate_urls(const std::vector<std::string>& patterns,
                                          const Certificate& issuer,
                                          ByteView serial_number) {
    std::vector<std::string> urls;
    for (const auto& pattern : patterns) {
        if (pattern.find(kStatusUrl) != std::string::npos) continue;
        urls.push_back(expand_url(pattern, issuer, serial_number));
    }
    return urls;
}

Result<std::vector<ExtensionToWrite>> extensions_of(const AcceptedRequest& accepted,
                                                    const Profile& profile,
                                                    ByteView public_key_der,
                                                    const Certificate& issuer,
                                                    ByteView serial_number) {
    std::vector<ExtensionToWrite> extensions;
    extensions.reserve(10);
    extensions.push_back({extension::kBasicConstraints,
                          true,
                          encode_basic_constraints(profile.is_ca, profile.path_length)});
    extensions.push_back(
        {extension::kKeyUsage, true, encode_key_usage(profile.key_usage, accepted.rsa)});
    if (!profile.extended_key_usage.empty()) {
        extensions.push_back({extension::kExtendedKeyUsage,
                              false,
                              encode_extended_key_usage(profile.extended_key_usage)});
    }
    extensions.push_back(
        {extension::kSubjectKeyIdentifier, false, subject_key_identifier(public_key_der)});
    extensions.push_back(
        {extension::kAuthorityKeyIdentifier, false, authority_key_identifier(issuer.fields())});
    auto names = encode_alt_names(accepted.alt_names);
    if (!names) return std::move(names).error();
    if (!names->empty()) {
        // Critical when it is the only name there is (RFC 5280 4.2.1.6).
        extensions.push_back(
            {extension::kSubjectAltName, accepted.subject.attributes.empty(), std::move(*names)});
    }
    add_profile_extensions(extensions, profile, issuer, serial_number);
    return extensions;
}

std::vector<ExtensionToWrite> root_extensions(ByteView public_key_der) {
    return {{extension::kBasicConstraints, true, encode_basic_constraints(true, std::nullopt)},
            {extension::kKeyUsage, true, encode_key_usage({"keyCertSign", "cRLSign"}, false)},
            {extension::kSubjectKeyIdentifier, false, subject_key_identifier(public_key_der)}};
}

}  // namespace hatchery::ca
