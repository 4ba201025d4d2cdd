#include "ca/crl.h"

#include "ca/der.h"
#include "ca/signature.h"
#include "ca/x509_parts.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace hatchery::ca {

namespace {

constexpr std::string_view kCaPlaceholder = "{ca}";
constexpr std::string_view kShardPlaceholder = "{shard}";
constexpr std::string_view kCrlNumber = "2.5.29.20";
constexpr std::string_view kReasonCode = "2.5.29.21";
constexpr std::string_view kIssuingDistributionPoint = "2.5.29.28";
constexpr std::uint8_t kEnumerated = 0x0a;

struct ReasonName {
    RevocationReason reason;
    std::string_view name;
};
constexpr std::array<ReasonName, 10> kReasonNames{
    {{RevocationReason::Unspecified, "unspecified"},
     {RevocationReason::KeyCompromise, "keyCompromise"},
     {RevocationReason::CaCompromise, "cACompromise"},
     {RevocationReason::AffiliationChanged, "affiliationChanged"},
     {RevocationReason::Superseded, "superseded"},
     {RevocationReason::CessationOfOperation, "cessationOfOperation"},
     {RevocationReason::CertificateHold, "certificateHold"},
     {RevocationReason::RemoveFromCrl, "removeFromCRL"},
     {RevocationReason::PrivilegeWithdrawn, "privilegeWithdrawn"},
     {RevocationReason::AaCompromise, "aACompromise"}}};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
}

Bytes key_identifier_of(const Certificate& issuer) {
    const auto& fields = issuer.fields();
    return fields.subject_key_identifier.empty() ? key_identifier(fields.public_key_der)
                                                 : fields.subject_key_identifier;
}

/// revokedCertificates' entry. The reason is left out when it is unspecified (5.3.1 SHOULD).
Bytes encode_entry(const RevokedCertificate& revoked) {
    Bytes extensions;
    if (revoked.reason != RevocationReason::Unspecified) {
        const auto reason = static_cast<std::uint8_t>(revoked.reason);
        extensions = encode_extensions(
            {{kReasonCode, false, der::tlv(kEnumerated, {ByteView(&reason, 1)})}});
    }
    return der::sequence(
        {der::integer(revoked.serial_number), der::time(revoked.revoked), extensions});
}

/// IssuingDistributionPoint ::= SEQUENCE { distributionPoint [0] { fullName [0] GeneralNames } }
Bytes encode_distribution_point(const std::vector<std::string>& urls) {
    Bytes names;
    for (const auto& url : urls) {
        const Bytes name = der::tlv(der::context(6), {bytes_of(url)});
        names.insert(names.end(), name.begin(), name.end());
    }
    const Bytes full_name = der::tlv(der::context_constructed(0), {names});
    return der::sequence({der::tlv(der::context_constructed(0), {full_name})});
}

Bytes magnitude_of(std::int64_t number) {
    Bytes magnitude;
    for (int shift = 56; shift >= 0; shift -= 8) {
        const auto octet = static_cast<std::uint8_t>(number >> shift);
        if (!magnitude.empty() || octet != 0) magnitude.push_back(octet);
    }
    return magnitude;
}

Bytes encode_revoked_list(const std::vector<RevokedCertificate>& revoked) {
    if (revoked.empty()) return {};  // absent, never an empty list (5.1.2.6)
    Bytes entries;
    for (const auto& one : revoked) {
        const Bytes entry = encode_entry(one);
        entries.insert(entries.end(), entry.begin(), entry.end());
    }
    return der::sequence({entries});
}

std::vector<ExtensionToWrite> crl_extensions(const Certificate& issuer, const CrlContent& content) {
    std::vector<ExtensionToWrite> extensions;
    extensions.push_back({extension::kAuthorityKeyIdentifier,
                          false,
                          der::sequence({der::tlv(der::context(0), {key_identifier_of(issuer)})})});
    extensions.push_back({kCrlNumber, false, der::integer(magnitude_of(content.number))});
    if (!content.distribution_urls.empty()) {
        extensions.push_back({kIssuingDistributionPoint,
                              true,
                              encode_distribution_point(content.distribution_urls)});
    }
    return extensions;
}

}  // namespace

unsigned crl_shard(ByteView serial_number) {
    return serial_number.empty() ? 0U : serial_number.back() % kCrlShards;
}

std::string expand_url(std::string_view pattern,
                       const Certificate& issuer,
                       std::optional<unsigned> shard) {
    std::string url(pattern);
    replace_all(url, kCaPlaceholder, to_hex(key_identifier_of(issuer)));
    if (shard) replace_all(url, kShardPlaceholder, std::to_string(*shard));
    return url;
}

std::string expand_url(std::string_view pattern,
                       const Certificate& issuer,
                       ByteView serial_number) {
    return expand_url(pattern, issuer, std::optional<unsigned>(crl_shard(serial_number)));
}

std::string_view to_string(RevocationReason reason) {
    const auto known = std::ranges::find(kReasonNames, reason, &ReasonName::reason);
    return known == kReasonNames.end() ? "unspecified" : known->name;
}

Result<RevocationReason> parse_revocation_reason(std::string_view text) {
    std::string names;
    for (const auto& [reason, name] : kReasonNames) {
        if (reason == RevocationReason::RemoveFromCrl) continue;
        if (name.size() == text.size() && strncasecmp(name.data(), text.data(), name.size()) == 0) {
            return reason;
        }
        names += (names.empty() ? "" : ", ") + std::string(name);
    }
    return fail(Code::InvalidRequest,
                "expected one of " + names + ", found \"" + std::string(text) + "\"",
                "reason");
}

Result<Bytes> make_crl(const Certificate& issuer,
                       const PrivateKey& key,
                       const CrlContent& content) {
    if (content.next_update <= content.this_update || content.number <= 0) {
        return fail(Code::InvalidRequest,
                    "expected a CRL number above 0 and a nextUpdate after thisUpdate",
                    "CRL");
    }
    if (key.public_key_der() != issuer.fields().public_key_der) {
        return fail(Code::InvalidRequest, "the key does not belong to the CRL's issuer", "CRL");
    }
    auto algorithm = signature_algorithm(key);
    if (!algorithm) return std::move(algorithm).error();
    const Bytes tbs =
        der::sequence({der::small_integer(1),  // version 2
                       *algorithm,
                       issuer.fields().subject_der,
                       der::time(content.this_update),
                       der::time(content.next_update),
                       encode_revoked_list(content.revoked),
                       der::tlv(der::context_constructed(0),
                                {encode_extensions(crl_extensions(issuer, content))})});
    return sign_der(tbs, key);
}

}  // namespace hatchery::ca
