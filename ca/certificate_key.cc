#include "ca/certificate_key.h"

#include "ca/der.h"
#include "ca/key_quality.h"
#include "ca/weak_keys.h"

#include <algorithm>
#include <array>
#include <utility>

namespace hatchery::ca {

namespace {

constexpr int kLeastRsaBits = 2048;

/// RFC 5280 4.1: TBSCertificate ::= SEQUENCE { [0] version, serialNumber, signature, issuer,
/// validity, subject, subjectPublicKeyInfo, … }
struct Members {
    ByteView signature, issuer, subject, key_info;  // each whole
};
std::optional<Members> members_of(ByteView certificate_der) {
    const auto certificate = der::only(der::kSequence, certificate_der);
    if (!certificate) return std::nullopt;
    const auto to_be_signed = der::Reader(*certificate).next_if(der::kSequence);
    if (!to_be_signed) return std::nullopt;
    der::Reader reader(to_be_signed->content);
    reader.next_if(der::context_constructed(0));
    if (!reader.next_if(der::kInteger)) return std::nullopt;
    std::array<ByteView, 5> parts;
    for (ByteView& part : parts) {
        const auto next = reader.next_if(der::kSequence);
        if (!next) return std::nullopt;
        part = next->whole;
    }
    return Members{parts[0], parts[1], parts[3], parts[4]};
}

Error no_certificate() {
    return fail(Code::InvalidRequest, "expected a certificate in DER");
}

// RFC 8017 A.2.4 and RFC 3279 2.2.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kWeakSignatures{
    {{"1.2.840.113549.1.1.2", "md2WithRSAEncryption"},
     {"1.2.840.113549.1.1.3", "md4WithRSAEncryption"},
     {"1.2.840.113549.1.1.4", "md5WithRSAEncryption"},
     {"1.2.840.113549.1.1.5", "sha1WithRSAEncryption"},
     {"1.2.840.10040.4.3", "dsaWithSHA1"},
     {"1.2.840.10045.4.1", "ecdsa-with-SHA1"}}};

}  // namespace

Result<> check_certificate_key(ByteView certificate_der, const WeakKeys* weak) {
    const auto members = members_of(certificate_der);
    if (!members) return no_certificate();
    auto key = read_public_key(members->key_info);
    if (!key) return std::move(key).error();
    if (key->algorithm == "RSA" && key->bits < kLeastRsaBits) {
        return fail(Code::InvalidRequest,
                    "weak key: expected an RSA modulus of at least 2048 bits, found one of " +
                        std::to_string(key->bits));
    }
    if (key->bits == 0) {
        return fail(Code::InvalidRequest, "weak key: the key cannot be read");
    }
    if (weak != nullptr && key->algorithm == "RSA" && weak->contains(key->modulus)) {
        return fail(Code::InvalidRequest,
                    "weak key: Debian's OpenSSL of 2006 to 2008 made it (CVE-2008-0166)");
    }
    return check_key_quality(*key);
}

Result<> check_certificate_signature(ByteView certificate_der) {
    const auto members = members_of(certificate_der);
    if (!members) return no_certificate();
    if (std::ranges::equal(members->issuer, members->subject)) return {};
    const auto algorithm = der::only(der::kSequence, members->signature);
    const auto oid = algorithm ? der::Reader(*algorithm).next_if(der::kOid) : std::nullopt;
    if (!oid) return no_certificate();
    const auto text = der::oid_text(oid->content);
    for (const auto& [weak, name] : kWeakSignatures) {
        if (text == weak) {
            return fail(Code::InvalidRequest, "weak signature: " + std::string(name));
        }
    }
    return {};
}

}  // namespace hatchery::ca
